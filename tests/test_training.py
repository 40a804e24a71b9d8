"""A run from recipe to checkpoint, at tiny width."""

import dataclasses
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny
from PIL import Image

import localsr
from localsr.models import checkpoint
from localsr.training.config import Recipe
from localsr.training.fit import fit, start
from localsr.training.module import Training

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:lightning", "ignore::FutureWarning")


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    made = tmp_path / "set" / "HR"
    made.mkdir(parents=True)
    y, x = np.mgrid[0:192, 0:192]
    for k in range(3):
        waves = 127 + 120 * np.sin(np.stack([x / (3 + k), y / (4 + k), (x + y) / 5], -1))
        Image.fromarray(waves.astype(np.uint8)).save(made / f"{k}.png")
    return Recipe(
        name="tiny",
        folders=(str(made),),
        validation=str(tmp_path / "set"),
        model=tiny(),
        context=32,
        roi=(12, 20),
        steps=12,
        batch=2,
        lr=2e-3,
        warmup=2,
        ema=0.5,
        validate_every=6,
    )


def trained(recipe: Recipe, runs: Path, *, resume: bool = False) -> tuple[dict[str, torch.Tensor], checkpoint.Card]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lightning's own making
        return checkpoint.read(fit(recipe, runs, resume=resume))


def test_a_run(recipe: Recipe, tmp_path: Path) -> None:
    tensors, card = trained(recipe, tmp_path / "runs")
    fresh = start(recipe).state_dict()
    moved = [name for name, tensor in tensors.items() if not torch.equal(tensor, fresh[name])]
    assert {name.split(".")[0] for name in moved} == {"backbone", "gcm", "pim"}
    assert card.name == "tiny"
    assert card.training["steps"] == 12
    assert card.training["pictures"] == 3
    assert card.recipe["lr"] == 2e-3
    log = (tmp_path / "runs/tiny/csv/from-0/metrics.csv").read_text().splitlines()
    column = log[0].split(",").index("psnr_y")
    scores = [float(row.split(",")[column]) for row in log[1:] if row.split(",")[column]]
    assert len(scores) == 2
    assert all(5 < score < 60 for score in scores)


def test_a_resumed_run_ends_as_the_unbroken_one(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken, _ = trained(recipe, tmp_path / "unbroken")
    step = Training.training_step

    def killed(self: Training, batch: object, index: int) -> torch.Tensor:
        if self.global_step == 8:
            raise KeyboardInterrupt
        return step(self, batch, index)

    monkeypatch.setattr("localsr.training.fit.SAVE_EVERY", 5)
    with monkeypatch.context() as patch:
        patch.setattr(Training, "training_step", killed)
        with pytest.raises(BaseException):  # noqa: B017, PT011  # lightning leaves by SystemExit or KeyboardInterrupt
            trained(recipe, tmp_path / "broken")
    assert not (tmp_path / "broken/tiny/tiny.safetensors").exists()
    resumed, card = trained(recipe, tmp_path / "broken", resume=True)
    assert card.training["steps"] == 12
    assert (tmp_path / "broken/tiny/csv/from-5/metrics.csv").is_file()
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in unbroken.items())


def test_nothing_to_resume(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(localsr.ConfigError, match="nothing to resume"):
        fit(recipe, tmp_path / "runs", resume=True)


def test_a_damaged_save(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "runs/tiny").mkdir(parents=True)
    (tmp_path / "runs/tiny/last.ckpt").write_bytes(b"torn")
    with pytest.raises(localsr.CheckpointError, match="damaged; start the run again without resuming"):
        fit(recipe, tmp_path / "runs", resume=True)


def test_starting_from_a_plain_backbone(recipe: Recipe, tmp_path: Path) -> None:
    torch.manual_seed(3)
    plain = dataclasses.replace(recipe, model=tiny(context=False))
    path = tmp_path / "plain.safetensors"
    checkpoint.save(path, start(plain), checkpoint.Card("plain", plain.model))
    network = start(dataclasses.replace(recipe, init=str(path)))
    tensors, _ = checkpoint.read(path)
    state = network.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in tensors.items())
    assert torch.equal(state["gcm.extractor.head.conv.weight"], tensors["backbone.head.conv.weight"])
    with pytest.raises(localsr.ConfigError, match="a carn cannot start from this edsr: "):
        start(dataclasses.replace(recipe, init=str(path), model=tiny("carn")))


def test_the_schedules(recipe: Recipe) -> None:
    module = Training(recipe, start(recipe))
    assert module.context_weight(0) == 0.5
    assert module.context_weight(6) == 0.25
    assert module.context_weight(12) == 0
    assert module.rate(0) == pytest.approx(1 / 3)
    assert module.rate(2) == 1
    assert module.rate(7) == pytest.approx(0.5 * (1 + math.cos(math.pi / 2)))
    assert module.rate(12) == pytest.approx(0)


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_the_recipes_can_be_read(path: Path) -> None:
    recipe = Recipe.read(path)
    assert recipe.name == path.stem
    start(dataclasses.replace(recipe, init=""))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\nfolders = ["a"]\nstep = 3', "unknown recipe key 'step'; did you mean steps"),
        ('name = "x"\nfolders = ["a"]\n[model]\nchanels = 3', "unknown model setting 'chanels'; did you mean channels"),
        ('name = "x"', "lacks folders"),
        ('name = "x"\nfolders = []', "no folders"),
        ('name = "x"\nfolders = ["a"]\nroi = [50, 60]', "within the context of 48"),
        ('name = "x"\nfolders = ["a"]\nsteps = "many"', "steps = 'many' must be of type int"),
        ('name = "x"\nfolders = ["a"]\nlr = 0.0', "lr must be above 0"),
        ('name = "x"\nfolders = "ab"', "folders = 'ab' must be a list of type str"),
        ('name = "x"\nfolders = ["a"]\nroi = [48]', "must be two numbers"),
        ('name = "x"\nfolders = ["a"]\ncontext_loss = [-1.0, 0.0]', "must be two numbers each, and no loss"),
        ('name = "x"\nfolders = ["a"]\nprecision = "banana"', "not one of 32-true"),
        ('name = "../x"\nfolders = ["a"]', "no name for a folder"),
        ("name = ", "cannot be read"),
    ],
)
def test_recipes_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(localsr.ConfigError, match=message):
        Recipe.read(path)
