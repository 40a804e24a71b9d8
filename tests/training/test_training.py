"""A run from recipe to checkpoint, at tiny width."""

import csv
import dataclasses
import itertools
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import awake, tiny
from PIL import Image
from torch.utils.data import DataLoader

import localsr
from localsr import metrics
from localsr.cli.exits import describe_error
from localsr.data.crops import Crops
from localsr.data.pairs import Pairs
from localsr.data.pictures import read_rgb
from localsr.errors import StoppedError
from localsr.models import checkpoint
from localsr.models.presets import PRESETS
from localsr.resize import reduce, resize
from localsr.training.batches import Batches
from localsr.training.config import Recipe
from localsr.training.fit import fit
from localsr.training.module import Training, rms_loss
from localsr.training.muon import LIKE_ADAM, Muon, orthogonal
from localsr.training.origin import start
from localsr.training.teachers import read_teacher, teach

RECIPES = sorted((Path(__file__).parents[2] / "recipes").rglob("*.toml"))
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning:lightning", "ignore::FutureWarning")]


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


def test_a_run_on_broad_degradations_is_validated_on_photos(recipe: Recipe, tmp_path: Path) -> None:
    plain = dataclasses.replace(recipe.model.without_context(), conditioned=True)
    broad = dataclasses.replace(recipe, degradation="broad", model=plain, steps=2, warmup=0, validate_every=2)
    trained(broad, tmp_path)
    log = (tmp_path / "tiny/csv/from-0/metrics.csv").read_text().splitlines()
    (row,) = [row for row in csv.DictReader(log) if row["psnr_y"]]
    assert 5 < float(row["psnr_y"]) < 60


def test_a_run_on_photos_that_came_with_their_lr(cc0: Path, tmp_path: Path) -> None:
    recipe = Recipe(
        name="photos",
        folders=(str(cc0 / "HR"),),
        lr_folders=(str(cc0 / "LR_x4"),),
        validation=str(cc0),
        model=dataclasses.replace(PRESETS["edsr-light"], pixel_attention=True),
        init="edsr-light-x4",
        roi=(48, 48),
        steps=2,
        batch=1,
        lr=1e-6,
        ema=0.0,
        validate_every=2,
    )
    _, card = trained(recipe, tmp_path)
    assert card.training["pictures"] == 4
    log = (tmp_path / "photos/csv/from-0/metrics.csv").read_text().splitlines()
    (row,) = [row for row in csv.DictReader(log) if row["psnr_y"]]
    assert float(row["psnr_y"]) > 24.87 + 1  # bicubic's, whose place is at 24.869; 26.25 measured


def test_a_resumed_run_ends_as_the_unbroken_one(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Training.training_step

    def killed(self: Training, batch: object, index: int) -> torch.Tensor:
        if self.global_step == 8:
            raise KeyboardInterrupt
        return step(self, batch, index)

    recipe = dataclasses.replace(recipe, save_every=5)
    unbroken, _ = trained(recipe, tmp_path / "unbroken")
    with monkeypatch.context() as patch:
        patch.setattr(Training, "training_step", killed)
        with pytest.raises(BaseException):  # noqa: B017, PT011  # lightning leaves by SystemExit or KeyboardInterrupt
            trained(recipe, tmp_path / "broken")
    assert not (tmp_path / "broken/tiny/tiny.safetensors").exists()
    resumed, card = trained(recipe, tmp_path / "broken", resume=True)
    assert card.training["steps"] == 12
    assert (tmp_path / "broken/tiny/csv/from-5/metrics.csv").is_file()
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in unbroken.items())


def test_a_run_is_not_lost_by_accident(recipe: Recipe, tmp_path: Path) -> None:
    short = dataclasses.replace(recipe, steps=4, save_every=2, validation="")
    trained(short, tmp_path / "runs")
    with pytest.raises(localsr.ConfigError, match=r"holds a run; go on with --resume, throw it away with --restart"):
        fit(short, tmp_path / "runs")
    with pytest.raises(localsr.ConfigError, match=r"was trained with another lr; a run goes on with its own recipe"):
        fit(dataclasses.replace(short, lr=1e-3), tmp_path / "runs", resume=True)
    assert Recipe.read(tmp_path / "runs/tiny/recipe.toml") == short
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(short, tmp_path / "runs", restart=True)


