"""Graphs equal torch for every box, and nothing but a sound folder of them is run."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from networks import BOXES, awake, made, restorer, tiny
from PIL import Image
from typer.testing import CliRunner

import localsr
from localsr import loading, selfcheck
from localsr.batch.rows import Status
from localsr.batch.tasks import Setup, Task
from localsr.batch.worker import BatchWorker
from localsr.cli import app
from localsr.errors import CheckpointError, ConfigError
from localsr.models import checkpoint
from localsr.models.card import Card
from localsr.models.config import ModelConfig
from localsr.onnx import export as module
from localsr.onnx import folder as folders
from localsr.onnx.devices import GraphSettings
from localsr.onnx.export import MAX_DIFFERENCE, compare, export
from localsr.onnx.folder import RESTORE
from localsr.onnx.graphs import restoring
from localsr.onnx.network import OnnxNetwork
from localsr.onnx.sessions import open_graph
from localsr.onnx.tables import facts_of
from localsr.regions import RegionRequest, text
from localsr.serving.messages import AttentionTask, PictureFile, WorkerSettings
from localsr.serving.tasks import TaskRunner

pytestmark = pytest.mark.slow


def small(backbone: str = "edsr", *, scale: int = 4, context: bool = True) -> ModelConfig:
    """One stage: tracing takes its time by the node."""
    return replace(tiny(backbone, scale=scale, context=context), stages=1, halo=(3, 2))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs") / "edsr"
    assert export(restorer(small()), folder).difference <= MAX_DIFFERENCE
    return folder


def test_context_by_graphs_equals_torch(exported: Path, noise: localsr.Photo, tmp_path: Path) -> None:
    mine, theirs = restorer(small()), localsr.load(exported, runtime="onnx")
    assert (theirs.scale, theirs.card.name, theirs.card.config) == (4, "tiny", small())
    scene, found = mine.encode(noise), theirs.encode(noise)
    for way in localsr.Strategy:
        for a, b in zip(scene.restore(BOXES, way), found.restore(BOXES, way), strict=True):
            assert np.abs(a.pixels - b.pixels).max() <= MAX_DIFFERENCE
        for box in BOXES[:6]:
            assert np.abs(scene.restore(box, way).pixels - found.restore(box, way).pixels).max() <= MAX_DIFFERENCE
    # tiles, another halo, another number of patches, a scene that torch has saved: the same graphs
    crowd = found.bounded(2**22).restore(BOXES[-1])
    assert np.abs(scene.restore(BOXES[-1]).pixels - crowd.pixels).max() <= MAX_DIFFERENCE
    assert compare(mine.with_halo(5), theirs.with_halo(5)) <= MAX_DIFFERENCE
    thin = localsr.read(np.random.default_rng(0).random((9, 40, 3), np.float32))
    box = localsr.Box(3, 2, 30, 9)
    assert (
        np.abs(mine.encode(thin).restore(box).pixels - theirs.encode(thin).restore(box).pixels).max() <= MAX_DIFFERENCE
    )
    scene.save(tmp_path / "scene")
    loaded = theirs.encode(noise, tmp_path / "scene").restore(BOXES[3]).pixels
    assert np.abs(scene.restore(BOXES[3]).pixels - loaded).max() <= MAX_DIFFERENCE
    assert found.cost(BOXES)["clsr"].gflops == scene.cost(BOXES)["clsr"].gflops
    assert found.attention(BOXES[3]).shares == pytest.approx(scene.attention(BOXES[3]).shares, abs=MAX_DIFFERENCE)


@pytest.mark.parametrize(
    ("backbone", "scale"), [("carn", 2), ("srresnet", 3), ("rcan", 2), ("swinir", 3), ("span", 4), ("rrdb/2", 2)]
)
def test_plain_by_a_graph_equals_torch(backbone: str, scale: int) -> None:
    config = small(backbone, scale=scale, context=False)
    mine = made(awake(config), Card("plain", config))
    graph = open_graph(Path("a"), restoring(mine.network.module), GraphSettings())
    theirs = localsr.Restorer(OnnxNetwork(config, facts_of(mine.network.module), {RESTORE: graph}), mine.card)
    assert compare(mine, theirs) <= MAX_DIFFERENCE


def test_the_commands(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    about = [str(tmp_path / "a.png"), "--box", "5,6,20,10", "--model", str(exported)]
    told = CliRunner().invoke(app, ["restore", *about, "--runtime", "onnx", "-o", str(tmp_path / "b.png")])
    assert told.exit_code == 0, told.output
    with Image.open(tmp_path / "b.png") as made:
        expected = restorer(small()).encode(localsr.read(pixels)).restore(localsr.Box(5, 6, 25, 16)).pixels
        assert np.abs(np.asarray(made).transpose(2, 0, 1) / 255 - expected).max() <= 0.5 / 255 + MAX_DIFFERENCE
    bill = json.loads(CliRunner().invoke(app, ["cost", *about, "--runtime", "onnx", "--json"]).stdout)
    assert bill["strategies"]["clsr"]["seconds"] > 0
    told = CliRunner().invoke(app, ["explain", *about, "--runtime", "onnx", "-o", str(tmp_path / "map.png")])
    assert "patches, the largest share" in told.stdout, told.output
    serving = TaskRunner(WorkerSettings((str(exported),), "onnx", "auto", 64, 100, 100))
    task = AttentionTask(PictureFile("a", about[0], "a", any_size=False), "1", [(5, 6, 25, 16)], None, None, None)
    shares = restorer(small()).encode(localsr.read(pixels)).attention(localsr.Box(5, 6, 25, 16)).shares
    found = [patch.weight for patch in serving.run(task, tmp_path, print).patches]
    assert found == pytest.approx(shares, abs=MAX_DIFFERENCE)
    for wrong, sentence in {
        ("--runtime", "tvm"): "not one of auto, torch, onnx",
        (): "add --runtime onnx",
        ("--runtime", "onnx", "--precision", "bf16"): "graphs run in fp32",
        ("--runtime", "onnx", "--device", "cuda"): "install it in place of onnxruntime",
        ("--runtime", "onnx", "--device", "tpu"): "choose auto, cpu, cuda, directml, coreml",
        ("--runtime", "onnx", "--scale", "5"): "enlarges x4, not x5",
    }.items():
        told = CliRunner().invoke(app, ["restore", *about, *wrong, "-o", str(tmp_path / "c.png")])
        assert told.exit_code == 2
        assert sentence in told.output
    batch = Task(about[0], RegionRequest((text("5,6,20,10"),)))
    (row,) = BatchWorker(Setup(str(tmp_path), model=str(exported), runtime="onnx", sha256="0")).process(batch)
    assert (row.status, (tmp_path / row.output).exists()) == (Status.DONE, True)
    cost = restorer(small()).encode(localsr.read(pixels)).cost(localsr.Box(5, 6, 25, 16))["clsr"]
    assert row.gflops == pytest.approx(cost.gflops + cost.gflops_scene, rel=1e-6)
    # a network that is no folder is exported once, into the cache
    calls: list[Path] = []

    def copied(_: localsr.Restorer, folder: Path, progress: object) -> None:
        calls.append(folder)
        shutil.copytree(exported, folder)

    monkeypatch.setattr(loading.platformdirs, "user_cache_path", lambda name: tmp_path / name)
    monkeypatch.setattr(module, "export", copied)
    checkpoint.save(tmp_path / "own.safetensors", awake(small()), Card("own", small()))
    for _ in range(2):
        assert localsr.load(tmp_path / "own.safetensors", runtime="onnx").card.name == "tiny"
    assert len(calls) == 1
    monkeypatch.setattr(module, "traced", lambda one, progress: folders.read_folder(exported))
    monkeypatch.setattr(module, "export", export)
    told = CliRunner().invoke(app, ["export", "--model", "edsr-light-x4", "-o", str(tmp_path / "out")])
    assert "largest difference to torch" in told.stdout, told.output
    assert localsr.load(tmp_path / "out", runtime="onnx").scale == 4


def test_what_is_far_from_torch_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    card = folders.GraphCard("a", small(), "0", {}, {}, difference=float("nan"))
    monkeypatch.setattr(module, "traced", lambda one, progress=None: (card, {}))
    with pytest.raises(ConfigError, match="differ from torch by nan"):
        export(restorer(small()), tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert not selfcheck._onnx(restorer(small())).passed
    monkeypatch.setattr(module, "NEEDED", ("onnx", "nothing_of_that_name"))
    check = selfcheck._onnx(restorer(small()))
    assert check.worst is None
    assert "pip install 'localsr[onnx]'" in check.note


def rewritten(change: Callable[[onnx.ModelProto], object]) -> Callable[[Path], None]:
    """Change a graph and have the card vouch for it, as an attacker would."""

    def apply(folder: Path) -> None:
        model = onnx.load(folder / "restore.onnx")
        change(model)
        data = model.SerializeToString()
        (folder / "restore.onnx").write_bytes(data)
        card = json.loads((folder / "card.json").read_text())
        card["graphs"]["restore"] = folders.digest(data)
        (folder / "card.json").write_text(json.dumps(card))

    return apply


def carded(**changes: object) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        card = json.loads((folder / "card.json").read_text())
        (folder / "card.json").write_text(json.dumps(card | changes))

    return apply


def outside(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def looped(model: onnx.ModelProto) -> None:
    attribute = model.graph.node[0].attribute.add()
    attribute.name, attribute.type = "body", onnx.AttributeProto.GRAPH
    attribute.g.name = "body"


def without_end(folder: Path) -> None:
    facts = json.loads((folder / "card.json").read_text())["facts"]
    facts["restore"][1]["flops"][0] = float("inf")
    carded(facts=facts)(folder)


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no card": (lambda f: (f / "card.json").unlink(), "cannot be read"),
    "no JSON": (lambda f: (f / "card.json").write_text("{"), "damaged or of another version"),
    "deep JSON": (lambda f: (f / "card.json").write_text("[" * 100_000), "damaged or of another version"),
    "large card": (lambda f: (f / "card.json").write_bytes(b" " * (2**20 + 1)), "at most"),
    "another format": (carded(format="x"), "no card of graphs"),
    "unknown key": (carded(more=1), "damaged or of another version"),
    "control characters": (carded(name="a\x1b[2J"), "not text"),
    "other graphs": (carded(graphs={"../a": "0"}), "its network has others"),
    "graphs no table": (carded(graphs=["restore"]), "not text"),
    "facts of another network": (carded(config=replace(small(), scale=2).to_dict()), "does not fit it"),
    "facts that cannot be": (without_end, "damaged or of another version"),
    "no graph": (lambda f: (f / "encode.onnx").unlink(), "cannot be read"),
    "cut off": (lambda f: (f / "restore.onnx").write_bytes((f / "restore.onnx").read_bytes()[:-9]), "sha256"),
    "other operators": (rewritten(lambda m: setattr(m.graph.node[0], "domain", "evil")), "not ONNX's own"),
    "other files": (rewritten(outside), "from other files"),
    "a loop": (rewritten(looped), "loops or branches"),
    "other inputs": (rewritten(lambda m: m.graph.input.pop()), "does not take"),
    "an unknown operator": (rewritten(lambda m: setattr(m.graph.node[0], "op_type", "Nothing")), "damaged|cannot"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_folder_is_refused(name: str, exported: Path, tmp_path: Path) -> None:
    change, sentence = WRONG[name]
    folder = tmp_path / "graphs"
    shutil.copytree(exported, folder)
    change(folder)
    with pytest.raises(CheckpointError, match=sentence):
        localsr.load(folder, runtime="onnx")


def test_a_card_of_another_network(exported: Path, tmp_path: Path, noise: localsr.Photo) -> None:
    folder = tmp_path / "graphs"
    shutil.copytree(exported, folder)
    facts = json.loads((folder / "card.json").read_text())["facts"]
    facts["restore"][0]["scale"] = 2
    carded(config=replace(small(), scale=2).to_dict(), facts=facts)(folder)
    with pytest.raises(CheckpointError, match="not what its card says"):
        localsr.load(folder, runtime="onnx").encode(noise).restore(BOXES[3])
