"""Detectors: the built-in ones on real pictures, ONNX files of each kind, and plug-ins that misbehave."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from matplotlib import cbook, get_data_path
from PIL import Image, ImageDraw, ImageFont

import localsr
from localsr.errors import BoxError, ConfigError
from localsr.geometry import Box
from localsr.regions import Found, RegionRequest
from localsr.regions.detectors import plugins

NO_PICTURE = np.zeros((48, 64, 3), np.uint8)


def hopper() -> str:
    return str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))


def astronaut() -> str:
    skimage = pytest.importorskip("skimage")
    return os.path.join(os.path.dirname(skimage.__file__), "data", "astronaut.png")


@pytest.mark.parametrize(
    ("picture", "eyes", "around"),
    [
        (hopper, Box(205, 185, 320, 205), Box(120, 70, 400, 380)),
        (astronaut, Box(200, 108, 250, 122), Box(150, 40, 300, 200)),
    ],
)
def test_faces(picture: Callable[[], str], eyes: Box, around: Box) -> None:
    pytest.importorskip("cv2")
    (found,) = RegionRequest(detect=("face",)).find(localsr.read(picture()))
    assert found.box.contains(eyes)
    assert around.contains(found.box)
    assert (found.label, found.origin) == ("face", "the detector face")
    assert found.score is not None
    assert 0.75 < found.score < 1


def test_faces_of_a_large_picture_and_of_one_on_its_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shrunk look gives boxes of the picture itself; a camera's rotation is applied first."""
    pytest.importorskip("cv2")
    with Image.open(hopper()) as photo:
        large = photo.resize((2 * photo.width, 2 * photo.height))
        exif = Image.Exif()
        exif[274] = 6
        photo.rotate(90, expand=True).save(tmp_path / "side.jpg", exif=exif, quality=95)
    monkeypatch.setattr("localsr.regions.detectors.haar.MAX_SIDE", 500)
    (found,) = RegionRequest(detect=("face",)).find(localsr.read(large))
    assert found.box.contains(Box(2 * 205, 2 * 185, 2 * 320, 2 * 205))
    assert Box(240, 140, 800, 760).contains(found.box)
    upright = localsr.read(tmp_path / "side.jpg")
    assert upright.size == localsr.Size(512, 600)
    (found,) = RegionRequest(detect=("face",)).find(upright)
    assert found.box.contains(Box(205, 185, 320, 205))


