"""The only door for pixels: pictures in, by windows and lazily; results out, looking like their source."""

from localsr.images.carried import Saving
from localsr.images.encoding import FORMATS, MAX_SIDES, check_quality
from localsr.images.notes import notes_of
from localsr.images.photo import Photo
from localsr.images.provenance import Provenance
from localsr.images.reading import Source, file_bytes, read
from localsr.images.source import original
from localsr.images.writing import Canvas, checked_format, left_out, srgb, write

__all__ = [
    "FORMATS",
    "MAX_SIDES",
    "Canvas",
    "Photo",
    "Provenance",
    "Saving",
    "Source",
    "check_quality",
    "checked_format",
    "file_bytes",
    "left_out",
    "notes_of",
    "original",
    "read",
    "srgb",
    "write",
]
