"""A region restored from several frames, and what each of them brought."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from localsr.frames.alignment import FrameUse
from localsr.geometry import Enlargement
from localsr.inference.restoration import Restoration, reduced


@dataclass(frozen=True, repr=False, kw_only=True)
class FusedRestoration(Restoration):
    """A region restored from several frames, and what each of them brought.

    Example:
        >>> import localsr, numpy as np
        >>> noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        >>> frames = localsr.read_frames([noise[:60, :60], noise[1:61, 1:61], noise[2:62, 1:61]])
        >>> found = localsr.load("edsr-light-x4", device="cpu").encode(frames).restore(localsr.Box(20, 20, 40, 40))
        >>> [use.used for use in found.uses], found.single.shape
        ([True, True], (3, 80, 80))
    """

    single: NDArray[np.float32]  # (3, s h, s w), from the reference alone
    uses: tuple[FrameUse, ...]  # of each frame but the reference
    share: NDArray[np.float32]  # (s h, s w) in [0, 1]: of the fused result at each pixel; the rest is the single one's
    weights: dict[str, NDArray[np.float32]]  # (h, w) in [0, 1], by the names of used frames: how much LR pixels count

    def reduced(self, to: Enlargement) -> Self:
        """Return the restoration at a smaller scale or size; see `Restoration.reduced`."""
        found = super().reduced(to)
        if found is self:
            return self
        share = reduced(self.share[None], found.size)[0]
        return replace(found, single=reduced(self.single, found.size), share=share)

    def frames_as_dict(self) -> dict[str, Any]:
        """Return what became of each frame, and the mean share of the fused result, as plain values for JSON."""
        used = [
            {"frame": use.name, "correlation": round(use.correlation, 4), "motion": [round(px, 3) for px in use.motion]}
            for use in self.uses
            if use.used
        ]
        left_out = [{"frame": use.name, "reason": use.reason} for use in self.uses if not use.used]
        return {"used": used, "left_out": left_out, "fused_share": round(float(self.share.mean()), 4)}
