"""Frontal faces and licence plates by the Haar cascades that come with OpenCV: no download, no accelerator.

They are of 2001 to 2012, and it shows: no profiles, and now and then a face where there is none. Where that matters,
give an ONNX file. Licence plates are Russian ones, one line of dark signs on white, 1 : 3 to 1 : 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from localsr.errors import ConfigError
from localsr.extras import optional
from localsr.geometry import Box
from localsr.images import Photo
from localsr.regions.region import Found

MAX_SIDE = 2048  # px; a larger picture is looked at shrunk; a megapixel takes 1.5 s on two cores
MIN_WINDOWS = 3  # that must agree; only what as many as below agree on counts, unless the user lowers --min-score
HALF_SCORE_WINDOWS = 6  # whose score is a half: on BSD100 nine right and one wrong reach it, three wrong do not


class HaarCascade(NamedTuple):
    """A detector: what it finds, and the file that OpenCV brings for it."""

    label: str
    file: str

    def check(self) -> None:
        """Load the cascade; `ConfigError` where OpenCV or the file is missing."""
        self._load(optional("cv2", "detect", f"finding a {self.label}"))

    def _load(self, cv2: Any) -> Any:  # noqa: ANN401  # a module without types
        """Load the cascade's file."""
        path = Path(cv2.__file__).with_name("data") / self.file
        if not path.is_file():
            need = f"{self.file}, which this OpenCV ({cv2.__version__}) lacks; install 4.x"
            raise ConfigError(f"finding a {self.label} needs {need}")
        return cv2.CascadeClassifier(str(path))  # one a call, in 7 ms: it is not for several threads

    def __call__(self, photo: Photo) -> Iterator[Found]:
        """Find regions; the score of what n windows agree on is n / (n + `HALF_SCORE_WINDOWS`)."""
        cv2 = optional("cv2", "detect", f"finding a {self.label}")
        cascade = self._load(cv2)
        pixels = photo.preview(MAX_SIDE)
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        boxes, counts = cascade.detectMultiScale2(grey, scaleFactor=1.1, minNeighbors=MIN_WINDOWS)
        across, down = photo.size.width / pixels.shape[1], photo.size.height / pixels.shape[0]
        for (x, y, width, height), count in zip(boxes, counts, strict=True):
            box = Box.outward(x * across, y * down, (x + width) * across, (y + height) * down)
            yield Found(box.clipped(photo.size), self.label, int(count) / (int(count) + HALF_SCORE_WINDOWS))


face = HaarCascade("face", "haarcascade_frontalface_alt2.xml")  # frontal, of 20 px or more
plate = HaarCascade("plate", "haarcascade_russian_plate_number.xml")  # of 60 x 20 px or more
