"""How large a picture is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """Width and height in pixels.

    Example:
        >>> import localsr
        >>> str(localsr.Size(640, 480))
        '640 x 480'
    """

    width: int
    height: int

    def __str__(self) -> str:
        """Return the size as messages print it, `640 x 480`."""
        return f"{self.width} x {self.height}"