def test_a_signal_saves_and_leaves(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unbroken, _ = trained(recipe, tmp_path / "unbroken")
    step = Training.training_step

    def told(self: Training, batch: object, index: int) -> torch.Tensor:
        if self.global_step == 7:
            signal.raise_signal(signal.SIGTERM)
        return step(self, batch, index)

    handler = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(Training, "training_step", told)
        with pytest.raises(StoppedError, match="stopped at step 8, which is saved") as caught:
            trained(recipe, tmp_path / "stopped")
    assert caught.value.signum == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == handler
    resumed, _ = trained(recipe, tmp_path / "stopped", resume=True)
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in unbroken.items())


def test_a_second_ctrl_c_leaves_at_once(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(self: Training, batch: object, index: int) -> torch.Tensor:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError

    monkeypatch.setattr(Training, "training_step", told)
    with pytest.raises(StoppedError, match="stopped at once; --resume goes on from the last save") as caught:
        trained(recipe, tmp_path / "runs")
    assert describe_error(caught.value)[0] == 130


def test_a_gradient_that_is_not_finite_moves_nothing_and_is_counted(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Training.training_step
    seen: list[torch.Tensor] = []

    def poisoned(self: Training, batch: object, index: int) -> torch.Tensor:
        seen.append(self.network.backbone.head.conv.weight.detach().clone())
        return step(self, batch, index) * (float("nan") if self.global_step in (3, 5) else 1.0)

    monkeypatch.setattr(Training, "training_step", poisoned)
    tensors, card = trained(recipe, tmp_path / "runs")
    assert card.training["skipped"] == 2
    still = [torch.equal(a, b) for a, b in itertools.pairwise(seen)]
    assert [k for k, same in enumerate(still) if same] == [3, 5]
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    monkeypatch.setattr("localsr.training.module.MAX_SKIPPED_IN_A_ROW", 2)
    monkeypatch.setattr(Training, "training_step", lambda self, batch, index: step(self, batch, index) * float("inf"))
    with pytest.raises(localsr.ConfigError, match="2 steps in a row had no finite gradient"):
        trained(recipe, tmp_path / "diverged")


def test_resuming_a_finished_run_gives_the_averaged_weights_again(recipe: Recipe, tmp_path: Path) -> None:
    recipe = dataclasses.replace(recipe, save_every=3)
    finished, card = trained(recipe, tmp_path / "runs")
    again, other = trained(recipe, tmp_path / "runs", resume=True)
    assert all(torch.equal(tensor, again[name]) for name, tensor in finished.items())
    assert other.training["steps"] == card.training["steps"] == 12


def test_what_is_kept_forgets_where_it_began(recipe: Recipe, tmp_path: Path) -> None:
    last, _ = trained(dataclasses.replace(recipe, ema=0.0), tmp_path / "last")
    kept, _ = trained(dataclasses.replace(recipe, ema=0.999), tmp_path / "kept")
    begin = start(recipe).state_dict()

    def far(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
        return float(sum((one[name] - other[name]).square().sum() for name in last)) ** 0.5

    assert 0 < far(kept, last) < 0.5 * far(begin, last)  # 0.98 of the way lie between by 0.999 from the start


def test_a_signal_after_the_last_step_stops_nothing(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken, _ = trained(recipe, tmp_path / "unbroken")
    step = Training.validation_step

    def told(self: Training, pair: object, index: int) -> None:
        if self.global_step == 12:
            signal.raise_signal(signal.SIGTERM)
        step(self, pair, index)

    monkeypatch.setattr(Training, "validation_step", told)
    finished, _ = trained(recipe, tmp_path / "runs")
    assert all(torch.equal(tensor, finished[name]) for name, tensor in unbroken.items())


def test_a_restart_that_cannot_start_throws_nothing_away(recipe: Recipe, tmp_path: Path) -> None:
    short = dataclasses.replace(recipe, steps=4, save_every=2, validation="")
    trained(short, tmp_path / "runs")
    kept = {p: p.read_bytes() for p in (tmp_path / "runs/tiny").rglob("*") if p.is_file()}
    (tmp_path / "bad/HR").mkdir(parents=True)
    (tmp_path / "other.onnx").write_bytes(b"")
    Image.new("RGB", (45 * 4, 60 * 4)).save(tmp_path / "bad/HR/0.png")
    for wrong, message in (
        ({"folders": (str(tmp_path / "nowhere"),)}, "is no folder"),
        ({"init": "unknown"}, "no network 'unknown'"),
        (
            {"init": str(tmp_path / "other.onnx")},
            "runs as it is, and nothing can be trained around it; init takes edsr",
        ),
        ({"blend": "edsr-light-x4"}, "a edsr cannot be blended with this edsr: head.conv.bias is"),
        ({"validation": str(tmp_path / "bad")}, "less than the 48 of an ROI"),
        ({"context": 3, "roi": (3, 3)}, "must be a multiple of 1 and at least 6"),
    ):
        with pytest.raises(localsr.LocalSRError, match=message):
            fit(dataclasses.replace(short, **wrong), tmp_path / "runs", restart=True)
    assert kept == {p: p.read_bytes() for p in (tmp_path / "runs/tiny").rglob("*") if p.is_file()}


def test_only_a_plain_network_of_the_same_scale_is_a_twin(recipe: Recipe, tmp_path: Path) -> None:
    recipe = dataclasses.replace(recipe, steps=3)
    plain = dataclasses.replace(recipe, name="plain", model=tiny(context=False), validation="")
    _, card = trained(plain, tmp_path / "runs")
    init = str(tmp_path / "runs/plain/plain.safetensors")
    for name, model, origin, twin in (
        ("context", tiny(), init, {"name": "plain", "sha256": card.sha256}),
        ("doubled", tiny(scale=2), init, {}),
        ("again", tiny(), str(tmp_path / "runs/context/context.safetensors"), {"name": "plain", "sha256": card.sha256}),
    ):
        _, made = trained(dataclasses.replace(recipe, name=name, model=model, init=origin), tmp_path / "runs")
        assert made.plain == twin


def test_what_comes_out_is_blended_with_another(recipe: Recipe, tmp_path: Path) -> None:
    path = tmp_path / "plain.safetensors"
    torch.manual_seed(3)
    other = start(dataclasses.replace(recipe, model=tiny(context=False)))
    checkpoint.save(path, other, checkpoint.Card("plain", other.config))
    recipe = dataclasses.replace(recipe, save_every=3)
    alone, _ = trained(recipe, tmp_path / "runs")
    asked = dataclasses.replace(recipe, blend=str(path), blend_share=0.25)
    blend, card = trained(asked, tmp_path / "runs", resume=True)
    assert card.recipe["blend_share"] == 0.25
    for name, tensor in other.state_dict().items():
        assert torch.allclose(blend[name], 0.75 * alone[name] + 0.25 * tensor, atol=1e-7)
    context = alone.keys() - other.state_dict().keys()
    assert context
    assert all(torch.equal(alone[name], blend[name]) for name in context)


def test_strips_of_pictures(recipe: Recipe, tmp_path: Path) -> None:
    plain = dataclasses.replace(recipe, model=tiny(context=False))
    path = tmp_path / "plain.safetensors"
    checkpoint.save(path, start(plain), checkpoint.Card("plain", plain.model))
    trained(dataclasses.replace(recipe, init=str(path)), tmp_path / "runs")
    strips = sorted((tmp_path / "runs/tiny/strips").iterdir())
    assert [p.name for p in strips] == ["step-0000006.png", "step-0000012.png"]
    size = localsr.read(strips[0]).size
    assert size.width == 5 * 4 * 47 + 4 * 4  # LR, bicubic, plain, CLSR, HR
    assert size.height == 3 * (4 * 47 + 4)


def test_half_the_batch_each(recipe: Recipe, tmp_path: Path) -> None:
    crops = Crops([Pairs([Path(recipe.folders[0])], 4, tmp_path / "cache")], 32, 100, 0)
    alone = list(Batches(crops, 4, (12, 20), 6, 2))
    shares = [list(Batches(crops, 4, (12, 20), 6, 2, rank=rank, ranks=2)) for rank in range(2)]
    for one, parts in zip(alone, zip(*shares, strict=True), strict=True):
        assert torch.equal(one.lr, torch.cat([p.lr for p in parts]))
        assert all(torch.equal(one.sides, p.sides) for p in parts)
    with_workers = DataLoader(Batches(crops, 4, (12, 20), 6, 2), batch_size=None, num_workers=2)
    assert all(torch.equal(a.hr, b.hr) for a, b in zip(alone, with_workers, strict=True))
    with pytest.raises(localsr.ConfigError, match="a batch of 4 does not divide among 3 processes"):
        Batches(crops, 4, (12, 20), 6, rank=0, ranks=3)


def test_settings_over_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('name = "x"\nfolders = ["a"]\n[model]\npreset = "carn-m"\npim = true')
    settings = ("steps=7", "model.scale=2", "name=other", "roi=[24, 32]", "half=true", "model.halo = [2, 2, 2, 2]")
    recipe = Recipe.read(path, settings)
    assert (recipe.steps, recipe.name, recipe.roi, recipe.half) == (7, "other", (24, 32), True)
    expected = dataclasses.replace(PRESETS["carn-m"], scale=2, halo=(2, 2, 2, 2), pim=True)
    assert recipe.model == expected
    for setting, message in (
        ("steps", "must be key=value"),
        ("a.b=3", "must be key=value"),
        ("step=3", "did you mean steps"),
        ("model.preset=rcam", "no preset 'rcam'; choose one of edsr-light"),
        ("steps=many", "must be of type int"),
    ):
        with pytest.raises(localsr.ConfigError, match=message):
            Recipe.read(path, [setting])


def test_nothing_to_resume(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(localsr.ConfigError, match="nothing to resume"):
        fit(recipe, tmp_path / "runs", resume=True)


def test_a_damaged_save(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "runs/tiny").mkdir(parents=True)
    (tmp_path / "runs/tiny/last.ckpt").write_bytes(b"torn")
    with pytest.raises(localsr.CheckpointError, match="damaged; start the run again with --restart"):
        fit(recipe, tmp_path / "runs", resume=True)


def test_starting_from_a_plain_backbone(recipe: Recipe, tmp_path: Path) -> None:
    torch.manual_seed(3)
    plain = dataclasses.replace(recipe, model=tiny(context=False))
    path = tmp_path / "plain.safetensors"
    checkpoint.save(path, start(plain), checkpoint.Card("plain", plain.model))
    origin, _ = checkpoint.load(path)
    network = start(recipe, origin)
    tensors, _ = checkpoint.read(path)
    state = network.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in tensors.items())
    assert torch.equal(state["gcm.extractor.head.conv.weight"], tensors["backbone.head.conv.weight"])
    with pytest.raises(localsr.ConfigError, match="a carn cannot start from this edsr: "):
        start(dataclasses.replace(recipe, model=tiny("carn")), origin)


def test_context_is_trained_around_a_network_that_stays(recipe: Recipe, tmp_path: Path) -> None:
    plain = awake(dataclasses.replace(tiny("rrdb", context=False), halo=(40, 30, 20)))
    card = checkpoint.save(tmp_path / "plain.safetensors", plain, checkpoint.Card("plain", plain.config))
    recipe = dataclasses.replace(
        recipe,
        model=tiny("rrdb"),
        init=str(tmp_path / "plain.safetensors"),
        freeze=True,
        target="whole",
        roi=(8, 12),
        steps=4,
        validate_every=4,
    )
    tensors, made = trained(recipe, tmp_path / "runs")
    kept = {name: tensor for name, tensor in tensors.items() if name.startswith("backbone.")}
    assert all(torch.equal(tensor, plain.state_dict()[name]) for name, tensor in kept.items())
    fresh = start(recipe).state_dict()
    moved = {name.split(".")[0] for name, tensor in tensors.items() if not torch.equal(tensor, fresh[name])}
    assert moved == {"backbone", "gcm", "pim"}
    assert made.plain == {"name": "plain", "sha256": card.sha256}
    assert made.training["hr_megapixels"] == round(3 * 192**2 / 1e6, 1)
    shutil.copy(tmp_path / "plain.safetensors", tmp_path / "runs/tiny")
    restorer = localsr.load(tmp_path / "runs/tiny/tiny.safetensors", precision="fp32")
    assert [str(strategy) for strategy in restorer.strategies] == ["crop", "halo", "clsr", "full"]


def test_the_target_without_hr_is_what_the_network_makes_of_the_whole(recipe: Recipe, tmp_path: Path) -> None:
    wide = dataclasses.replace(tiny(), halo=(9, 9, 9))  # all that the backbone sees, so that context may add nothing
    recipe = dataclasses.replace(recipe, model=wide, init="plain", freeze=True, target="whole")
    plain = awake(wide.without_context())
    assert max(plain.geometry.exact_halo) <= 9
    module = Training(recipe, start(recipe, plain), plain)
    crops = Crops([Pairs([Path(recipe.folders[0])], 1, tmp_path / "cache")], 32, 4, 0)
    batch = next(iter(Batches(crops, 2, (12, 20), 2)))
    assert batch.hr.shape == batch.lr.shape
    roi, around = module.losses(batch)
    assert roi < 1e-6
    assert around is not None
    assert around > 1e-3
    with pytest.raises(localsr.ConfigError, match="freeze needs a backbone, init, and what is trained around it"):
        dataclasses.replace(recipe, model=wide.without_context())
    with pytest.raises(localsr.ConfigError, match="take a plain network as init, of x4"):
        start(recipe, awake(tiny(scale=2, context=False)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # of what the compiler imports
def test_a_compiled_step_is_the_step(recipe: Recipe, tmp_path: Path) -> None:
    """The same loss and gradients as without compiling; of one side of ROI, since each other one costs minutes."""
    plain = dataclasses.replace(recipe, model=recipe.model.without_context(), roi=(32, 32))
    crops = Crops([Pairs([Path(recipe.folders[0])], recipe.model.scale, tmp_path / "cache")], 32, 2, 0)
    (batch,) = Batches(crops, 2, plain.roi, 1)
    network, found = start(plain), []
    for compiled in (False, True):
        loss, around = Training(dataclasses.replace(plain, compile=compiled), network).losses(batch)
        assert around is None
        network.zero_grad()
        loss.backward()
        found.append([loss.detach(), *(p.grad.clone() for p in network.parameters() if p.grad is not None)])
    torch.testing.assert_close(*found, atol=1e-6, rtol=1e-3)


def test_rms_is_the_root_of_each_sample() -> None:
    """Worked by hand: a sample counts by its root mean square, and all samples alike."""
    restored, target = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    restored[0, 0, 0, 0] = 0.48 * 12**0.5 * 2  # 1 of 48 values
    restored[1] = 0.14
    assert rms_loss(restored, target).item() == pytest.approx((0.48 + 0.14) / 2, abs=1e-4)
    assert rms_loss(target, target).item() == pytest.approx(0.002)


def test_the_schedules(recipe: Recipe) -> None:
    module = Training(recipe, start(recipe))
    assert module.context_weight(0) == 0.5
    assert module.context_weight(6) == 0.25
    assert module.context_weight(12) == 0
    assert module.rate(0) == pytest.approx(1 / 3)
    assert module.rate(2) == 1
    assert module.rate(7) == pytest.approx(0.5 * (1 + math.cos(math.pi / 2)))
    assert module.rate(12) == pytest.approx(0)
    stable = Training(dataclasses.replace(recipe, decay=4), start(recipe))
    assert [stable.rate(step) for step in (0, 2, 5, 8, 9, 12, 13)] == pytest.approx([1 / 3, 1, 1, 1, 0.5, 0, 0])


def test_a_decayed_network_is_branched_off_a_run_that_goes_on(recipe: Recipe, tmp_path: Path) -> None:
    recipe = dataclasses.replace(recipe, decay=2, save_every=3, validation="")
    whole, _ = trained(recipe, tmp_path / "unbroken")
    runs = tmp_path / "runs"
    step = Training.training_step

    def killed(self: Training, batch: object, index: int) -> torch.Tensor:
        if self.global_step == 7:
            raise MemoryError
        return step(self, batch, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "training_step", killed)
        with pytest.raises(MemoryError):
            trained(recipe, runs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ended = fit(recipe, runs, decayed=4)
        at_once = fit(recipe, runs, decayed=0)
    assert ended == runs / "tiny-10/tiny-10.safetensors"
    tensors, card = checkpoint.read(ended)
    assert (card.name, card.training["steps"], card.recipe["decay"]) == ("tiny-10", 10, 4)
    assert card.training["lr_gigapixels"] == round(10 * 2 * recipe.roi_pixels / 1e9, 4)
    saved = torch.load(runs / "tiny/last.ckpt", weights_only=True)
    averaged, _ = checkpoint.read(at_once)
    assert all(torch.equal(tensor, saved["state_dict"][f"network.{name}"]) for name, tensor in averaged.items())
    assert any(not torch.equal(tensor, averaged[name]) for name, tensor in tensors.items())
    resumed, _ = trained(recipe, runs, resume=True)
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())
    with pytest.raises(localsr.ConfigError, match="there is nothing to branch off"):
        fit(dataclasses.replace(recipe, name="other"), runs, decayed=4)


def test_steps_by_muon_are_orthogonal_and_resumed(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(recipe, optimizer="muon", save_every=5, validation="")
    for shape in ((16, 144), (64, 8)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(0))))
        assert 0.6 < values.min() <= values.max() < 1.3
    network = start(recipe)
    optimizer = Muon(network, 0.1)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    moved = {name: (p.detach() - before[name]) for name, p in network.named_parameters()}
    kernel = moved["backbone.stages.0.0.conv1.weight"].flatten(1)
    assert torch.linalg.svdvals(kernel).max() < 2 * torch.linalg.svdvals(kernel).min()
    assert float(kernel.square().mean().sqrt()) == pytest.approx(0.1 * LIKE_ADAM, rel=0.2)
    assert moved["backbone.head.conv.weight"].abs().mean() == pytest.approx(0.1, rel=0.01)  # Adam's first step
    unbroken, _ = trained(recipe, tmp_path / "unbroken")
    step = Training.training_step

    def killed(self: Training, batch: object, index: int) -> torch.Tensor:
        if self.global_step == 8:
            raise MemoryError
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "training_step", killed)
        with pytest.raises(MemoryError):
            trained(recipe, tmp_path / "broken")
    resumed, _ = trained(recipe, tmp_path / "broken", resume=True)
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in unbroken.items())


def test_a_run_goes_on_with_other_pictures(recipe: Recipe, tmp_path: Path) -> None:
    recipe = dataclasses.replace(recipe, save_every=4, validation="")
    more = tmp_path / "more"
    more.mkdir()
    Image.effect_noise((160, 160), 60).convert("RGB").save(more / "noise.png")

    step = Training.training_step

    def killed(self: Training, batch: object, index: int) -> torch.Tensor:
        if self.global_step == 8:
            raise MemoryError
        return step(self, batch, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "training_step", killed)
        with pytest.raises(MemoryError):
            trained(recipe, tmp_path / "runs")
    mixed = dataclasses.replace(recipe, folders=(*recipe.folders, str(more)), shares=(0.2, 0.8))
    _, card = trained(mixed, tmp_path / "runs", resume=True)
    assert (card.training["steps"], card.training["pictures"]) == (12, 4)


def test_a_run_is_taught(recipe: Recipe, tmp_path: Path, shared: Path) -> None:
    teachers = tuple(str(shared / f"weights/peers/{name}_x4.pth") for name in ("RLFN", "IMDN"))
    taught = dataclasses.replace(recipe, teachers=teachers, teacher_shares=(0.5,), validation="", steps=3)
    heard = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(taught, tmp_path / "runs", watch=lambda what, done, of, _: heard.append((what, done)))
    assert [done for what, done in heard if what == "teaching"] == [0, 1, 2, 3]
    assert len(list((tmp_path / "runs/cache").glob("pairs-*/taught-*.bin"))) == 1
    with pytest.raises(localsr.CheckpointError, match="enlarges x4, not x2"):
        fit(dataclasses.replace(taught, name="two", model=tiny(scale=2)), tmp_path / "runs")


@pytest.mark.parametrize(
    ("name", "scale"), [("RFDN_x4", 4), ("RLFN_x4", 4), ("PANx4", 4), ("PANx2", 2), ("IMDN_x2", 2)]
)
def test_the_teachers_restore(name: str, scale: int, shared: Path) -> None:
    pixels = read_rgb(shared / "data/test/set14/HR/img_001.png")[:, 100:292, 100:292]
    lr, hr = reduce(pixels, scale), torch.from_numpy(pixels.astype(np.float32))
    taught = teach([read_teacher(shared / f"weights/peers/{name}.pth", scale)], torch.from_numpy(lr))
    plain = torch.from_numpy(resize(lr.astype(np.float32), 192, 192))
    gained = metrics.psnr_y(taught.float(), hr) - metrics.psnr_y(plain, hr)
    assert gained > 0.3


def test_what_is_no_teacher(tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.zeros(3, 3, 3, 3)}, tmp_path / "other.pth")
    with pytest.raises(localsr.CheckpointError, match="no teacher that can be read: RFDN, RLFN, PAN, IMDN"):
        read_teacher(tmp_path / "other.pth", 4)
    torch.save({"IMDB1.c1.weight": torch.zeros(3, 3, 3, 3)}, tmp_path / "torn.pth")
    with pytest.raises(localsr.CheckpointError, match=r"lacks the tensor fea_conv\.weight"):
        read_teacher(tmp_path / "torn.pth", 4)


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_the_recipes_can_be_read(path: Path) -> None:
    recipe = Recipe.read(path)
    assert recipe.name == path.stem
    start(recipe)


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
        ('name = 2024\nfolders = ["a"]', "name = 2024 must be of type str"),
        ('name = "x"\nfolders = ["a"]\nclip = 0.0', "clip above 0"),
        ('name = "x"\nfolders = ["a"]\nlr = inf', "finite numbers"),
        ('name = "x"\nfolders = ["a"]\ncontext_loss = [nan, 0.0]', "finite numbers"),
        ('name = "x"\nfolders = ["a"]\nmodel = "rcan"', "must be a table; choose a network with model.preset"),
        ('name = "x"\nfolders = ["a"]\nlr_folders = ["a", "b"]', "one for each of folders"),
        ('name = "x"\nfolders = ["a"]\noptimizer = "sgd"', "optimizer 'sgd' is not one of adam, muon"),
        ('name = "x"\nfolders = ["a", "b"]\nshares = [0.5]', "one for each of folders"),
        ('name = "x"\nfolders = ["a"]\nshares = [0.0]', "must be numbers above 0"),
        ('name = "x"\nfolders = ["a"]\nteachers = ["t.pth"]', "teacher_shares .* one for each of folders"),
        ('name = "x"\nfolders = ["a"]\nteachers = ["t.pth"]\nteacher_shares = [1.5]', r"must be in \[0, 1\]"),
        ('name = "x"\nfolders = ["a"]\nsteps = 9\nwarmup = 5\ndecay = 6', "a decay of 6 steps must fit into 9"),
        (
            'name = "x"\nfolders = ["a"]\ndegradation = "bursts"\nvalidation = "b"\n[model]\ncells = true',
            "bursts are several: leave validation out",
        ),
        ('name = "x"\nfolders = ["a"]\ncompile = true\n[model]\ngcm = true', "compile takes a plain network"),
        ('name = "x"\nfolders = ["a"]\nblend_share = 1.5', "blend_share 1.5 must be in"),
        ('name = "../x"\nfolders = ["a"]', "no name for a folder"),
        ("name = ", "cannot be read"),
        ("like = 3", "like = 3 must be the path of a recipe"),
        ('like = "none.toml"', r"none\.toml cannot be read"),
        ('like = "recipe.toml"', "like another recipe itself; name that one"),
    ],
)
def test_recipes_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(localsr.ConfigError, match=message):
        Recipe.read(path)


