"""A detector in an ONNX file, whose outputs `layouts` understands.

Input: one picture, `(1, 3, h, w)` or `(1, h, w, 3)`, RGB, float in [0, 1] or uint8; a size left open is the one that
the file states, or 640. The photo is shrunk to fit, never enlarged, and lies in the left upper corner on grey. A second
input `orig_target_sizes`, as RT-DETR's own exports have it, is told the input's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsr.errors import BoxError, ConfigError
from localsr.extras import optional
from localsr.geometry import Box, Size
from localsr.images import Photo
from localsr.regions.detectors.layouts import ExportRecord, read_outputs
from localsr.regions.region import Found

MAX_FILE_BYTES = 2**31  # which is what ONNX allows
DEFAULT_SIDE = 640  # px, where the network leaves it open
MAX_SIDE = 4096  # px of an input
GREY = 114  # what YOLO is trained to see beside a picture
KINDS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
SIZES_INPUT = "orig_target_sizes"


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
        self._record = ExportRecord.parse(self._session.get_modelmeta().custom_metadata_map)
        self._input, self._planar, self._size = self._check_input()

    def _check_input(self) -> tuple[Any, bool, Size]:
        """Return the input, whether its bands come first, and its size."""
        inputs = self._session.get_inputs()
        pictures = [i for i in inputs if i.name != SIZES_INPUT]
        shape = pictures[0].shape if len(pictures) == 1 and pictures[0].type in KINDS else []
        if len(shape) == 4 and 3 in (shape[1], shape[3]) and shape[0] in (1, *(s for s in shape if type(s) is not int)):
            planar = shape[1] == 3
            stated = self._record.size or Size(DEFAULT_SIDE, DEFAULT_SIDE)
            height, width = shape[2:] if planar else shape[1:3]
            size = Size(width if type(width) is int else stated.width, height if type(height) is int else stated.height)
            if all(0 < side <= MAX_SIDE for side in (size.width, size.height)):
                return pictures[0], planar, size
        given = ", ".join(f"{i.name} {i.shape} {i.type}" for i in inputs)
        raise ConfigError(f"{self._path} takes {given}; a detector takes one picture, (1, 3, h, w) of float or uint8")

    def __call__(self, photo: Photo) -> Iterator[Found]:
        """Find regions of a photo."""
        width, height = self._size.width, self._size.height
        scale = min(width / photo.size.width, height / photo.size.height, 1)
        pixels = photo.preview(max(1, int(max(photo.size.width, photo.size.height) * scale)))[:height, :width]
        canvas = np.full((height, width, 3), GREY, np.uint8)
        canvas[: pixels.shape[0], : pixels.shape[1]] = pixels
        try:
            found = read_outputs(self._run(canvas), self._record, self._size).sift()
        except ConfigError as error:
            raise ConfigError(f"{self._path} {error}") from None
        across, down = photo.size.width / pixels.shape[1], photo.size.height / pixels.shape[0]
        for (left, top, right, bottom), score, kind in zip(found.sides(), found.scores, found.classes, strict=True):
            try:
                box = Box.outward(left * across, top * down, right * across, bottom * down).clipped(photo.size)
            except BoxError:  # of no area, or in the grey beside the picture
                continue
            yield Found(box, self._record.names.get(int(kind), str(int(kind))), float(score))

    def _run(self, canvas: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Return the network's outputs for `(h, w, 3)` pixels, by their names."""
        kind = KINDS[self._input.type]
        batch: NDArray[Any] = canvas.transpose(2, 0, 1)[None] if self._planar else canvas[None]
        if kind is not np.uint8:
            batch = (batch / np.float32(255)).astype(kind)
        fed = {self._input.name: np.ascontiguousarray(batch)}
        if any(i.name == SIZES_INPUT for i in self._session.get_inputs()):
            fed[SIZES_INPUT] = np.array([[self._size.width, self._size.height]], np.int64)
        arrays = zip(self._session.get_outputs(), self._session.run(None, fed), strict=True)
        return {output.name: np.asarray(array) for output, array in arrays}
