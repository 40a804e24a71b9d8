"""Every layout of a detector's outputs: one object whose box is known, among rows of nothing.

The family: YOLO 5, 7, 8 to 11, 10, 26 and RT-DETR; detect, pose, segment, turned boxes and faces; suppression inside or
outside; pixels or shares; scores or logits; metadata of Ultralytics, names alone, or nothing but the shape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from localsr.errors import ConfigError
from localsr.geometry import Size
from localsr.regions.detectors.layouts import ExportRecord, read_outputs

INPUT = Size(640, 640)
CELLS, OBJECT, CENTRE = 8400, 7, (320, 240, 80, 40)
SIDES = [280.0, 220.0, 360.0, 260.0]
NAMES = {count: str({n: f"c{n}" for n in range(count)}) for count in (1, 2, 80)}


def find(
    outputs: np.ndarray | dict[str, np.ndarray], size: Size = INPUT, /, **metadata: str
) -> list[tuple[list[float], int]]:
    """Return left, top, right, bottom and class of what counts, as a user sees it: from a score of a half."""
    arrays = outputs if isinstance(outputs, dict) else {"output0": outputs}
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    found = read_outputs(arrays, ExportRecord.parse(metadata), size).sift()
    sides, sure = found.sides().round(2).tolist(), found.scores >= 0.5
    return [(sides[n], int(found.classes[n])) for n in np.flatnonzero(sure)]


def dense(columns: int, rows: int = CELLS) -> np.ndarray:
    """Return a row a place of the grid, small boxes all over the picture."""
    table = np.zeros((rows, columns))
    table[:, 0], table[:, 1], table[:, 2:4] = np.linspace(5, 635, rows), 300, 8
    return table


def with_object(table: np.ndarray, *columns: float) -> np.ndarray:
    table[OBJECT, : len(columns) + 4] = (*CENTRE, *columns)
    return table


def planar(table: np.ndarray) -> np.ndarray:
    return table.T[None].copy()


def posed(first: int) -> np.ndarray:
    """Return places with 17 key points each, in pixels and with how visible they are."""
    table = dense(first + 1 + 51)
    table[:, first + 1 :: 3], table[:, first + 2 :: 3], table[:, first + 3 :: 3] = table[:, :1], 300, 0.3
    return table


def test_detect() -> None:
    for count, names in NAMES.items():
        table = with_object(dense(4 + count), 0.9)
        assert find(planar(table), task="detect", names=names) == [(SIDES, 0)]
        assert find(planar(table), names=names) == [(SIDES, 0)]
        assert find(planar(table)) == [(SIDES, 0)]
        assert find(table[None], names=names) == [(SIDES, 0)]
    shares = planar(with_object(dense(5), 0.9) / ([640] * 4 + [1]))
    assert find(shares, task="detect", names=NAMES[1]) == [(SIDES, 0)]


def test_logits_are_scores_where_the_file_says_which_they_are() -> None:
    table = with_object(dense(6), -6, 3)
    table[:, 4:] -= 8 * (np.arange(CELLS) != OBJECT)[:, None]
    assert find(planar(table), task="detect", names=NAMES[2]) == [(SIDES, 1)]
    with pytest.raises(ConfigError, match=r"output0 \[1, 6, 8400\] and says nothing of itself, which is no known"):
        find(planar(table))


def test_pose() -> None:
    table = with_object(posed(4), 0.9, *(310, 235, 0.95) * 17)
    assert find(planar(table), task="pose", names=NAMES[1], kpt_shape="[17, 3]") == [(SIDES, 0)]
    assert find(planar(table), task="pose", kpt_shape="[17, 3]") == [(SIDES, 0)]
    assert find(planar(table), names=NAMES[1]) == [(SIDES, 0)]
    assert find(planar(table)) == [(SIDES, 0)]
    assert find(planar(table[:, : 4 + 1 + 15]), task="pose", names="{0: 'face'}", kpt_shape="[5, 3]") == [(SIDES, 0)]
    assert find(planar(table[:, : 4 + 1 + 15])) == [(SIDES, 0)]  # YOLO 8's faces
    inside = np.zeros((1, 300, 57))
    inside[0, 0] = (*SIDES, 0.9, 0, *(300,) * 51)
    assert find(inside, task="pose", names=NAMES[1]) == [(SIDES, 0)]
    assert find(inside[:, :3], task="pose", names=NAMES[1], kpt_shape="[17, 3]", end2end="True") == [(SIDES, 0)]


def test_segments() -> None:
    table = dense(4 + 2 + 32)
    table[:, 6:] = np.random.default_rng(0).normal(0, 1, (CELLS, 32))
    table = planar(with_object(table, 0.1, 0.9))
    masks = np.zeros((1, 32, 160, 160))
    assert find({"output0": table, "output1": masks}, task="segment", names=NAMES[2]) == [(SIDES, 1)]
    assert find({"output0": table, "output1": masks}) == [(SIDES, 1)]
    assert find(table, task="segment") == [(SIDES, 1)]
    inside = np.zeros((1, 300, 38))
    inside[0, 0, :6] = (*SIDES, 0.9, 1)
    options = {"task": "segment", "names": NAMES[2], "args": "{'nms': True}"}
    assert find({"output0": inside, "output1": masks}, **options) == [(SIDES, 1)]


def test_turned_boxes() -> None:
    """The box around a turned one; two that lie side by side, aslant, are two."""
    table = dense(4 + 2 + 1)
    table[:, 6] = 0.7
    turned = planar(with_object(table, 0.9, 0.02, np.pi / 2))
    upright = [300.0, 200.0, 340.0, 280.0]
    assert find(turned, task="obb", names=NAMES[2]) == [(upright, 0)]
    assert find(turned, task="obb") == [(upright, 0)]
    with pytest.raises(ConfigError, match="2 classes, which is no known layout"):
        find(turned, names=NAMES[2])
    with pytest.raises(ConfigError, match="says nothing of itself"):
        find(turned)
    inside = np.zeros((1, 300, 7))
    inside[0, 0] = (*CENTRE, 0.9, 0, np.pi / 2)
    assert find(inside, task="obb", names=NAMES[1]) == [(upright, 0)]
    table[OBJECT] = (300, 300, 100, 10, 0.9, 0, np.pi / 4)
    table[OBJECT + 1] = (310, 290, 100, 10, 0.8, 0, np.pi / 4)  # beside it, 14 px away
    table[OBJECT + 2] = (302, 302, 100, 10, 0.7, 0, np.pi / 4)  # the first once more
    assert len(find(planar(table), task="obb", names=NAMES[2])) == 2


@pytest.mark.parametrize("count", [1, 80])
def test_objectness(count: int) -> None:
    """YOLO 5 and 7: scores count as sure as there is an object; a box at the corner is no pair of corners."""
    table = dense(5 + count, 3 * CELLS)
    table[:, 4], table[:, 5:] = 0.001, 0.9
    table[OBJECT] = (100, 90, 180, 160, 0.95, 0.98, *(0.9,) * (count - 1))
    table[OBJECT + 1] = table[OBJECT]
    table[OBJECT + 1, 0] += 2
    assert find(table[None], names=NAMES[count], stride="32") == [([10.0, 10.0, 190.0, 170.0], 0)]
    assert find(table[None]) == [([10.0, 10.0, 190.0, 170.0], 0)]
    heads = {f"head{n}": np.zeros((1, 3, n, n, 5 + count)) for n in (80, 40, 20)}
    assert len(find({"output": table[None], **heads})) == 1
    masked = np.concatenate([table, np.random.default_rng(0).normal(0, 1, (3 * CELLS, 32))], 1)
    masks = np.zeros((1, 32, 160, 160))
    assert len(find({"output0": masked[None], "output1": masks}, names=NAMES[count])) == 1


@pytest.mark.parametrize(("count", "metadata"), [(80, {}), (80, {"names": NAMES[80]}), (2, {"names": NAMES[2]})])
def test_objectness_of_one_box_a_cell(count: int, metadata: dict[str, str]) -> None:
    """YOLOX counts objects as YOLO 5 does; YOLO 6 fills in a 1, which is no score of a first class."""
    table = dense(5 + count)
    table[:, 4], table[:, 5:] = 0.001, 0.9
    table[OBJECT] = (*CENTRE, 0.95, 0.1, 0.98, *(0.2,) * (count - 2))
    assert find(table[None], **metadata) == [(SIDES, 1)]
    table[:, 4], table[:, 5:] = 1, 0.02
    table[OBJECT] = (*CENTRE, 1, 0.1, 0.98, *(0.2,) * (count - 2))
    assert find(table[None], **metadata) == [(SIDES, 1)]
    if count == 2:
        assert find(table[None]) == [(SIDES, 1)]


def test_faces_with_objectness() -> None:
    """YOLO 5's faces have their score after ten landmarks, YOLO 7's before fifteen numbers."""
    table = dense(16, 3 * CELLS)
    table[:, 4], table[:, 5:15], table[:, 15] = 0.001, 300, 0.9
    table[OBJECT] = (*CENTRE, 0.95, *(310,) * 10, 0.98)
    assert find(table[None]) == [(SIDES, 0)]
    assert find(table[None], names="{0: 'face'}") == [(SIDES, 0)]
    table = np.concatenate([table[:, :5], table[:, 15:], np.full((3 * CELLS, 15), 300.0)], 1)
    assert find(table[None]) == [(SIDES, 0)]


def test_queries() -> None:
    """RT-DETR: shares, by centre, scores a class or, lately, a score and a class; what overlaps stays."""
    for count, names in NAMES.items():
        table = np.zeros((1, 300, 4 + count))
        table[0, :, :4] = (0.5, 0.9, 0.01, 0.01)
        table[0, OBJECT, :5] = (0.5, 0.375, 0.125, 0.0625, 0.95)
        assert find(table, task="detect", names=names) == [(SIDES, 0)]
        if count != 2:  # six columns may be anything
            assert find(table) == [(SIDES, 0)]
    table[0, OBJECT + 1] = table[0, OBJECT]
    assert len(find(table)) == 2
    table = np.zeros((1, 300, 6))
    table[0, 0] = (0.25, 0.25, 0.5, 0.5, 0.9, 0)  # corners too
    assert find(table, task="detect", head="RTDETRDecoder", names=NAMES[1]) == [([0.0, 0.0, 320.0, 320.0], 0)]
    table[0, 1:, :6] = (0.3, 0.4, 0.02, 0.02, 0.2, 0.11)
    assert find(table, description="Ultralytics rtdetr-l model", names=NAMES[2]) == [([0.0, 0.0, 320.0, 320.0], 0)]


def test_suppressed_inside() -> None:
    table = np.zeros((1, 300, 6))
    table[0, 0] = (*SIDES, 0.9, 1)
    for metadata in ({}, {"names": NAMES[1]}, {"names": NAMES[2], "task": "detect"}, {"end2end": "True"}):
        assert find(table, **metadata) == [(SIDES, 1)]
        assert find(table[:, :4], **metadata) == [(SIDES, 1)]
        assert find(table[:, 1:], **metadata) == []
        assert find(table[:, :0], **metadata) == []
    assert find(table / ([640] * 4 + [1, 1]), names=NAMES[2]) == [(SIDES, 1)]
    for last in ((2, 0.9), (0.9, 2)):  # YOLO 7, YOLO-NAS
        assert find(np.array([[0, *SIDES, *last]])) == [(SIDES, 2)]


def test_boxes_scores_and_labels_apart() -> None:
    """By their names, as torchvision and TensorRT give them; rows beyond `num` are what was there before."""
    outputs = {
        "num_dets": np.array([[1]]),
        "det_boxes": np.array([[SIDES, SIDES]]),
        "det_scores": np.array([[0.9, 0.8]]),
        "det_classes": np.array([[3, 3]]),
    }
    assert find(outputs) == [(SIDES, 3)]
    left, top, right, bottom = (side / 640 for side in SIDES)
    tensorflow = {
        "detection_boxes:0": np.array([[[top, left, bottom, right]]]),
        "detection_scores:0": np.array([[0.9]]),
        "detection_classes:0": np.array([[3]]),
        "num_detections:0": np.array([1]),
    }
    assert find(tensorflow) == [(SIDES, 3)]  # rows before columns


def test_small_input() -> None:
    """As many columns as rows: 64 px have 84 places, 80 classes 84 columns."""
    table = with_object(dense(84, 84), 0.9)
    table[OBJECT, :4] = (32, 24, 8, 4)
    assert find(planar(table), Size(64, 64), task="detect") == [([28.0, 22.0, 36.0, 26.0], 0)]
    table = dense(6, 3 * 84)
    table[OBJECT] = (32, 24, 8, 4, 0.9, 0.9)
    assert find(table[None], Size(64, 64), names=NAMES[1]) == [([28.0, 22.0, 36.0, 26.0], 0)]


@pytest.mark.parametrize(
    ("outputs", "metadata", "words"),
    [
        (
            lambda: np.zeros((1, 1000)),
            {"task": "classify"},
            "a network for the task classify; detectors are for detect",
        ),
        (lambda: np.zeros((1, 1000)), {}, r"gives output0 \[1, 1000\] and says nothing of itself"),
        (lambda: planar(dense(9)), {"task": "detect", "names": NAMES[80]}, "says the task detect and 80 classes"),
        (lambda: -dense(85, 3 * CELLS)[None], {}, "no known layout"),  # sizes as logarithms
        (lambda: np.zeros((1, 80, 80, 80)), {}, "no known layout"),
        (lambda: planar(dense(5) + 1e9), {}, "no known layout"),
    ],
)
def test_refused(outputs: Callable[[], np.ndarray], metadata: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        find(outputs(), **metadata)


@pytest.mark.parametrize("garbage", ["", "{", "[" * 9000, "{'a': 1}", "9" * 90, "[0, -1]", "None", "['a', 2]"])
def test_metadata_of_strangers(garbage: str) -> None:
    """What is malformed counts as not said."""
    record = ExportRecord.parse(dict.fromkeys(("names", "kpt_shape", "imgsz", "args", "end2end", "head"), garbage))
    assert (record.size, record.points, record.suppressed, record.queries) == (None, 0, None, False)
    assert set(record.names.values()) <= {"0", "-1", "a", "2"}
