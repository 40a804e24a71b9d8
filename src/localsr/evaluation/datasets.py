"""The field's data sets: where people keep them, and what the files in them are called."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from localsr.data.pictures import find_lr, is_picture, list_pictures
from localsr.errors import Advice, DataError

DATA_SETS = {  # what a command calls it -> what its folder is called, in lower case
    "set5": ("set5",),
    "set14": ("set14",),
    "bsd100": ("bsd100", "bsds100", "b100"),
    "urban100": ("urban100",),
    "manga109": ("manga109",),
    "test2k": ("test2k",),
    "div2k-valid": ("div2k_valid_hr", "div2k_valid", "div2k-valid"),
}
HR_FOLDERS = (
    "HR",
    "GTmod12",
    "GTmod24",
    "GT",
    "original",
)  # BasicSR's and others'; else `folder` itself
LR_FOLDERS = ("LR_x{0}", "LRbicx{0}", "LR_bicubic/X{0}", "../{1}_LR_bicubic/X{0}")  # beside HR; {1} is DIV2K_valid


class PictureFiles(NamedTuple):
    """The files of a picture: HR, and the LR that was published with it, if any."""

    name: str  # within its data set; text, whatever bytes the file system has
    hr: Path
    lr: Path | None


def find_data_set(data: str, root: Path | None) -> Path:
    """Return the folder of a data set.

    Args:
        data: A folder wherever it lies, or a name: one of DATA_SETS, or that of a folder within `root`.
        root: Where names are looked for, two levels deep, whatever the case of their letters.

    Raises:
        DataError: There is no such folder.
    """
    folder = Path(data)
    if folder.is_dir():
        return folder
    if root is None:
        where = "the path of a folder, wherever it lies, or a name and {} a folder that holds it"
        advice = Advice("pass " + where.format("as root"), "give " + where.format("with --root"))
        raise DataError(f"there is no folder {data}", advice)
    names = DATA_SETS.get(data.lower(), (data.lower(),))
    near = sorted(p for pattern in ("*", "*/*") for p in root.glob(pattern) if p.is_dir())
    for name in names:
        for found in near:
            if found.name.lower() == name:
                return found
    fact = f"{root} holds no {data}: no folder in it, two levels deep, is called {' or '.join(names)}"
    raise DataError(f"{fact}; known names are {', '.join(DATA_SETS)}")


def data_set_name(folder: Path) -> str:
    """Return a data set's name: its name in DATA_SETS, or its folder's with what no file name may hold replaced."""
    own = folder.resolve().name
    known = next((name for name, folders in DATA_SETS.items() if own.lower() in folders), own)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", known).strip("-.")[:100] or "data"


def list_data_set(folder: Path, scale: int) -> list[PictureFiles]:
    """List a data set's pictures with their published LR.

    HR and LR lie as SelfExSR has them, `img_001_SRF_4_HR.png` and `img_001_SRF_4_LR.png`; or HR in one of HR_FOLDERS or
    in `folder` itself, LR in one of LR_FOLDERS under the same names, or those with `x4` at their end.

    Raises:
        DataError: `folder` is no data set, or has LR for some of its pictures alone; numbers of a set whose LR comes
            from two hands would mean nothing.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; name one that holds a data set")
    if paired := sorted(p for p in folder.glob(f"**/*_SRF_{scale}_HR.*") if is_picture(p)):
        return [PictureFiles(_text(hr.relative_to(folder)), hr, _lr_beside(hr)) for hr in paired]
    within = next((folder / name for name in HR_FOLDERS if (folder / name).is_dir()), folder)
    originals = sorted(filter(is_picture, folder.iterdir())) if within is folder else list_pictures(within)
    if not originals:
        raise DataError(f"{folder} is no data set: it has neither a folder {', '.join(HR_FOLDERS)} nor pictures")
    places = [folder / name.format(scale, folder.name.removesuffix("_HR")) for name in LR_FOLDERS]
    reduced = next((place for place in places if place.is_dir()), None)
    found = []
    for hr in originals:
        inner = hr.relative_to(within)
        lr = None if reduced is None else find_lr(hr, reduced / inner.parent, scale)
        found.append(PictureFiles(_text(inner), hr, lr))
    return found


def _text(path: Path) -> str:
    """Return a path as text that any file can hold, whatever bytes the file system has."""
    return os.fsencode(path).decode(errors="replace")


def _lr_beside(hr: Path) -> Path:
    """Return the LR beside `NAME_HR.png`."""
    lr = hr.with_name(hr.name.replace("_HR.", "_LR."))
    if not lr.is_file():
        raise DataError(f"{hr.parent} has no LR of {hr.name}: it lacks {lr.name}")
    return lr
