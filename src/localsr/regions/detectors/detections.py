"""What a detector found, sifted: sure enough, the surest first, each object once."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

MIN_SCORE = 0.05  # from which something is looked at
MAX_CANDIDATES = 3000  # the surest ones, which are compared with each other
MAX_OVERLAP = 0.5  # intersection over union; of two boxes that have more, the less sure one is dropped


class Detections(NamedTuple):
    """What a network found."""

    boxes: NDArray[np.float64]  # (n, 4): x centre, y centre, width, height
    scores: NDArray[np.float64]  # (n,)
    classes: NDArray[np.int64]  # (n,)
    angles: NDArray[np.float64]  # (n,): by which a box is turned, radians
    suppressed: bool  # each object is there once already

    @classmethod
    def centres(
        cls,
        boxes: NDArray[Any],
        scores: NDArray[Any],
        classes: NDArray[Any],
        angles: NDArray[Any] | None = None,
        *,
        suppressed: bool = True,
    ) -> Self:
        """Return boxes given by centre and size, before they are turned; a class that is no whole number is -1."""
        numbers = classes.astype(np.float64)
        whole = np.where(np.isfinite(numbers) & (np.abs(numbers) < 2**31), numbers, -1).astype(np.int64)
        turns = np.zeros(len(boxes)) if angles is None else angles.astype(np.float64)
        return cls(boxes.astype(np.float64), scores.astype(np.float64), whole, turns, suppressed)

    @classmethod
    def corners(cls, boxes: NDArray[Any], scores: NDArray[Any], classes: NDArray[Any]) -> Self:
        """Return boxes given by left, top, right and bottom, each object once."""
        near, far = boxes[:, :2].astype(np.float64), boxes[:, 2:4].astype(np.float64)
        return cls.centres(np.concatenate([(near + far) / 2, far - near], 1), scores, classes)

    def sides(self) -> NDArray[np.float64]:
        """Return left, top, right, bottom of the upright boxes around these, `(n, 4)`."""
        cos, sin = np.abs(np.cos(self.angles)), np.abs(np.sin(self.angles))
        width, height = self.boxes[:, 2], self.boxes[:, 3]
        half = np.stack([width * cos + height * sin, width * sin + height * cos], 1) / 2
        return np.concatenate([self.boxes[:, :2] - half, self.boxes[:, :2] + half], 1)

    def rows(self, index: NDArray[np.int64]) -> Self:
        """Return some of the rows, in the order of their numbers."""
        return self._replace(
            boxes=self.boxes[index], scores=self.scores[index], classes=self.classes[index], angles=self.angles[index]
        )

    def sift(self) -> Self:
        """Return what is sure enough and has an area, the surest first, each object once."""
        sure = (self.scores >= MIN_SCORE) & (self.scores <= 1) & np.isfinite(self.boxes).all(1)
        sure &= np.isfinite(self.angles) & (self.boxes[:, 2:] > 0).all(1)
        order = np.flatnonzero(sure)[np.argsort(-self.scores[sure], kind="stable")][:MAX_CANDIDATES]
        found = self.rows(order)
        return found if self.suppressed else found._suppress()

    def _suppress(self) -> Self:
        """Drop what shows the same as something surer: non-maximum suppression within each class."""
        alive, kept = np.ones(len(self.scores), bool), []
        for n in range(len(self.scores)):
            if alive[n]:
                kept.append(n)
                alive &= (self._overlaps(n) < MAX_OVERLAP) | (self.classes != self.classes[n])
        return self.rows(np.array(kept, np.int64))

    def _overlaps(self, n: int) -> NDArray[np.float64]:
        """Return the intersection over union of each box with box n, in the frame of box n.

        Exact where both are turned alike; else of the box around the other one, as seen along the sides of this one.
        """
        across, down = self.boxes[:, 0] - self.boxes[n, 0], self.boxes[:, 1] - self.boxes[n, 1]
        cos, sin = np.cos(self.angles[n]), np.sin(self.angles[n])
        centres = np.stack([across * cos + down * sin, down * cos - across * sin], 1)
        framed = self._replace(
            boxes=np.concatenate([centres, self.boxes[:, 2:]], 1), angles=self.angles - self.angles[n]
        )
        left, top, right, bottom = framed.sides().T
        area = (right - left) * (bottom - top)
        common_width = np.maximum(np.minimum(right, right[n]) - np.maximum(left, left[n]), 0)
        common_height = np.maximum(np.minimum(bottom, bottom[n]) - np.maximum(top, top[n]), 0)
        common = common_width * common_height
        overlaps: NDArray[np.float64] = common / (area + area[n] - common)
        return overlaps
