"""Where regions come from: text, annotation files, masks, detectors; all end as boxes of the upright picture.

For one picture, one frozen value that any process may be sent:

    given = (text("40,60,128,96"), text("10%,10%,50%,50%"))
    regions = Regions(given, detect=("face",), margin=Margin.parse("10%"), min_size=16, merge=True, clip=False)
    for found in regions.of(photo):  # a localsr.Photo
        found.box, found.label, found.score

`given` are `Region`s, not yet of a picture: pixels or shares, what `text` and `read` give; `detect` are names of
`detectors.names()` or paths of ONNX files. `of` rounds outward to whole pixels, checks (or cuts, with `clip`), drops
what is smaller than `min_size`, grows by `margin` up to the picture's border, and with `merge` unites what overlaps.

For many pictures, `read(path)` gives `Annotations` of a file (COCO JSON, LabelMe, Pascal VOC, YOLO text, JSON lines,
a mask) or of a folder of such files:

    annotations = read(Path("instances.json"))
    annotations.pictures  # {"train/a.jpg": (Region, ...), ...} by the name that the file gives, "" for any picture
    annotations.of("/data/train/a.jpg")  # the regions of this picture, () if there are none, BoxError if unclear

Whatever is malformed raises `BoxError`, which names the file, the line or entry, and the reason: at `read` for a file
that is not what it says, at `of(photo)` for a region that cannot be of that picture, so that one bad entry among many
pictures costs one picture. A detector that is not there raises `ConfigError`.

All coordinates are of the upright picture, its camera's rotation applied, as viewers and annotation tools show it. A
file that states a picture's size and means another (the same one lying on its side too) is refused.
"""

from localsr.regions.annotations import Annotations, read, read_lines
from localsr.regions.region import Found, Margin, Region, Regions
from localsr.regions.text import text

__all__ = ["Annotations", "Found", "Margin", "Region", "Regions", "read", "read_lines", "text"]
