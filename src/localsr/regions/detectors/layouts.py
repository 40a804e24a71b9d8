"""What the outputs of a detector mean: told by the file's own metadata, then by their shapes, or refused.

Ultralytics writes `task`, `names`, `kpt_shape`, `head`, `end2end` and `args` into its exports, YOLO 5 the names alone.
Of one table, with n rows and the boxes in pixels of the input or in shares of it:

    (1, 4 + classes + more, n)      x centre, y centre, width, height, scores: YOLO 8 and later; more are key points,
                                    coefficients of a mask, or the angle of a turned box (OBB)
    (1, n, 4 + classes)             the same the other way round; RT-DETR, whose n are queries
    (1, n, 5 + classes + more)      as the first, with objectness before the scores: YOLO 5 and 7, several boxes a cell;
                                    YOLO 6 and YOLOX, one a cell
    (1, n, 16)                      YOLO 5's faces: four sides, objectness, ten of landmarks, a score
    (1, n, 6 + more)                left, top, right, bottom, score, class: with suppression inside, YOLO 10
    (1, n, 7)                       x centre, y centre, width, height, score, class, angle: OBB with suppression inside
    (n, 7)                          picture, left, top, right, bottom, and class and score in either order

Of several outputs, boxes, scores and labels (or classes) are known by these names. TensorFlow's `detection_boxes` have
top, left, bottom, right.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from localsr.errors import ConfigError
from localsr.geometry import Size
from localsr.regions.detectors.detections import Detections

TASKS = ("", "detect", "pose", "segment", "obb")
STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32), (8, 16))  # px between the cells of a grid
CELL_BOXES = 3  # of YOLO 5 and 7, where objectness comes with them; all others have one
COCO_CLASSES = 80  # of networks that say nothing of theirs
MAX_QUERIES = 1000  # rows of a table that no grid made
MASK_COEFFICIENTS = 32
MIN_DENSE = 100  # rows of a table that a grid made
POINTS_ALONE = {4: (20, 56), 5: (21, 57)}  # columns of one class and 5 or 17 key points, its score in column 4 or 5
TENSORFLOW_BOXES = "detection_boxes"
FACE_COLUMNS = 16  # of YOLO 5's faces
MAX_SHARE = 1.5  # what a share, of a box that leaves the picture, stays below; a box in px is larger


@dataclass(frozen=True)
class ExportRecord:
    """What an ONNX file says of itself.

    Args:
        task: What the network is for, "" where the file does not say.
        names: The classes' names by their numbers.
        points: Numbers of the key points of one region.
        size: Of the input it was exported for.
        queries: The boxes come from a decoder's queries, as RT-DETR's.
        suppressed: Whether suppression is inside; None where the file does not say.
    """

    task: str = ""
    names: Mapping[int, str] = field(default_factory=dict)
    points: int = 0
    size: Size | None = None
    queries: bool = False
    suppressed: bool | None = None

    @classmethod
    def parse(cls, metadata: Mapping[str, str]) -> Self:
        """Read a file's metadata; what is malformed counts as not said."""
        names, shape, size, options, inside = (
            _literal(metadata.get(key, "")) for key in ("names", "kpt_shape", "imgsz", "args", "end2end")
        )
        names = dict(enumerate(names)) if isinstance(names, list) else names if isinstance(names, dict) else {}
        sides = [size, size] if isinstance(size, int) else size
        inside = inside or (options.get("nms") if isinstance(options, dict) else None) or inside
        return cls(
            metadata.get("task", ""),
            {int(number): str(name) for number, name in names.items() if str(number).isdecimal()},
            prod(shape) if _are_positive(shape) else 0,
            Size(sides[1], sides[0]) if _are_positive(sides) and len(sides) == 2 else None,
            "rtdetr" in f"{metadata.get('head')} {metadata.get('description')}".lower(),
            inside if isinstance(inside, bool) else None,
        )


def read_outputs(outputs: Mapping[str, NDArray[Any]], record: ExportRecord, size: Size) -> Detections:
    """Read what a network found.

    Args:
        outputs: Arrays by their names, of one picture.
        record: What the file says of itself.
        size: The input's size.

    Returns:
        All boxes in px of the input, with scores from 0 to 1; not yet sifted.

    Raises:
        ConfigError: The outputs are none of the known ones, or fit two of them.
    """
    if record.task not in TASKS:
        raise ConfigError(f"is a network for the task {record.task}; detectors are for {', '.join(TASKS[1:])}")
    found = _read_named(outputs)
    tables = [a for a in outputs.values() if (a.ndim == 3 and a.shape[0] == 1) or a.ndim == 2]
    if found is None and len(tables) == 1:
        masks = [a.shape[1] for a in outputs.values() if a.ndim == 4]
        found = _TableReader(record, size, masks[0] if masks else 0).read(tables[0])
    if found is None:
        given = ", ".join(f"{name} {list(a.shape)}" for name, a in outputs.items())
        said = [f"the task {record.task}"] * bool(record.task) + [f"{len(record.names)} classes"] * bool(record.names)
        raise ConfigError(
            f"gives {given} and says {' and '.join(said) or 'nothing of itself'}, which is no known layout; export it "
            "with its metadata (task, names), or with outputs that are called boxes, scores and labels"
        )
    sides = found.boxes[np.isfinite(found.boxes).all(1)]
    if sides.size and np.abs(sides).max() <= MAX_SHARE:
        found.boxes[:] *= (size.width, size.height, size.width, size.height)
    return found


