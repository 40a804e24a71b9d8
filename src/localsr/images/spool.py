"""A picture decoded once: its pixels in a file without a name, from which windows are read."""

from __future__ import annotations

import errno
import shutil
import tempfile
from typing import Any

import platformdirs
import pyvips

from localsr.errors import ImageError
from localsr.images.vips import DTYPES
from localsr.progress import Progress

ROOM = 2**28  # bytes that must stay free


def spooled(image: pyvips.Image, title: str, progress: Progress) -> pyvips.Image:
    """Decode `image`, opened for one pass, and give it back as one whose windows can be read in any order.

    `progress` hears how many rows are done, of how many. `ImageError` where the disk has no room for it; after a kill
    nothing is left.
    """
    folder = platformdirs.user_cache_path("localsr", ensure_exists=True)
    wanted = image.width * image.height * image.bands * DTYPES[image.format].itemsize
    free = shutil.disk_usage(folder).free
    if free < wanted + ROOM:
        told = f"{title} takes {wanted >> 20} MB decoded; {folder} has {free >> 20} MB left"
        raise ImageError(told) from OSError(errno.ENOSPC, told)
    stopped: list[BaseException] = []

    def follow(_: pyvips.Image, told: Any) -> None:  # noqa: ANN401  # libvips' own
        try:
            progress(told.percent * image.height // 100, image.height)
        except BaseException as error:  # which must not end in C: Ctrl-C comes here
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
        raw = pyvips.Image.rawload(
            f"/dev/fd/{file.fileno()}", image.width, image.height, image.bands, format=image.format
        )
    progress(image.height, image.height)
    raw = raw.copy(interpretation=image.interpretation)
    for name in image.get_fields():  # profile, orientation, metadata
        if name == "orientation" or name.endswith("-data") or name.startswith("exif-ifd"):
            raw.set_type(image.get_typeof(name), name, image.get(name))
    return raw
