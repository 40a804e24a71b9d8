"""The only door for pixels: pictures in, by windows and lazily; results out, looking like their source."""

from localsr.images.photo import Photo, Source, read
from localsr.images.writing import FORMATS, LONGEST, Canvas, srgb, write

__all__ = ["FORMATS", "LONGEST", "Canvas", "Photo", "Source", "read", "srgb", "write"]
