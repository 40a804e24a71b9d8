"""A region as a person types it."""

from __future__ import annotations

import re

from localsr.errors import BoxError
from localsr.regions.region import Region

NUMBER = r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})"
PATTERN = re.compile(rf"(?P<kind>pct:|rel:)?{'([,:])'.join([rf'({NUMBER})(%?)'] * 4)}", re.ASCII)
FORMS = (
    "x,y,w,h (40,60,128,96), corners (40,60:168,156), either in percent of the picture (10%,20%,50%,50%) "
    "or in shares of it (rel:0.1,0.2,0.5,0.5)"
)


def text(given: str, origin: str = "") -> Region:
    """Read a region from text, as `--box` takes it.

    Args:
        given: Left, top, width, height (`40,60,128,96`), or left, top : right, bottom (`40,60:168,156`); in pixels of
            the upright picture, in percent of its width and height (`10%,20%,50%,50%` or `pct:10,20,50,50`), or in
            shares of them (`rel:0.1,0.2,0.5,0.5`).
        origin: Where the text stands, for messages.

    Returns:
        The region; whether a picture holds it is checked by `Region.on`.

    Raises:
        BoxError: The text is no region, mixes units, or has no area.

    Example:
        >>> from localsr import Size
        >>> text("10%,10%,50%,50%").on(Size(640, 480)).box
        Box(left=64, top=48, right=384, bottom=288)
    """
    prefix = f"{origin}: " if origin else ""
    match = PATTERN.fullmatch(re.sub(r"\s+", "", given))
    if match is None or match[4] != "," or match[10] != ",":
        raise BoxError(f"{prefix}{given!r} is no region; give {FORMS}")
    kind, percents = match["kind"], {match[n] for n in (3, 6, 9, 12)}
    if len(percents) > 1 or (kind and "%" in percents):
        raise BoxError(f"{prefix}{given!r} mixes units; give all four numbers in pixels, or all in percent")
    relative = bool(kind) or "%" in percents
    unit = 100 if kind == "pct:" or "%" in percents else 1
    x, y, a, b = (float(match[n]) / unit for n in (2, 5, 8, 11))
    corners = match[7] == ":"
    if not corners and (a <= 0 or b <= 0):
        raise BoxError(f"{prefix}{given!r} has no area; its width and height, the last two numbers, must be above 0")
    right, bottom = (a, b) if corners else (x + a, y + b)
    return Region(x, y, right, bottom, relative, origin=origin, given=given.strip(), by_size=not corners)
