"""The only door for pixels: pictures in, by windows and lazily; results out, looking like their source."""

from localsr.images.photo import Photo, Source, read
from localsr.images.writing import FORMATS, LONGEST, Canvas, left_out, srgb, write

__all__ = ["FORMATS", "LONGEST", "Canvas", "Photo", "Source", "left_out", "read", "srgb", "write"]
