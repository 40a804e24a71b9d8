"""The graphs of the package: of its checkpoints and of no others, equal to torch, and counted as torch counts."""

import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import localsr
from localsr.errors import CheckpointError, ConfigError
from localsr.geometry import Box, Size
from localsr.inference.strategies import Strategy
from localsr.models import checkpoint
from localsr.models.arrays import read_arrays
from localsr.models.clsr import count_scene, count_work, without_weights
from localsr.models.embedded import EMBEDDED_FOLDER, embedded_networks
from localsr.onnx import architectures
from localsr.onnx.architectures import GRAPHS_FOLDER, find_graphs, open_checkpoint, read_graph_card
from localsr.onnx.devices import GraphSettings, find_graph_device, providers_of
from localsr.onnx.export import MAX_DIFFERENCE, compare
from localsr.onnx.folder import digest
from localsr.onnx.making import architectures as checkpoints_of
from localsr.onnx.making import traced_bare

NETWORKS = sorted(embedded_networks())
SIZE = Size(120, 100)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_the_package_has_graphs_that_say_so(name: str) -> None:
    arrays, card = read_arrays(EMBEDDED_FOLDER / f"{name}.safetensors")
    network, _ = checkpoint.load(EMBEDDED_FOLDER / f"{name}.safetensors")
    assert all(np.array_equal(arrays[key], tensor.float().numpy()) for key, tensor in network.state_dict().items())
    folder = find_graphs(card.sha256)
    assert folder is not None
    about = read_graph_card(folder)
    assert about.checkpoints[name] == card.sha256
    assert about.difference <= MAX_DIFFERENCE
    assert {path.stem: digest(path.read_bytes()) for path in folder.glob("*.onnx")} == about.graphs
    assert about.facts.geometry == network.geometry


@pytest.mark.parametrize("name", sorted(path.name for path in GRAPHS_FOLDER.iterdir()))
def test_work_is_counted_as_torch_counts_it(name: str) -> None:
    path = checkpoints_of()[name][0]
    config = checkpoint.load(path)[0].config
    geometry, work = without_weights(config).geometry, read_graph_card(GRAPHS_FOLDER / name).facts.work
    for box in (Box(0, 0, 24, 24), Box(31, 42, 95, 81), Box(5, 7, 6, 8), Box(0, 0, 119, 99)):
        for strategy in (Strategy.CROP, Strategy.HALO, Strategy.FULL):
            taper = strategy.taper(box, SIZE, geometry)
            near = geometry.near(taper, SIZE)
            counted, told = count_work(config, taper, near, 36), work.roi(geometry, taper, near, 36)
            assert told.flops == counted.flops
            assert told.bytes >= 0.95 * counted.bytes
    assert work.scene(49).flops == count_scene(config, 49).flops


def test_graphs_of_another_checkpoint_are_refused(tmp_path: Path) -> None:
    network, card = checkpoint.load(EMBEDDED_FOLDER / "edsr-light-x4.safetensors")
    folder = find_graphs(card.sha256)
    assert folder is not None
    next(network.parameters()).data.mul_(1.01)
    other = checkpoint.save(tmp_path / "other.safetensors", network, card)
    assert find_graphs(other.sha256) is None
    with pytest.raises(CheckpointError, match="whose weights have sha256"):
        open_checkpoint(tmp_path / "other.safetensors", folder, read_graph_card(folder), GraphSettings())


def test_damaged_graphs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = EMBEDDED_FOLDER / "edsr-light-x4.safetensors"
    folder = find_graphs(read_arrays(path)[1].sha256)
    assert folder is not None
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    graph = copy / "restore.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    monkeypatch.setattr(architectures, "find_graphs", lambda sha256: copy)
    restorer = localsr.load(path, runtime="onnx")
    with pytest.raises(CheckpointError, match="damaged"):
        restorer.encode(np.zeros((40, 40, 3), np.uint8)).restore(Box(0, 0, 9, 9))


@pytest.mark.slow
def test_graphs_made_anew_are_those_of_the_package() -> None:
    network, card = checkpoint.load(EMBEDDED_FOLDER / "clsr-light-x2.safetensors")
    folder = find_graphs(card.sha256)
    assert folder is not None
    assert {name: digest(data) for name, data in traced_bare(network).items()} == read_graph_card(folder).graphs


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_equals_torch_by_every_strategy(name: str) -> None:
    mine = localsr.load(name, runtime="torch", device="cpu", precision="fp32")
    theirs = localsr.load(name, runtime="onnx")
    assert theirs.strategies == mine.strategies
    assert compare(mine, theirs) <= MAX_DIFFERENCE


def test_devices_are_those_that_packages_bring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert find_graph_device("auto") == find_graph_device("cpu") == "cpu"
    with pytest.raises(ConfigError, match="by onnxruntime-directml; install it"):
        find_graph_device("directml")
    with pytest.raises(ConfigError, match="choose auto, cpu, cuda, directml, coreml"):
        find_graph_device("mps")
    present = ["CUDAExecutionProvider", "CoreMLExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: present)
    assert find_graph_device("auto") == "cuda"
    assert find_graph_device("coreml") == "coreml"
    assert providers_of("cuda") == ["CUDAExecutionProvider", "CPUExecutionProvider"]
