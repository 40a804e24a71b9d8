"""Sizes and boxes, in whole pixels of the upright picture: what every region becomes before anything is computed."""

from localsr.geometry.box import Box, whole
from localsr.geometry.enlargement import MAX_SCALE, AskedSize, Enlargement
from localsr.geometry.size import Size
from localsr.geometry.tiling import MAX_STRIP_PIXELS, checked_boxes, snapped, strips, tiles

__all__ = [
    "MAX_SCALE",
    "MAX_STRIP_PIXELS",
    "AskedSize",
    "Box",
    "Enlargement",
    "Size",
    "checked_boxes",
    "snapped",
    "strips",
    "tiles",
    "whole",
]
