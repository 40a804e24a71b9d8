"""A picture decoded once: its pixels in a file without a name, from which windows are read."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path
from typing import Any

import platformdirs
import pyvips

from localsr.errors import ImageError, OutputError
from localsr.images.vips import NUMPY_TYPES, fields_of, mapped
from localsr.progress import Progress

MIN_FREE_BYTES = 2**28  # that must be left on the disk


def spool_folder() -> Path:
    """Return the user's cache folder, or where that cannot be written the temporary one; else raise `OutputError`."""
    cache = platformdirs.user_cache_path("localsr")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=cache).close()
        return cache
    except OSError:  # no home, as in a container, or a read-only one
        pass
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        sentence = f"neither {cache} nor a temporary folder can be written; set XDG_CACHE_HOME or TMPDIR to another"
        raise OutputError(sentence) from error


def spooled(image: pyvips.Image, title: str, progress: Progress) -> pyvips.Image:
    """Decode an image that was opened for one pass into one whose windows can be read in any order.

    The file has no name from the start: nothing is left after a kill. `progress` gets the rows done and how many there
    are; what it raises ends the decoding. `title` is what an `ImageError` about a full disk calls the picture.
    """
    folder = spool_folder()
    wanted = image.width * image.height * image.bands * NUMPY_TYPES[image.format].itemsize
    free = shutil.disk_usage(folder).free
    if free < wanted + MIN_FREE_BYTES:
        message = f"{title} takes {wanted >> 20} MB decoded; {folder} has {free >> 20} MB left"
        raise ImageError(message) from OSError(errno.ENOSPC, message)
    stopped: list[BaseException] = []

    def follow(_: pyvips.Image, state: Any) -> None:  # noqa: ANN401  # libvips' own
        try:
            progress(state.percent * image.height // 100, image.height)
        except BaseException as error:  # an exception, Ctrl-C's too, must not pass through C
            stopped.append(error)
            image.set_kill(True)

    image.set_progress(True)
    image.signal_connect("eval", follow)
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            image.rawsave_target(pyvips.Target.new_to_descriptor(file.fileno()))
        except pyvips.Error:
            if not stopped:
                raise
        if stopped:
            raise stopped[0]
        raw = mapped(file, image.width, image.height, image.bands, image.format)
    progress(image.height, image.height)
    raw = raw.copy(interpretation=image.interpretation)
    for name, kind, value in fields_of(image):  # profile, orientation, metadata
        if name == "orientation" or name.endswith("-data") or name.startswith("exif-ifd"):
            raw.set_type(kind, name, value)
    return raw
