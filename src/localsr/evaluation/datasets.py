"""Where people keep the field's data sets, and what the files in them are called."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from localsr.data.pairs import SUFFIXES, pictures
from localsr.errors import DataError

SETS = {  # what a command calls it -> what its folder is called, in lower case
    "set5": ("set5",),
    "set14": ("set14",),
    "bsd100": ("bsd100", "bsds100", "b100"),
    "urban100": ("urban100",),
    "manga109": ("manga109",),
    "test2k": ("test2k",),
    "div2k-valid": ("div2k_valid_hr", "div2k_valid", "div2k-valid"),
}
HR = ("HR", "GTmod12", "GTmod24", "GT", "original")  # BasicSR's and others'; or the pictures lie there themselves
LR = ("LR_x{0}", "LRbicx{0}", "LR_bicubic/X{0}", "../{1}_LR_bicubic/X{0}")  # beside HR; {1} is DIV2K_valid


class Files(NamedTuple):
    """A picture and the LR that was published with it, if any."""

    name: str  # within its data set; text, whatever bytes the file system has
    hr: Path
    lr: Path | None


def find(data: str, root: Path | None) -> Path:
    """Give the folder of a data set: a path as it is, or a name of SETS within two levels of `root`."""
    folder = Path(data)
    if folder.is_dir():
        return folder
    if data.lower() not in SETS:
        raise DataError(f"{data} is neither a folder nor one of {', '.join(SETS)}")
    if root is None:
        raise DataError(f"there is no folder {data}; say with --root where your data sets are")
    near = sorted(p for pattern in ("*", "*/*") for p in root.glob(pattern) if p.is_dir())
    for name in SETS[data.lower()]:
        for found in near:
            if found.name.lower() == name:
                return found
    raise DataError(f"{root} holds no {data}: no folder there is called {' or '.join(SETS[data.lower()])}")


def called(folder: Path) -> str:
    """Name a data set: its name in SETS, or its folder's as files may be called."""
    own = folder.resolve().name
    known = next((name for name, folders in SETS.items() if own.lower() in folders), own)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", known).strip("-.")[:100] or "data"


def files(folder: Path, scale: int) -> list[Files]:
    """List a data set's pictures with their published LR; `DataError` for a folder that is none, or not whole.

    As SelfExSR has them, `img_001_SRF_4_HR.png` and `img_001_SRF_4_LR.png`; or HR in a folder of HR or in `folder`
    itself, LR in a folder of LR under the same names, or those with `x4` at their end.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; name one that holds a data set")
    both = sorted(p for p in folder.glob(f"**/*_SRF_{scale}_HR.*") if p.suffix.lower() in SUFFIXES)
    if both:
        beside = [_published(hr, [hr.with_name(hr.name.replace("_HR.", "_LR."))]) for hr in both]
        return [Files(_text(hr.relative_to(folder)), hr, lr) for hr, lr in zip(both, beside, strict=True)]
    within = next((folder / name for name in HR if (folder / name).is_dir()), folder)
    if within is not folder:
        originals = pictures(within)
    else:
        originals = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    if not originals:
        raise DataError(f"{folder} is no data set: it has neither a folder {', '.join(HR)} nor pictures")
    places = [folder / name.format(scale, folder.name.removesuffix("_HR")) for name in LR]
    reduced = next((place for place in places if place.is_dir()), None)
    found = []
    for hr in originals:
        inner = hr.relative_to(within)
        names = [inner.with_name(f"{hr.stem}{x}{s}") for x in ("", f"x{scale}") for s in (hr.suffix, *sorted(SUFFIXES))]
        lr = None if reduced is None else _published(hr, [reduced / name for name in names])
        found.append(Files(_text(inner), hr, lr))
    return found


def _text(path: Path) -> str:
    """Give a path as text that any file can hold."""
    return os.fsencode(path).decode(errors="replace")


def _published(hr: Path, names: list[Path]) -> Path:
    """Give the one that is there; numbers of a set whose LR comes from two hands would mean nothing."""
    for name in names:
        if name.is_file():
            return name
    raise DataError(f"{hr.name} has no LR beside it: {names[0].parent} lacks {names[0].name}")