def test_a_recipe_says_only_what_differs_from_the_one_that_it_is_like(tmp_path: Path) -> None:
    (tmp_path / "first.toml").write_text('name = "a"\nfolders = ["f"]\nlr = 0.1\n[model]\nscale = 2\nstages = 3')
    (tmp_path / "own").mkdir()
    path = tmp_path / "own" / "second.toml"
    path.write_text('like = "../first.toml"\nname = "b"\n[model]\nscale = 3')
    recipe = Recipe.read(path, ["steps=7"])
    assert (recipe.name, recipe.folders, recipe.lr, recipe.steps) == ("b", ("f",), 0.1, 7)
    assert (recipe.model.scale, recipe.model.stages) == (3, 3)
    (tmp_path / "again.toml").write_text(recipe.to_toml())
    assert Recipe.read(tmp_path / "again.toml") == recipe


def test_a_full_disk_leaves_the_last_good_save(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = dataclasses.replace(recipe, save_every=4, validation="")
    step = Training.training_step

    def killed(self: Training, batch: object, index: int) -> torch.Tensor:
        if self.global_step == 6:
            raise MemoryError
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "training_step", killed)
        with pytest.raises(MemoryError):
            trained(recipe, tmp_path / "runs")
    files = [p for p in (tmp_path / "runs").rglob("*") if p.is_file()]
    saved = (tmp_path / "runs/tiny/last.ckpt").stat().st_size
    room = sum(-(-p.stat().st_size // 4096) * 4096 + 4096 for p in files) + saved // 2
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", small], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        shutil.copytree(tmp_path / "runs", small / "runs")
        with pytest.raises(OSError) as caught:  # noqa: PT011  # ours, or a logger's
            trained(recipe, small / "runs", resume=True)
        code, sentence = describe_error(caught.value)
        assert code == 4
        assert "last.ckpt could not be written: No space left on device; what was there is untouched" in sentence
        assert torch.load(small / "runs/tiny/last.ckpt", weights_only=True)["global_step"] == 4
        assert not list((small / "runs/tiny").glob(".*"))
    finally:
        subprocess.run(["umount", "-l", small], check=True)  # lazily: the cache is still mapped
    resumed, _ = trained(recipe, tmp_path / "runs", resume=True)
    unbroken, _ = trained(recipe, tmp_path / "unbroken")
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in unbroken.items())


def test_two_processes_train_as_one(recipe: Recipe, tmp_path: Path) -> None:
    recipe = dataclasses.replace(recipe, steps=20, batch=4)
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    command = [sys.executable, "-m", "localsr", "train", str(tmp_path / "recipe.toml")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    found = []
    for count in ("1", "2"):
        args = [*command, "--runs", str(tmp_path / count), "--devices", count]
        done = subprocess.run(args, capture_output=True, text=True, env=environment, timeout=600)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip().splitlines()[-1] == str(tmp_path / count / "tiny/tiny.safetensors")
        found.append(checkpoint.read(tmp_path / count / "tiny/tiny.safetensors"))
    (alone, _), (shared, card) = found
    assert card.training["device"].startswith("2 x cpu")
    assert max(float((alone[name] - shared[name]).abs().max()) for name in alone) < 1e-5


def test_broken_pictures_are_named_counted_and_skipped(
    recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(recipe.folders[0])
    for k in range(16):
        shutil.copy(folder / "0.png", folder / f"more-{k}.png")
    torn = (folder / "2.png").read_bytes()
    (folder / "2.png").write_bytes(torn[: len(torn) // 2])
    recipe = dataclasses.replace(recipe, validation="", steps=3)
    with pytest.raises(
        localsr.DataError, match=r"1 of 19 pictures cannot be read, the first is .*2\.png; repair or remove"
    ):
        fit(recipe, tmp_path / "runs")
    caplog.clear()
    _, card = trained(dataclasses.replace(recipe, max_broken=0.1), tmp_path / "runs")
    assert card.training["pictures"] == 18
    assert [record.getMessage().count("2.png") for record in caplog.records if "skipped" in record.getMessage()] == [1]


def test_the_documented_defaults_are_the_defaults() -> None:
    text = (Path(__file__).parents[2] / "recipes/README.md").read_text()
    told = dict(re.findall(r"^\| `(\w+)` \| (?:`(.*?)`)? ?\|", text, re.MULTILINE))
    fields = {f.name: f for f in dataclasses.fields(Recipe) if f.name != "model"}
    assert "`data`, `limits`" in text
    assert told.keys() == fields.keys() - {"data", "limits"}
    for name, field in fields.items():
        if name in told and field.default is not dataclasses.MISSING:
            value = json.loads(told[name])
            assert (tuple(value) if isinstance(value, list) else value) == field.default, name
    assert all(f"`{preset}`" in text for preset in PRESETS)


@pytest.mark.parametrize("name", ["rcan", "rcan-clsr", "swinir-light", "swinir-light-clsr"])
def test_the_paper_s_recipes_for_accelerators_run_at_tiny_width(name: str, recipe: Recipe, tmp_path: Path) -> None:
    settings = [
        f"folders={json.dumps(list(recipe.folders))}",
        *("init=", "steps=200", "batch=2", "lr=2e-3", "context=24", "roi=[16, 16]", "ema=0.9", "save_every=1000"),
        *("model.channels=16", "model.stages=2", "model.blocks=2", "model.halo=[3, 3, 2]"),
        *("model.heads=4", "model.features=8", "model.pim_channels=8", "model.pim_blocks=1", "model.gcm_patches=4"),
    ]
    tiny_one = Recipe.read(Path(__file__).parents[2] / f"recipes/paper/{name}.toml", settings)
    losses: list[float] = []

    def watch(what: str, done: int, of: int, numbers: dict[str, float]) -> None:
        losses.extend(numbers.values())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, card = checkpoint.read(fit(tiny_one, tmp_path / "runs", watch=watch))
    assert card.training["steps"] == 200
    assert np.mean(losses[-20:]) < 0.7 * np.mean(losses[:10])