def test_a_plate() -> None:
    """A Russian plate drawn into a photo, as the cascade was taught them."""
    pytest.importorskip("cv2")
    with Image.open(hopper()) as opened:
        photo = opened.convert("RGB")
    draw = ImageDraw.Draw(photo)
    large, small = (ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans-Bold.ttf", size) for size in (26, 18))
    draw.rectangle((60, 500, 240, 540), fill=(245, 245, 245), outline=(20, 20, 20), width=2)
    draw.text((68, 504), "K 392 HE", font=large, fill=(10, 10, 10))
    draw.line((202, 500, 202, 540), fill=(10, 10, 10), width=2)
    draw.text((207, 502), "78", font=small, fill=(10, 10, 10))
    (found,) = RegionRequest(detect=("plate",)).find(localsr.read(photo))
    assert found.box.contains(Box(70, 505, 235, 535))
    assert found.label == "plate"
    assert RegionRequest(detect=("plate",)).find(localsr.read(hopper())) == ()


def test_the_built_in_ones_are_entry_points() -> None:
    assert {"face", "plate"} <= set(plugins.detector_names())
    with pytest.raises(ConfigError, match=r"no detector 'dog'; there are .*face.*plate.*ONNX"):
        plugins.check_detector("dog")


def one(photo: localsr.Photo) -> Iterable[Found]:
    yield Found(Box(-5, -5, 20, 20), score=0.5)
    yield Found(Box(30, 30, 40, 40), "sign", 0.9)
    yield Found(Box(0, 0, 9, 9), "sign", 0.1)


def wrong_kind(photo: localsr.Photo) -> Iterable[object]:
    return [(1, 2, 3, 4)]


def not_finite(photo: localsr.Photo) -> Iterable[Found]:
    return [Found(Box(0, 0, 1, 1), score=float("nan"))]


def outside(photo: localsr.Photo) -> Iterable[Found]:
    return [Found(Box(100, 0, 101, 1), score=1.0)]


def broken(photo: localsr.Photo) -> Iterable[Found]:
    raise KeyError("weights")


constant = 3


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a package had brought detectors."""
    names = ("one", "wrong_kind", "not_finite", "outside", "broken", "constant", "gone")
    entries = {name: EntryPoint(name, f"{__name__}:{name}", plugins.ENTRY_POINTS) for name in names}
    entries["missing"] = EntryPoint("missing", "no_such_package:find", plugins.ENTRY_POINTS)
    monkeypatch.setattr(plugins, "_entry_points", lambda: entries)
    plugins._load.cache_clear()


@pytest.mark.usefixtures("plugged")
def test_a_plug_in() -> None:
    photo = localsr.read(NO_PICTURE)
    found = RegionRequest(detect=("one",)).find(photo)
    assert [(f.box, f.label, f.score) for f in found] == [
        (Box(30, 30, 40, 40), "sign", 0.9),
        (Box(0, 0, 20, 20), "one", 0.5),
    ]
    assert len(RegionRequest(detect=("one",), min_score=0.0).find(photo)) == 3
    assert len(RegionRequest(detect=("one",), min_score=0.6).find(photo)) == 1
    assert [f.box for f in RegionRequest(detect=("one",), min_score=0.0, merge=True).find(photo)] == [
        Box(30, 30, 40, 40),
        Box(0, 0, 20, 20),
    ]


@pytest.mark.usefixtures("plugged")
@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("wrong_kind", BoxError, "the detector wrong_kind gave tuple, which is no Found"),
        ("not_finite", BoxError, "the detector not_finite gave the score nan"),
        ("outside", BoxError, "the detector outside: box .* lies outside the picture, which is 64 x 48"),
        ("broken", ConfigError, "the detector broken failed: KeyError: 'weights'"),
        ("constant", ConfigError, "is no callable"),
        ("missing", ConfigError, "the detector missing cannot be loaded: No module named 'no_such_package'"),
        ("gone", ConfigError, "the detector gone cannot be loaded"),
    ],
)
def test_plug_ins_that_misbehave(name: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        RegionRequest(detect=(name,)).find(localsr.read(NO_PICTURE))


# ONNX: networks that always answer the same, in each of the known ways.


def network(
    path: Path, outputs: dict[str, np.ndarray], shape: list[object], *, kind: str = "FLOAT", **metadata: str
) -> str:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper = onnx.helper
    nodes = [
        helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(value))
        for name, value in outputs.items()
    ]
    given = [helper.make_tensor_value_info("images", getattr(onnx.TensorProto, kind), shape)]
    made = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in outputs.items()
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", given, made), opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return str(path)


BOXES = np.array(
    [[32, 16, 320, 160], [40, 20, 320, 160], [0, 0, 64, 64], [500, 500, 600, 600], [9, 9, 9, 9]], np.float32
)
SCORES = np.array([0.9, 0.8, 0.7, 0.95, 0.99], np.float32)
EXPECTED = [
    Box(64, 32, 640, 320),
    Box(0, 0, 128, 128),
]  # of a photo twice as large as the input; grey and nothing left out


def raw() -> np.ndarray:
    centres = (BOXES[:, :2] + BOXES[:, 2:]) / 2
    table = np.concatenate([centres, BOXES[:, 2:] - BOXES[:, :2], np.zeros((5, 2), np.float32)], 1)
    table[:, 5] = SCORES
    return np.concatenate([table, np.zeros((95, 6), np.float32)]).T[None].copy()


def test_onnx_yolo_as_exported(tmp_path: Path) -> None:
    """Overlapping finds are one; names come from the file."""
    photo = localsr.read(np.zeros((640, 1280, 3), np.uint8))
    name = network(tmp_path / "n.onnx", {"output0": raw()}, [1, 3, "h", "w"], names="{0: 'cat', 1: 'dog'}")
    found = RegionRequest(detect=(name,)).find(photo)
    assert [(f.box, f.label, round(f.score or 0, 3)) for f in found] == [
        (EXPECTED[0], "dog", 0.9),
        (EXPECTED[1], "dog", 0.7),
    ]


def test_onnx_with_its_own_suppression(tmp_path: Path) -> None:
    photo = localsr.read(np.zeros((640, 1280, 3), np.uint8))
    table = np.concatenate([BOXES, SCORES[:, None], np.full((5, 1), 7, np.float32)], 1)[None]
    table[0, 1] = np.nan
    name = network(tmp_path / "n.onnx", {"output0": table}, [1, 640, 640, 3], kind="UINT8")
    assert [(f.box, f.label) for f in RegionRequest(detect=(name,)).find(photo)] == [
        (EXPECTED[0], "7"),
        (EXPECTED[1], "7"),
    ]


def test_onnx_torchvisions(tmp_path: Path) -> None:
    photo = localsr.read(np.zeros((640, 1280, 3), np.uint8))
    keep = [0, 2, 3]
    outputs = {"scores": SCORES[keep], "labels": np.array([1, 2, 3], np.int64), "boxes": BOXES[keep]}
    name = network(tmp_path / "n.onnx", outputs, [1, 3, 640, 640])
    assert [(f.box, f.label) for f in RegionRequest(detect=(name,)).find(photo)] == [
        (EXPECTED[0], "1"),
        (EXPECTED[1], "2"),
    ]


@pytest.mark.parametrize("kind", ["FLOAT16", "FLOAT"])
def test_onnx_of_a_size_that_its_metadata_tell(kind: str, tmp_path: Path) -> None:
    """An input left open has the size of `imgsz`, height first; half precision is fed as such."""
    table = np.zeros((1, 300, 6), np.float32)
    table[0, 0] = (0.25, 0.5, 0.75, 1, 0.9, 0)
    name = network(
        tmp_path / "n.onnx", {"output0": table}, [1, 3, "h", "w"], kind=kind, imgsz="[160, 320]", names="{0: 'cat'}"
    )
    (found,) = RegionRequest(detect=(name,)).find(localsr.read(np.zeros((160, 320, 3), np.uint8)))
    assert (found.box, found.label) == (Box(80, 80, 240, 160), "cat")


def test_onnx_that_asks_for_the_pictures_size(tmp_path: Path) -> None:
    """RT-DETR's own exports multiply shares by a second input: width and height of the picture they are given."""
    onnx = pytest.importorskip("onnx")
    helper, numbers = onnx.helper, onnx.TensorProto
    shares = np.array([[[0.25, 0.5, 0.75, 1]]], np.float32)
    constants = {"shares": shares, "scores": np.full((1, 1), 0.9, np.float32), "labels": np.zeros((1, 1), np.int64)}
    nodes = [
        helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(value))
        for name, value in constants.items()
    ]
    nodes += [
        helper.make_node("Cast", ["orig_target_sizes"], ["size"], to=numbers.FLOAT),
        helper.make_node("Concat", ["size", "size"], ["sides"], axis=1),
        helper.make_node("Mul", ["shares", "sides"], ["boxes"]),
    ]
    given = [
        helper.make_tensor_value_info("images", numbers.FLOAT, [1, 3, 640, 640]),
        helper.make_tensor_value_info("orig_target_sizes", numbers.INT64, [1, 2]),
    ]
    made = [
        helper.make_tensor_value_info("labels", numbers.INT64, [1, 1]),
        helper.make_tensor_value_info("boxes", numbers.FLOAT, [1, 1, 4]),
        helper.make_tensor_value_info("scores", numbers.FLOAT, [1, 1]),
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", given, made), opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, tmp_path / "n.onnx")
    (found,) = RegionRequest(detect=(str(tmp_path / "n.onnx"),)).find(localsr.read(np.zeros((640, 640, 3), np.uint8)))
    assert found.box == Box(160, 320, 480, 640)


def test_onnx_that_is_no_detector(tmp_path: Path) -> None:
    photo = localsr.read(NO_PICTURE)
    name = network(tmp_path / "a.onnx", {"logits": np.zeros((1, 1000), np.float32)}, [1, 3, 64, 64])
    with pytest.raises(
        ConfigError, match=r"a.onnx gives logits \[1, 1000\] and says nothing of itself, which is no known layout"
    ):
        RegionRequest(detect=(name,)).find(photo)
    name = network(tmp_path / "b.onnx", {"logits": np.zeros((1, 6), np.float32)}, [1, 64])
    with pytest.raises(ConfigError, match=r"b.onnx takes images \[1, 64\].*takes one picture"):
        plugins.check_detector(name)
    (tmp_path / "c.onnx").write_bytes(b"no network")
    with pytest.raises(ConfigError, match=r"c.onnx is no network that onnxruntime can run"):
        plugins.check_detector(str(tmp_path / "c.onnx"))
    with pytest.raises(ConfigError, match=r"d.onnx is no file"):
        plugins.check_detector(str(tmp_path / "d.onnx"))