def _read_named(outputs: Mapping[str, NDArray[Any]]) -> Detections | None:
    """Read boxes, scores and labels that are outputs of their own."""
    words = (("box", "box"), ("score", "score"), ("label", "label"), ("class", "label"))
    named = {meaning: a for name, a in outputs.items() for word, meaning in words if word in name.lower()}
    if len(named) < 3:
        return None
    boxes, scores, labels = named["box"], named["score"], named["label"]
    if boxes.shape[-1:] != (4,) or not boxes.size == 4 * scores.size == 4 * labels.size:
        return None
    counts = [int(a.reshape(-1)[0]) for name, a in outputs.items() if name.startswith("num") and a.size == 1]
    if any(TENSORFLOW_BOXES in name for name in outputs):
        boxes = boxes[..., [1, 0, 3, 2]]
    rows = slice(counts[0] if counts else None)  # beyond which there is nothing, or what was there before
    return Detections.corners(boxes.reshape(-1, 4)[rows], scores.reshape(-1)[rows], labels.reshape(-1)[rows])


class _TableReader:
    """Reads one table by what the file says of it, and its shape."""

    def __init__(self, record: ExportRecord, size: Size, masks: int) -> None:
        self._record = record
        self._classes = len(record.names)
        self._masks = masks or (MASK_COEFFICIENTS if record.task == "segment" else 0)
        self._cells = [sum(-(-size.width // s) * -(-size.height // s) for s in strides) for strides in STRIDES]

    def read(self, table: NDArray[Any]) -> Detections | None:
        """Return what a table holds, None where it fits no layout."""
        if table.ndim == 2:
            return _read_suppressed(table) if table.shape[1] == 6 else _read_batched(table)
        if not table.size:
            return _read_suppressed(np.zeros((0, 6)))
        rows = table[0].astype(np.float64)
        if self._is_planar(*rows.shape):
            return self._read_dense(_finite(rows.T), objectness=False)
        n, width = rows.shape
        per_cell = next((k for k in (1, CELL_BOXES) if self._is_grid(n, k)), 0)
        if self._record.suppressed or (n <= MAX_QUERIES and not per_cell):
            found = self._read_few(_finite(rows))
            if found is not None or self._record.suppressed:
                return found
        rows = _finite(rows)
        objectness = per_cell == CELL_BOXES or width == 5 + (self._classes or COCO_CLASSES) or _are_certain(rows[:, 4])
        return self._read_dense(rows, objectness)

    def _is_grid(self, n: int, *per_cell: int) -> bool:
        """Tell whether a network that looks at the cells of a grid gives n boxes."""
        return n in [k * cells for k in per_cell or (1, CELL_BOXES) for cells in self._cells]

    def _is_planar(self, first: int, second: int) -> bool:
        """Tell whether the regions lie side by side, each a column, as YOLO 8 has them."""
        if self._record.suppressed or self._is_grid(first) or self._is_grid(second):
            return not self._record.suppressed and self._is_grid(second)
        return first < second >= MIN_DENSE and not self._is_query(second)

    def _is_query(self, width: int) -> bool:
        """Tell whether so many columns are four sides and a score for each class."""
        return self._classes > 0 and width == 4 + self._classes

    def _read_few(self, table: NDArray[np.float64]) -> Detections | None:
        """Read rows that are regions already: suppressed ones, or queries."""
        width, task = table.shape[1], self._record.task
        if task == "obb":
            return Detections.centres(table[:, :4], table[:, 4], table[:, 5], table[:, 6]) if width == 7 else None
        if task in ("pose", "segment") and width >= 6:
            return _read_suppressed(table)
        if width == 6 and not self._record.queries and (self._record.suppressed or _are_corners(table)):
            return _read_suppressed(table)
        if width == 6 and not (self._classes == 2 and np.any(table[:, 5] % 1)):
            return Detections.centres(table[:, :4], table[:, 4], table[:, 5])
        if self._is_query(width) or not self._classes:
            return self._scored(table, table[:, 4:], suppressed=True)
        return None

    def _read_dense(self, table: NDArray[np.float64], objectness: bool) -> Detections | None:
        """Read a row for each place of the picture's grid: centre, size, perhaps objectness, scores and more."""
        first = 5 if objectness else 4
        rest = table.shape[1] - first
        if rest < 1 or (table[:, 2:4] < 0).any():  # these are not decoded: sizes as logarithms
            return None
        if self._record.task == "obb":
            turned = self._classes in (0, rest - 1)
            return self._scored(table, table[:, first:-1], angles=table[:, -1]) if turned else None
        scores = self._find_scores(table, first)
        return scores and self._scored(table, table[:, scores], weights=table[:, 4] if objectness else None)

    def _find_scores(self, table: NDArray[np.float64], first: int) -> slice | None:
        """Return the columns of the scores, which begin at `first`; None where that cannot be known."""
        width, task = table.shape[1], self._record.task
        if (width, first) == (FACE_COLUMNS, 5) and self._classes < 2 and _exceed_shares(table[:, 5:15]):
            return slice(15, 16)
        if self._classes:
            more = width - first - self._classes  # a single one without a task may be an angle
            known = more in (0, self._masks) or (more > 0 and task in ("pose", "segment")) or (more > 1 and not task)
            return slice(first, first + self._classes) if known else None
        if width in POINTS_ALONE[first] and _exceed_shares(table[:, first + 1 :]):
            return slice(first, first + 1)
        more = self._record.points if task == "pose" else self._masks
        return slice(first, width - more) if width - more > first and (more or task != "pose") else None

    def _scored(
        self,
        table: NDArray[np.float64],
        scores: NDArray[np.float64],
        *,
        weights: NDArray[np.float64] | None = None,
        angles: NDArray[np.float64] | None = None,
        suppressed: bool = False,
    ) -> Detections | None:
        """Return each row's surest class; None for scores that are none."""
        if weights is None:
            weights = np.ones(len(table))
        certain = self._classes == scores.shape[1] or self._record.task != ""
        if not (_are_shares(scores) and _are_shares(weights)):
            if not certain:
                return None
            scores = 1 / (1 + np.exp(-scores))  # exported without the last step
            weights = weights if _are_shares(weights) else 1 / (1 + np.exp(-weights))
        surest = scores.max(1) * weights
        if not certain and np.count_nonzero(surest > 0.5) > len(table) / 2:
            return None  # what is sure nearly everywhere is no score
        return Detections.centres(table[:, :4], surest, scores.argmax(1), angles, suppressed=suppressed)


def _read_suppressed(table: NDArray[Any]) -> Detections:
    """Read left, top, right, bottom, score, class."""
    return Detections.corners(table[:, :4], table[:, 4], table[:, 5])


def _read_batched(table: NDArray[Any]) -> Detections | None:
    """Read the picture's number, left, top, right, bottom, and class and score, of which only one is whole."""
    if table.shape[1] != 7:
        return None
    score, label = (5, 6) if not np.any(table[:, 6] % 1) else (6, 5)
    return Detections.corners(table[:, 1:5], table[:, score], table[:, label])


def _are_corners(table: NDArray[np.float64]) -> bool:
    """Tell whether in most rows that are not empty the right side follows the left one and the bottom the top."""
    sides = table[np.isfinite(table[:, :4]).all(1) & table[:, :4].any(1), :4]
    ordered = (sides[:, 2] >= sides[:, 0]) & (sides[:, 3] >= sides[:, 1])
    return not ordered.size or bool(ordered.mean() > 0.5)


def _finite(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows that are made of numbers."""
    return table[np.isfinite(table).all(1)]


def _are_certain(scores: NDArray[np.float64]) -> bool:
    """Tell whether all are 1, as the objectness that YOLO 6 fills in."""
    return scores.size > 0 and bool(np.min(scores) >= 0.999)


def _exceed_shares(points: NDArray[np.float64]) -> bool:
    """Tell whether numbers are pixels and not scores."""
    return bool(np.max(points, initial=0) > MAX_SHARE)


def _are_shares(scores: NDArray[np.float64]) -> bool:
    """Tell whether numbers are scores from 0 to 1, but for rounding."""
    return bool(np.min(scores, initial=0) >= -0.01 and np.max(scores, initial=0) <= 1.01)


def _are_positive(numbers: object) -> bool:
    """Tell whether something is a list of whole numbers above 0."""
    return isinstance(numbers, list | tuple) and all(type(n) is int and 0 < n < 2**16 for n in numbers)


def _literal(text: str) -> Any:  # noqa: ANN401  # whatever a stranger wrote there
    """Read a literal as Python prints it; None where there is something else."""
    try:
        return ast.literal_eval(text[:100_000])
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
