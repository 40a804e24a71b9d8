"""A region as a person types it."""

from __future__ import annotations

import re

from localsr.errors import BoxError
from localsr.regions.region import Region

NUMBER = r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})"
FORM = re.compile(rf"(?P<kind>pct:|rel:)?{'([,:])'.join([rf'({NUMBER})(%?)'] * 4)}", re.ASCII)
FORMS = (
    "x,y,w,h (40,60,128,96), corners (40,60:168,156), either in percent of the picture (10%,20%,50%,50%) "
    "or in shares of it (rel:0.1,0.2,0.5,0.5)"
)


def text(given: str, origin: str = "") -> Region:
    """Read a region: left, top, width, height; or left, top : right, bottom.

    In pixels, in percent of the picture's width and height (`10%,20%,50%,50%` or `pct:10,20,50,50`), or in shares of
    them (`rel:0.1,0.2,0.5,0.5`). Raises `BoxError`.
    """
    told = f"{origin}: " if origin else ""
    match = FORM.fullmatch(re.sub(r"\s+", "", given))
    if match is None or match[4] != "," or match[10] != "," or (match[7] not in ",:"):
        raise BoxError(f"{told}{given!r} is no region; give {FORMS}")
    kind, percents = match["kind"], {match[n] for n in (3, 6, 9, 12)}
    if len(percents) > 1 or (kind and "%" in percents):
        raise BoxError(f"{told}{given!r} mixes units; give all four numbers in pixels, or all in percent")
    relative = bool(kind) or "%" in percents
    unit = 100 if kind == "pct:" or "%" in percents else 1
    x, y, a, b = (float(match[n]) / unit for n in (2, 5, 8, 11))
    corners = match[7] == ":"
    if not corners and (a <= 0 or b <= 0):
        raise BoxError(f"{told}{given!r} has no area; its width and height, the last two numbers, must be above 0")
    right, bottom = (a, b) if corners else (x + a, y + b)
    return Region(x, y, right, bottom, relative, origin=origin)
