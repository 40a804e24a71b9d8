"""Any detector in ONNX whose outputs are known by their shapes.

Input: one picture, `(1, 3, h, w)` or `(1, h, w, 3)`, RGB, float in [0, 1] or uint8; a size left open is 640. The photo
is shrunk to fit, never enlarged, and lies in the left upper corner on grey. Outputs, in pixels of the input:

    (1, n, 6)                             left, top, right, bottom, score, class: YOLO with its own suppression
    (1, 4 + classes, n)                   x centre, y centre, width, height, scores: YOLO 8 and later, as exported
    boxes (n, 4), scores (n), labels (n)  left, top, right, bottom: torchvision's, by these names; (1, n, ...) too

Classes have the names that Ultralytics writes beside the network, or their numbers.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from localsr.errors import BoxError, ConfigError
from localsr.extras import optional
from localsr.geometry import Box
from localsr.images import Photo
from localsr.regions.region import Found

MAX_FILE_BYTES = 2**31  # which is what ONNX allows
DEFAULT_SIDE = 640  # px, where the network leaves it open
MAX_SIDE = 4096  # px of an input
GREY = 114  # what YOLO is trained to see beside a picture
MIN_SCORE = 0.05  # from which something is looked at
MAX_CANDIDATES = 3000  # the surest ones, which are compared with each other
MAX_OVERLAP = 0.5  # intersection over union; of two boxes that have more, the less sure one is dropped


class Detections(NamedTuple):
    """What a network found."""

    boxes: NDArray[np.float64]  # (n, 4): left, top, right, bottom in px of the input
    scores: NDArray[np.float64]  # (n,)
    classes: NDArray[np.int64]  # (n,)


class OnnxDetector:
    """A detector in an ONNX file."""

    def __init__(self, path: Path) -> None:
        """Open a file on the CPU; `ConfigError` for what is no detector of a known kind."""
        if not path.is_file():
            raise ConfigError(f"{path} is no file; name a detector in ONNX")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"{path} has more than {MAX_FILE_BYTES} bytes, which ONNX does not allow")
        onnxruntime = optional("onnxruntime", "onnx", str(path))
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no family of their own
            raise ConfigError(f"{path} is no network that onnxruntime can run: {str(error)[:200]}") from error
        self._path = path
        self._input, self._planar, self._height, self._width = self._check_input()
        self._names = _names(self._session.get_modelmeta().custom_metadata_map)

    def _check_input(self) -> tuple[Any, bool, int, int]:
        """Return the input, whether its bands come first, and its height and width."""
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if len(inputs) == 1 else []
        kind = inputs[0].type if len(inputs) == 1 else ""
        if len(shape) == 4 and 3 in (shape[1], shape[3]) and kind in ("tensor(float)", "tensor(uint8)"):
            planar = shape[1] == 3
            sides = [side if isinstance(side, int) else DEFAULT_SIDE for side in (shape[2:] if planar else shape[1:3])]
            if all(0 < side <= MAX_SIDE for side in sides) and shape[0] in (
                1,
                *[s for s in shape if not isinstance(s, int)],
            ):
                return inputs[0], planar, sides[0], sides[1]
        given = ", ".join(f"{i.name} {i.shape} {i.type}" for i in inputs)
        raise ConfigError(f"{self._path} takes {given}; a detector takes one picture, (1, 3, h, w) of float or uint8")

    def __call__(self, photo: Photo) -> Iterator[Found]:
        """Find regions of a photo."""
        scale = min(self._width / photo.size.width, self._height / photo.size.height, 1)
        pixels = photo.preview(max(1, int(max(photo.size.width, photo.size.height) * scale)))[
            : self._height, : self._width
        ]
        canvas = np.full((self._height, self._width, 3), GREY, np.uint8)
        canvas[: pixels.shape[0], : pixels.shape[1]] = pixels
        batch: NDArray[Any] = canvas.transpose(2, 0, 1)[None] if self._planar else canvas[None]
        if self._input.type == "tensor(float)":
            batch = batch.astype(np.float32) / np.float32(255)
        outputs = self._session.run(None, {self._input.name: np.ascontiguousarray(batch)})
        named = {o.name: np.asarray(a) for o, a in zip(self._session.get_outputs(), outputs, strict=True)}
        detections = self._interpret(named)
        across, down = photo.size.width / pixels.shape[1], photo.size.height / pixels.shape[0]
        for (left, top, right, bottom), score, kind in zip(*detections, strict=True):
            try:
                box = Box.outward(left * across, top * down, right * across, bottom * down).clipped(photo.size)
            except BoxError:  # of no area, or in the grey beside the picture
                continue
            yield Found(box, self._names.get(int(kind), str(int(kind))), float(score))

    def _interpret(self, outputs: Mapping[str, NDArray[Any]]) -> Detections:
        """Read the outputs by their shapes; keep what is sure and finite."""
        arrays = list(outputs.values())
        first = arrays[0]
        if len(arrays) == 1 and first.ndim == 3 and first.shape[0] == 1:
            if first.shape[2] == 6:
                table = first[0].astype(np.float64)
                return _select_sure(Detections(table[:, :4], table[:, 4], _whole_numbers(table[:, 5])))
            if 5 <= first.shape[1] < first.shape[2]:
                table = first[0].T.astype(np.float64)
                half = table[:, 2:4] / 2
                boxes = np.concatenate([table[:, :2] - half, table[:, :2] + half], 1)
                return _suppress(_select_sure(Detections(boxes, table[:, 4:].max(1), table[:, 4:].argmax(1))))
        found = {word: a for name, a in outputs.items() for word in ("box", "score", "label") if word in name.lower()}
        if len(found) == 3:
            boxes, scores, classes = found["box"], found["score"], found["label"]
            if boxes.shape[-1:] == (4,) and boxes.size == 4 * scores.size == 4 * classes.size:
                flat = boxes.reshape(-1, 4).astype(np.float64), scores.reshape(-1).astype(np.float64)
                return _select_sure(Detections(*flat, _whole_numbers(classes.reshape(-1))))
        given = ", ".join(f"{name} {list(a.shape)}" for name, a in outputs.items())
        raise ConfigError(
            f"{self._path} gives {given}; known are (1, n, 6), (1, 4 + classes, n), and boxes, scores, labels"
        )


def _select_sure(found: Detections) -> Detections:
    """Keep what is sure enough, the surest first."""
    sure = (found.scores >= MIN_SCORE) & (found.scores <= 1) & np.isfinite(found.boxes).all(1)
    order = np.flatnonzero(sure)[np.argsort(-found.scores[sure], kind="stable")][:MAX_CANDIDATES]
    return Detections(found.boxes[order], found.scores[order], found.classes[order])


def _suppress(found: Detections) -> Detections:
    """Drop what shows the same as something surer: non-maximum suppression within each class."""
    left, top, right, bottom = found.boxes.T
    area = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    alive, kept = np.ones(len(area), bool), []
    for n in range(len(area)):
        if alive[n]:
            kept.append(n)
            across = np.minimum(right, right[n]) - np.maximum(left, left[n])
            down = np.minimum(bottom, bottom[n]) - np.maximum(top, top[n])
            common = np.maximum(across, 0) * np.maximum(down, 0)
            alive &= (common < MAX_OVERLAP * (area + area[n] - common)) | (found.classes != found.classes[n])
    return Detections(found.boxes[kept], found.scores[kept], found.classes[kept])


def _whole_numbers(classes: NDArray[Any]) -> NDArray[np.int64]:
    """Return classes as whole numbers, -1 for what is none."""
    numbers = classes.astype(np.float64)
    good: NDArray[np.int64] = np.where(np.isfinite(numbers) & (np.abs(numbers) < 2**31), numbers, -1).astype(np.int64)
    return good


def _names(about: Mapping[str, str]) -> dict[int, str]:
    """Read the classes' names that Ultralytics writes, a literal dict; none where there is something else."""
    try:
        names = ast.literal_eval(about.get("names", "")[:100_000])
        return {int(number): str(name) for number, name in names.items()}
    except (ValueError, SyntaxError, AttributeError, TypeError, MemoryError, RecursionError):
        return {}
