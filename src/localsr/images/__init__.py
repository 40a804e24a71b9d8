"""The only door for pixels: pictures in, by windows and lazily; results out, looking like their source."""

from localsr.images.photo import Photo
from localsr.images.reading import Source, file_bytes, read
from localsr.images.writing import FORMATS, MAX_SIDES, Canvas, loses_exif, srgb, write

__all__ = ["FORMATS", "MAX_SIDES", "Canvas", "Photo", "Source", "file_bytes", "loses_exif", "read", "srgb", "write"]
