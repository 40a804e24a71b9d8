"""Networks of others: toys whose halo, grid and reach are known, as ONNX graphs and by spandrel."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from torch import nn
from torch.nn import functional
from toy_graphs import graph
from typer.testing import CliRunner

import localsr
from localsr.cli import app
from localsr.errors import CheckpointError, ConfigError
from localsr.foreign.black_box import BlackBox, ForeignNetwork
from localsr.foreign.files import load_foreign, read_foreign
from localsr.foreign.measured import known
from localsr.foreign.probe import measure_restorer, noise_and_bars
from localsr.foreign.spandrel_networks import _torchvision_or_stub
from localsr.geometry import Box
from localsr.inference.precision import choose_precision, measure_gain, shortened_pair
from localsr.inference.strategies import NetworkPair
from localsr.models.card import Card
from localsr.models.config import ModelConfig
from localsr.models.embedded import is_foreign
from localsr.pytorch.network import TorchNetwork

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _user_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def toy(run: object) -> ForeignNetwork:
    return ForeignNetwork(run, "toy", 1, 3, "spandrel", CPU)  # type: ignore[arg-type]


def box_of(network: ForeignNetwork, sha256: str) -> BlackBox:
    return BlackBox(network, *known(network, sha256))


def windowed(x: torch.Tensor) -> torch.Tensor:
    """Each pixel is moved towards the mean of its 8 x 8 window, as attention in windows would."""
    h, w = x.shape[2:]
    x = functional.pad(x, (0, -w % 8, 0, -h % 8), mode="replicate")
    means = functional.interpolate(functional.avg_pool2d(x, 8), scale_factor=8.0)
    return (0.5 * x + 0.5 * means)[..., :h, :w]


@pytest.mark.parametrize(("colours", "half"), [(3, False), (1, False), (3, True)])
def test_a_graph_is_restored_as_the_whole_picture(
    colours: int, half: bool, tmp_path: Path, noise: localsr.Photo
) -> None:
    path = graph(tmp_path / "toy.onnx", colours=colours, half=half)
    scene = localsr.load(path).encode(noise)
    assert [str(strategy) for strategy in scene.strategies] == ["crop", "halo", "full"]
    everything = scene.restore(Box(0, 0, noise.size.width, noise.size.height), "full").pixels
    for box in (Box(11, 7, 18, 12), Box(0, 0, 9, 9), Box(18, 13, 42, 37)):
        there = box.scaled(2)
        expected = everything[:, there.top : there.bottom, there.left : there.right]
        for strategy in ("halo", "full"):
            apart = np.abs(scene.restore(box, strategy).pixels - expected).max()
            assert apart < (2e-3 if half else 1e-5)
    assert np.abs(scene.restore(Box(11, 7, 18, 12), "crop").pixels - scene.restore(Box(11, 7, 18, 12)).pixels).max() > 0


@pytest.mark.parametrize("sizes", [[16, 16], [24, 32], [64, 64]])
def test_a_graph_of_one_size_is_as_one_of_any(sizes: list[int], tmp_path: Path, noise: localsr.Photo) -> None:
    free = localsr.load(graph(tmp_path / "free.onnx")).encode(noise)
    fixed = localsr.load(graph(tmp_path / "fixed.onnx", sizes=sizes)).encode(noise)
    for box in (Box(0, 0, 60, 50), Box(11, 7, 18, 12), Box(40, 30, 60, 50), Box(0, 41, 9, 50)):
        expected = free.restore(box, "full").pixels
        for strategy in ("halo", "full"):
            assert np.abs(fixed.restore(box, strategy).pixels - expected).max() < 1e-5
    assert fixed.planned([Box(20, 20, 28, 28)]).gflops == pytest.approx(4 * free.planned([Box(20, 20, 28, 28)]).gflops)


def test_a_graph_that_sees_beyond_its_margin_keeps_to_a_grid(tmp_path: Path, noise: localsr.Photo) -> None:
    path = graph(tmp_path / "wide.onnx", radius=6, sizes=[16, 16])  # whose margin is 4 px
    box, _ = load_foreign(path, CPU)
    assert (box.found.grid, box.found.is_global) == (8, False)
    scene = localsr.load(path).encode(noise)
    everything = scene.restore(Box(0, 0, 60, 50), "full").pixels
    part = scene.restore(Box(19, 13, 33, 29), "halo").pixels
    assert np.abs(part - everything[:, 26:58, 38:66]).max() <= 0.5 / 255


def test_16_bits_of_a_black_box(tmp_path: Path, noise: localsr.Photo) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 3, 5, padding=2).eval()
    network = TorchNetwork(box_of(toy(conv), "16"))
    card = Card("toy", ModelConfig(scale=1, stages=1, halo=(3, 0)))
    exact, short = (localsr.Restorer(network, card, None, each).encode(noise) for each in ("fp32", "bf16"))
    one, other = (scene.restore(Box(11, 7, 40, 30)) for scene in (exact, short))
    assert (one.precision, other.precision) == ("fp32", "bf16")
    assert 0 < np.abs(one.pixels - other.pixels).max() < 2 / 255
    assert (one.provenance.precision, short.provenance([other.box]).precision) == ("fp32", "bf16")
    pair = localsr.Restorer(network, card)._networks
    assert measure_gain(pair, "bf16").levels < 2
    graphs, _ = load_foreign(graph(tmp_path / "toy.onnx"), CPU)
    assert graphs.shortened(torch.bfloat16) is None
    graphs = TorchNetwork(graphs)
    assert choose_precision(NetworkPair("toy", graphs, graphs), "") == "fp32"
    with pytest.raises(ConfigError, match="toy runs by foreign, in fp32 alone, not in bf16"):
        shortened_pair(NetworkPair("toy", graphs, graphs), "bf16")


def test_what_is_known_of_toys(tmp_path: Path) -> None:
    box, card = load_foreign(graph(tmp_path / "toy.onnx", radius=4), CPU)
    assert (box.found.grid, box.found.is_global) == (1, False)
    assert 4 <= box.found.halo <= 5  # the radius, and a tenth
    assert (card.config.scale, card.config.backbone) == (2, "ONNX")
    assert box.geometry.exact_halo[0] == 4
    grid = box_of(toy(windowed), "1")
    assert (grid.found.grid, grid.found.is_global, grid.geometry.unit) == (8, False, 8)
    norm = box_of(toy(nn.GroupNorm(1, 3).eval()), "2")
    assert norm.found.is_global
    assert norm.geometry.sees_all
    card = Card("toy", ModelConfig(scale=1, stages=1, halo=(8, 0)))
    again = measure_restorer(localsr.Restorer(TorchNetwork(norm), card), lambda side: noise_and_bars(side, seed=1))
    assert again.is_global


def test_windows_lie_on_the_grid(noise: localsr.Photo) -> None:
    network = box_of(toy(windowed), "1")
    restorer = localsr.Restorer(TorchNetwork(network), Card("toy", ModelConfig(scale=1, stages=1, halo=(8, 0))))
    scene = restorer.encode(noise)
    everything = scene.restore(Box(0, 0, noise.size.width, noise.size.height), "full").pixels
    for box in (Box(11, 7, 18, 12), Box(1, 1, 30, 30), Box(17, 3, 40, 41)):
        for strategy in ("halo", "full"):
            found = scene.restore(box, strategy).pixels
            assert np.abs(found - everything[:, box.top : box.bottom, box.left : box.right]).max() < 1e-5
    together = scene.restore([Box(11, 7, 18, 12), Box(19, 15, 26, 20)])
    assert np.abs(together[1].pixels - scene.restore(Box(19, 15, 26, 20)).pixels).max() < 1e-6


def test_a_network_that_sees_all_runs_whole_or_says_what_it_takes(noise: localsr.Photo) -> None:
    network = box_of(toy(nn.GroupNorm(1, 3).eval()), "2")
    restorer = localsr.Restorer(TorchNetwork(network), Card("toy", ModelConfig(scale=1, stages=1, halo=(8, 0))))
    scene, box = restorer.encode(noise), Box(11, 7, 18, 12)
    with torch.no_grad():
        x = torch.from_numpy(noise.window(Box(0, 0, noise.size.width, noise.size.height)))[None]
        expected = network.network.upscale(x)[0, :, box.top : box.bottom, box.left : box.right].clamp(0, 1)
    assert np.abs(scene.restore(box, "full").pixels - expected.numpy()).max() < 1e-5
    with pytest.raises(ConfigError, match=r"looks at all of a picture, and .* px of it at once take"):
        scene.bounded(1000).restore(box, "full")


def test_a_network_may_change_its_input_and_is_measured_once(tmp_path: Path) -> None:
    calls = []

    def careless(x: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return x.mul_(0.5)

    found = known(toy(careless), "3").found
    assert found.halo == 0
    before = len(calls)
    assert known(toy(careless), "3").found == found
    assert len(calls) == before
    (kept,) = (tmp_path / "cache/localsr/halo").iterdir()
    kept.write_text(kept.read_text()[:-9])
    known(toy(careless), "3")
    assert len(calls) > before


def test_hostile_and_unfit_graphs(tmp_path: Path) -> None:
    path = tmp_path / "toy.onnx"
    for message, made in {
        "takes pictures of 8 x 8 px alone; export it with height and width free, or both from 16": {"sizes": [8, 8]},
        "takes pictures of any x 64 px alone": {"sizes": [64, "w"]},
        "takes float, 1 x 4 x any x any; a network takes and makes floats": {"colours": 4},
    }.items():
        with pytest.raises(CheckpointError, match=message):
            load_foreign(graph(path, **made), CPU)  # type: ignore[arg-type]
    model = onnx.load(graph(path))
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    model.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match="takes weights from other files"):
        load_foreign(path, CPU)
    model = onnx.load(graph(path))
    model.graph.node[0].domain = "com.example"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match="operators that are not ONNX's own"):
        load_foreign(path, CPU)
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError):
        load_foreign(path, CPU)


def test_import_list_restore_remove(tmp_path: Path, noise: localsr.Photo) -> None:
    run = CliRunner().invoke
    told = run(app, ["import", str(graph(tmp_path / "toy.onnx")), "--as", "blur"])
    assert told.exit_code == 0, told.output
    assert "ONNX, x2; it needs 3 px of halo" in told.stdout
    assert repr(localsr.load("blur")) == "<Restorer of blur, x2: crop, halo, full>"
    assert localsr.restore(noise, Box(3, 3, 9, 9), model="blur").pixels.shape == (3, 12, 12)
    with pytest.raises(ConfigError, match="enlarges x2, not x4"):
        localsr.load("blur", scale=4)
    with pytest.raises(ConfigError, match="blur is run as it is, without context; choose crop, halo or full"):
        localsr.load("blur").strategy("clsr")
    measured = json.loads(run(app, ["measure", "blur", "--json"]).stdout)
    assert (measured["halo"], measured["exact_halo"], measured["grid"], measured["global"]) == (3, None, 1, False)
    assert "it needs 3 px of halo\n" in run(app, ["measure", "blur"]).stdout
    (row,) = json.loads(run(app, ["models", "blur", "--json"]).stdout)["models"]
    assert (row["backbone"], row["halo"], row["licence"]) == ("ONNX", 3, "licence unknown: see where you got it")
    assert row["gflops_64"] == pytest.approx(2 * 25 * 3 * 70**2 / 1e9, abs=0.01)
    assert run(app, ["models", "--remove", "blur"]).exit_code == 0
    assert run(app, ["models", "blur"]).exit_code == 2
    refused = run(app, ["import", str(tmp_path / "toy.onnx"), "--as", "clsr-photo-x4"])
    assert (refused.exit_code, "name of a network of the package" in refused.stderr) == (2, True)


@pytest.mark.skipif(find_spec("spandrel") is None, reason="the extra [spandrel] is not installed")
def test_spandrel_s_networks(tmp_path: Path, noise: localsr.Photo) -> None:
    with _torchvision_or_stub():
        from spandrel.architectures.SAFMN import SAFMN
    assert "torchvision" not in sys.modules or sys.modules["torchvision"].__file__
    torch.manual_seed(0)
    model = SAFMN(dim=8, n_blocks=1, ffn_scale=2.0, upscaling_factor=2)
    torch.save({"params": model.state_dict()}, tmp_path / "safmn.pth")
    file = read_foreign(tmp_path / "safmn.pth", CPU)
    assert file.network[1:4] == ("SAFMN", 2, 3)
    told = CliRunner().invoke(app, ["import", str(tmp_path / "safmn.pth")])
    assert "SAFMN, x2; it needs" in told.stdout, told.output
    kept = tmp_path / "data/localsr/networks/safmn.safetensors"
    assert is_foreign(kept)
    scene = localsr.load("safmn").encode(noise)
    whole = scene.restore(Box(0, 0, noise.size.width, noise.size.height), "full").pixels
    part = scene.restore(Box(20, 10, 30, 20), "halo").pixels
    assert np.abs(part - whole[:, 20:40, 40:60]).max() <= 0.5 / 255
    torch.save({"unknown": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="no architecture that localsr or spandrel knows"):
        read_foreign(tmp_path / "other.pth", CPU)
