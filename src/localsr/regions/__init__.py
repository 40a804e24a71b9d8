"""Where regions come from: text, annotation files, masks, detectors; all end as boxes of the upright picture.

For one picture, `RegionRequest` is all that is asked of it::

    request = RegionRequest((text("40,60,128,96"),), detect=("face",), margin=Margin.parse("10%"), merge=True)
    for found in request.find(photo):  # a localsr.Photo
        found.box, found.label, found.score

For many pictures, `read` returns the `Annotations` of a file (COCO JSON, LabelMe, Pascal VOC, YOLO text, JSON lines, a
mask) or of a folder of such files::

    annotations = read("instances.json")
    annotations.of("/data/train/a.jpg")  # the regions of this picture

Whatever is malformed raises `BoxError`, which names the file, the line or entry, and the reason: at `read` for a file
that is not what it says, at `find` for a region that cannot be read or be of that picture; `sift` returns such regions
beside the good ones, so that one bad entry costs itself only. A detector that is not there raises `ConfigError`.

All coordinates are of the upright picture, its camera's rotation applied, as viewers and annotation tools show it. A
file that states a picture's size and means another (the same one lying on its side too) is refused.
"""

from localsr.regions.annotations import Annotations, read, read_lines
from localsr.regions.region import Found, Region
from localsr.regions.request import Margin, RefusedRegion, RegionRequest
from localsr.regions.text import text

__all__ = ["Annotations", "Found", "Margin", "RefusedRegion", "Region", "RegionRequest", "read", "read_lines", "text"]
