"""What the frames of a clip show of a box, as the page shows them."""

from __future__ import annotations

from localsr.drawing.frame_report import frame_strip
from localsr.geometry import Box
from localsr.html_pages import data_url
from localsr.inference.fused_scene import FusedScene
from localsr.serving.messages import FrameFacts


def strip_facts(scene: FusedScene, box: Box) -> list[FrameFacts]:
    """Return what each frame shows of a box, and whether it is used: the reference first."""
    uses = scene.uses(box)
    shown = {one.name: data_url(one.png) for one in frame_strip(scene.frames, box, uses)}
    own = FrameFacts(scene.frames.name, True, "", 1.0, (0.0, 0.0), shown[scene.frames.name])
    others = (FrameFacts(u.name, u.used, u.reason, u.correlation, u.motion, shown.get(u.name, "")) for u in uses)
    return [own, *others]
