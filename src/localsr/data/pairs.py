"""HR folders -> LR/HR pairs, decoded and reduced once, then mapped: a crop is a copy of a few kilobytes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from localsr import images
from localsr.conditions import Conditions
from localsr.data.bursts import BURSTS, burst_of
from localsr.data.degradation import DEGRADATION_VERSIONS, VARIANTS, Degradation, true_conditions
from localsr.data.pictures import find_lr, list_pictures, read_rgb
from localsr.data.second_order import SecondOrderDegradation, draw_broad
from localsr.errors import Advice, DataError, ImageError
from localsr.geometry import Box, Size, strips
from localsr.models.config import ModelConfig
from localsr.progress import Progress
from localsr.resize import reduce

log = logging.getLogger(__name__)

STALE_SECONDS = 3600  # after which a folder that nobody writes to was left by a kill
MAX_BROKEN = 0.01  # of the pictures; more than that is a wrong folder, not an accident


class Pairs:
    """LR/HR pairs in two mapped files; `pairs[k]` is `(lr (v, 3, h, w), hr (3, s h, s w))`, uint8 RGB.

    Of "bursts" LR has `bands` in place of 3: the average of frames, and what cells say beyond it.

    `conditions` `(n, v, 3)` are those of each LR, encoded.

    HR is cropped at the right and the bottom to a multiple of the scale. LR is one picture made by `resize.reduce`, or
    with another degradation than "bicubic" VARIANTS of them. The files are made once in `cache`, under a name that
    follows from names and contents of the pictures, from the scale and the degradation.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        scale: int,
        cache: Path,
        progress: Progress | None = None,
        *,
        lr_folders: Sequence[Path] = (),
        degradation: str = "bicubic",
        seed: int = 0,
        max_broken: float = MAX_BROKEN,
    ) -> None:
        """Map the pairs of `folders`, making the files when they are not there.

        Args:
            folders: HR pictures, with all folders below.
            scale: How many times smaller LR is than HR.
            cache: Where the files are kept.
            progress: Hears how many pictures are done while the files are made.
            lr_folders: Where LR is read from, one for each of `folders`, as `find_lr` does; () makes LR of HR.
            degradation: How it is made: one of DEGRADATIONS.
            seed: Of the degradations that are drawn.
            max_broken: Share of the pictures that may be unreadable, 0 to 1.

        Raises:
            DataError: A folder holds no pictures, LR is missing or does not fit, or too many pictures are unreadable.
        """
        listed = [list_pictures(folder) for folder in folders]
        paths = [path for part in listed for path in part]
        reduced = [
            find_lr(path, lr / path.parent.relative_to(folder), scale)
            for folder, lr, part in zip(folders, lr_folders, listed, strict=False)
            for path in part
        ]
        files = [[_identity(path) for path in part] for part in (paths, reduced)]
        degraded = degradation != "bicubic"
        self.variants = (BURSTS if degradation == "bursts" else VARIANTS) if degraded else 1
        drawn = [degradation, DEGRADATION_VERSIONS.get(degradation), seed, self.variants]
        inputs = [scale, files, *(drawn if degraded else [])]
        key = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]
        self.folder = cache / f"pairs-x{scale}-{key}"
        self.scale, self.bands = scale, ModelConfig(scale=scale, cells=degradation == "bursts").bands
        if not self.folder.is_dir():

            def lr_of(hr: NDArray[np.uint8], k: int) -> tuple[NDArray[np.uint8], list[Conditions]]:
                if reduced:
                    return _read_lr(reduced[k], hr, scale)[None], [Conditions()]
                if degradation == "bursts":
                    bursts = [burst_of(hr, scale, seed, k * BURSTS + v) for v in range(BURSTS)]
                    return np.stack(bursts), [Conditions()] * BURSTS
                ideal = reduce(hr, scale)
                if degradation == "bicubic":
                    return ideal[None], [Conditions()]
                draw = Degradation.draw if degradation == "photo" else draw_broad
                found = [_degraded(draw(seed, k * VARIANTS + v), hr, ideal, scale) for v in range(VARIANTS)]
                return np.stack([lr for lr, _ in found]), [conditions for _, conditions in found]

            _build(paths, scale, self.folder, lr_of, max_broken, progress)
        index: dict[str, Any] = json.loads((self.folder / "index.json").read_text())
        _refuse_broken(index["broken"], len(paths), max_broken)
        self.sizes: list[tuple[int, int]] = [tuple(s) for s in index["sizes"]]  # of the LR: height, width
        self.names: list[str] = index["names"]
        clean = np.zeros((len(self.sizes), 1, len(Conditions._fields)))
        self.conditions = np.array(index["conditions"]) if degraded else clean
        self._lr = np.memmap(self.folder / "lr.bin", np.uint8, "r")
        self._hr = np.memmap(self.folder / "hr.bin", np.uint8, "r")
        self._offsets = np.concatenate([[0], np.cumsum([h * w for h, w in self.sizes])])

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.sizes)

    def __getitem__(self, k: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return pair k, mapped."""
        h, w = self.sizes[k]
        s, start, stop = self.scale, int(self._offsets[k]), int(self._offsets[k + 1])
        one, all_ = 3 * s * s, self.bands * self.variants
        lr = self._lr[start * all_ : stop * all_].reshape(self.variants, self.bands, h, w)
        hr = self._hr[start * one : stop * one].reshape(3, h * s, w * s)
        return lr, hr

    def crop(self, k: int, box: Box, variant: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Copy the LR window `box` `(3, h, w)` of one variant of pair k and the HR pixels of the same place."""
        lr, hr = self[k]
        large = box.scaled(self.scale)
        return lr[variant, :, box.rows, box.columns].copy(), hr[:, large.rows, large.columns].copy()


def _build(
    paths: Sequence[Path],
    scale: int,
    target: Path,
    lr_of: Callable[[NDArray[np.uint8], int], tuple[NDArray[np.uint8], list[Conditions]]],
    max_broken: float,
    progress: Progress | None,
) -> None:
    """Write the two files and their index into a temporary folder, then rename it to `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f"{target.name}.*"):  # by a kill; a build that lives writes every second
        if time.time() - max(p.stat().st_mtime for p in (left, *left.iterdir())) > STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    temporary = target.with_name(f"{target.name}.{secrets.token_hex(6)}")
    temporary.mkdir()
    sizes, names, conditions, broken = [], [], [], []
    try:
        with (temporary / "lr.bin").open("wb") as lr_file, (temporary / "hr.bin").open("wb+") as hr_file:
            for done, path in enumerate(paths):
                if progress is not None:
                    progress(done, len(paths))
                start = hr_file.tell()
                try:
                    hr = _append(path, scale, hr_file)
                    lr, told = lr_of(hr, done)
                    lr_file.write(lr.tobytes())
                except ImageError as error:
                    hr_file.seek(start)
                    broken.append(str(path))
                    log.warning("skipped: %s", error)
                    continue
                sizes.append((hr.shape[1] // scale, hr.shape[2] // scale))
                names.append(path.name)
                conditions.append([one.encoded() for one in told])
            hr_file.truncate()
        if progress is not None:
            progress(len(paths), len(paths))
        _refuse_broken(broken, len(paths), max_broken)
        index = {"sizes": sizes, "names": names, "conditions": conditions, "broken": broken}
        (temporary / "index.json").write_text(json.dumps(index))
        try:
            os.replace(temporary, target)
        except OSError:
            if not (target / "index.json").is_file():
                raise
            shutil.rmtree(temporary)  # another run has made the same pairs meanwhile
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _degraded(
    draw: Degradation | SecondOrderDegradation | None, hr: NDArray[np.uint8], ideal: NDArray[np.uint8], scale: int
) -> tuple[NDArray[np.uint8], Conditions]:
    """Return a degraded LR picture and its conditions; `ideal` is the one that `resize.reduce` makes."""
    if draw is None:
        return ideal, Conditions()
    lr, quiet = draw.apply(hr, scale), draw.apply(hr, scale, noisy=False)
    return lr, true_conditions(lr, quiet, ideal, draw.quality)


def _identity(path: Path) -> tuple[str, str]:
    """Identify a file by its name and content, which are the same in every copy of a data set."""
    with path.open("rb") as file:
        return path.name, hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_broken(broken: Sequence[str], of: int, max_broken: float) -> None:
    """Raise `DataError` when too many pictures could not be read."""
    if len(broken) > max_broken * of:
        share = f"{len(broken)} of {of} pictures cannot be read, the first is {broken[0]}"
        repair = f"repair or remove them, or allow more than {max_broken:.0%} with"
        raise DataError(share, Advice(f"{repair} max_broken", f"{repair} --max-broken"))


def _read_lr(path: Path, hr: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Read an LR picture that came with its HR."""
    lr = read_rgb(path)
    if lr.shape[1] * scale != hr.shape[1] or lr.shape[2] * scale != hr.shape[2]:
        sizes = f"{lr.shape[2]} x {lr.shape[1]} px, its HR {hr.shape[2]} x {hr.shape[1]}"
        raise DataError(f"{path} has {sizes}, which is not {scale} times as large")
    return lr


def _append(path: Path, scale: int, file: BinaryIO) -> NDArray[np.uint8]:
    """Write a picture, cut to a multiple of the scale, to the end of a file, strip by strip; map and return it."""
    photo = images.read(path)
    h, w = photo.size.height // scale * scale, photo.size.width // scale * scale
    if not h or not w:
        raise ImageError(f"{path} has {photo.size} px, less than one LR px at x{scale}")
    start = file.tell()
    file.truncate(start + 3 * h * w)
    mapped = np.memmap(file, np.uint8, "r+", start, (3, h, w))
    for strip in strips(Size(w, h)):
        mapped[:, strip.rows] = np.rint(photo.window(strip) * 255).astype(np.uint8)
    file.seek(start + mapped.size)
    return mapped
