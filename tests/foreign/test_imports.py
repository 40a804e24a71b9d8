"""`localsr import` with what people own: names, files that are none, and graphs that are no networks for pictures."""

import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from batches import write_picture
from networks import awake, tiny
from onnx import TensorProto, helper, numpy_helper
from toy_graphs import graph, odd_graph
from typer.testing import CliRunner

import localsr
from localsr.cli import app
from localsr.models import checkpoint
from localsr.models.checkpoint import Card
from localsr.models.embedded import imported_networks


@pytest.fixture(autouse=True)
def _user_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def run(*words: object) -> str:
    told = CliRunner().invoke(app, [str(word) for word in words])
    assert told.exit_code == 0, told.output
    return told.stdout


def refused(*words: object) -> str:
    told = CliRunner().invoke(app, [str(word) for word in words])
    assert told.exit_code == 2, told.output
    return told.stderr


def compact(**changes: object) -> dict[str, torch.Tensor]:
    """The tensors of a small SRVGGNetCompact of x2, as its authors name them."""
    torch.manual_seed(0)
    shapes = {"body.0": (8, 3, 3, 3), "body.1": (8,), "body.2": (8, 8, 3, 3), "body.3": (8,), "body.4": (12, 8, 3, 3)}
    table = {f"{name}.weight": 0.1 * torch.randn(shape) for name, shape in shapes.items()}
    table |= {f"{name}.bias": torch.zeros(shape[0]) for name, shape in shapes.items() if len(shape) > 1}
    return table | changes  # type: ignore[operator]


def test_a_name_is_made_of_any_file_s() -> None:
    torch.save(compact(), "4x Net (v2).PTH")
    assert "/4x-Net-v2.safetensors: Compact, x2" in run("import", "4x Net (v2).PTH")
    graph(Path("\u4e94 .onnx"))
    assert "no name can be made of" in refused("import", "\u4e94 .onnx")
    graph(Path("BLUR.ONNX"))
    assert "/BLUR.onnx: ONNX, x2" in run("import", "BLUR.ONNX")
    assert "is a folder; name a file in it" in refused("import", ".")


def test_no_name_is_taken_twice() -> None:
    torch.save(compact(), "net.pth")
    graph(Path("net.onnx"))
    run("import", "net.pth")
    for again in ("net.pth", "net.onnx"):
        assert "net is the name of a network that was imported before; choose another" in refused("import", again)
    run("models", "--remove", "net")
    run("import", "net.onnx")
    run("import", "net.pth", "--as", "other", "--context")
    assert sorted(imported_networks()) == ["net", "other", "other-clsr"]
    run("models", "--remove", "other")
    assert "other-clsr is the name" in refused("import", "net.pth", "--as", "other", "--context")


def test_a_loaded_network_survives_its_removal(tmp_path: Path) -> None:
    run("import", graph(tmp_path / "net.onnx"))
    restorer, picture = localsr.load("net"), write_picture(tmp_path / "a.png")
    run("models", "--remove", "net")
    assert restorer.encode(localsr.read(picture)).restore(localsr.Box(1, 1, 9, 9)).size == localsr.Size(16, 16)
    assert "no network 'net'" in refused("restore", picture, "--box", "1,1,8,8", "--model", "net", "-o", "b.png")


def test_a_graph_is_imported_as_it_is() -> None:
    graph(Path("net.onnx"))
    for option in (["--scale", 2], ["--context"]):
        assert "is run as it is, at its own scale" in refused("import", "net.onnx", *option)
    assert "must end in .onnx" in refused("import", "net.onnx", "-o", "net.safetensors")
    assert "is the file to import" in refused("import", "net.onnx", "-o", "net.onnx")
    run("import", "net.onnx")
    assert f"{3 * 25 + 4} parameters" in run("models", "net")


def test_graphs_that_make_no_pictures() -> None:
    node = helper.make_node
    times = node("Mul", ["x", "k"], ["z"])
    same = node("Identity", ["x"], ["z"])
    noise = [node("RandomNormalLike", ["x"], ["n"]), node("Add", ["x", "n"], ["z"])]
    for words, made in {
        "takes uint8, 1 x 3 x any x any": ([node("Cast", ["x"], ["z"], to=1)], {"taken": ((1, 3, "h", "w"), 2)}),
        "takes float, 1 x any x any x 3": (
            [node("Transpose", ["x"], ["z"], perm=[0, 3, 1, 2])],
            {"taken": ((1, "h", "w", 3), 1)},
        ),
        "makes uint8, 1 x 3 x any x any": ([same], {"made": TensorProto.UINT8}),
        "makes no finite numbers": ([times], {"k": np.nan}),
        "makes colours up to 2": ([times], {"k": 255}),
        "makes another picture each time": (noise, {}),
    }.items():
        odd_graph(Path("odd.onnx"), *made[0], **made[1])  # type: ignore[arg-type]
        assert words in refused("import", "odd.onnx")
        assert not imported_networks()  # nor is anything kept
    free = odd_graph(Path("free.onnx"), same, taken=(("n", "c", "h", "w"), 1))
    assert "ONNX, x2; it needs 0 px" in run("import", free)


def test_graphs_that_would_take_all_memory_or_time() -> None:
    node, of = helper.make_node, numpy_helper.from_array
    sides = node("Constant", [], ["S"], value=of(np.array([1, 3, 40_000, 40_000])))
    larger = node("Constant", [], ["k"], value=of(np.array([1, 1, 600, 600])))
    add = [node("ReduceMax", ["B"], ["m"], keepdims=0), node("Add", ["x", "m"], ["z"])]
    fill = node("ConstantOfShape", ["S"], ["B"])
    chain = [node("Neg", [f"c{k}" if k else "x"], [f"c{k + 1}"]) for k in range(20_001)]
    for words, nodes in {
        "MB for each pixel; at most": [sides, fill, *add],
        "12.96 MB": [node("Shape", ["x"], ["s"]), larger, node("Mul", ["s", "k"], ["S"]), fill, *add],
        "20004 operators; a network has at most 20000": [*chain, node("Identity", ["c20001"], ["z"])],
    }.items():
        assert words in refused("import", odd_graph(Path("odd.onnx"), *nodes))


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    for text in ("<!DOCTYPE html>\n<html>", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"):
        Path("text.pth").write_text(text)
        assert "it is a text, such as a page or a pointer to a file" in refused("import", "text.pth")
    with zipfile.ZipFile("program.pth", "w") as archive:  # as torch.jit.save names its parts
        archive.writestr("program/code/__torch__.py", "import os")
    assert "is TorchScript, a program, which is never run" in refused("import", "program.pth")
    network = awake(tiny("compact", scale=2, context=False))
    checkpoint.save(tmp_path / "own.safetensors", network, Card("own", network.config))
    assert "is a checkpoint of localsr, which every command takes" in refused("import", "own.safetensors", "--as", "x")


@pytest.mark.skipif(find_spec("spandrel") is None, reason="the extra [spandrel] is not installed")
def test_what_spandrel_would_take() -> None:
    torch.save(compact(**{"body.2.weight": torch.full((8, 8, 3, 3), float("nan"))}), "nan.pth")
    assert "stages.0.0.conv.weight is not finite" in refused("import", "nan.pth")
    torch.save({name: tensor.to(torch.int8) for name, tensor in compact().items()}, "whole.pth")
    assert "holds torch.int8" in refused("import", "whole.pth")
    torch.save({"a": torch.zeros(3)}, "unknown.pth")
    assert "is of no architecture that localsr or spandrel knows" in refused("import", "unknown.pth")
    assert not imported_networks()
