"""The gate: a fused region counts where it predicts a frame that it was not made from better than one frame does.

Its known hole: maps that are wrong all alike predict one another well.
"""

from __future__ import annotations

import numpy as np

from localsr.frames.alignment import Pixels, View
from localsr.frames.fusion import Plane, consistency, seen
from localsr.frames.registration import opencv
from localsr.geometry import Box

NEIGHBOURHOOD = 6.0  # LR px over which errors are averaged
SHARPNESS = 0.1  # of the single result's error: a difference as large opens or closes the gate
HANDICAP = 0.5  # of such a difference, by which the fused result must be better: costs 0.01 dB, saves 0.04 at worst


def gate(single: Pixels, held_out: Pixels, view: View, reference: Pixels, region: Box, scale: int) -> Plane:
    """Return the share `(s h, s w)` of the fused result at each pixel, in [0, 1].

    Args:
        single: The region from the reference alone, `(s h, s w, 3)`.
        held_out: The region from all frames but the one of `view`.
        view: The frame to be predicted, in the reference's window.
        reference: The reference's window.
        region: Where it lies in the window, in LR px.
        scale: How many times it is enlarged.
    """
    cv2 = opencv()
    places = (view.back - np.array((region.left, region.top), np.float32)) * scale + np.float32((scale - 1) / 2)
    errors = []
    believed = consistency(reference, [view])[0][region.rows, region.columns]
    for restored in (single, held_out):
        predicted = cv2.remap(seen(restored, scale), places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        wrong = np.square(predicted - view.pixels).mean(-1)
        here = cv2.remap(wrong, view.there, None, cv2.INTER_LINEAR)[region.rows, region.columns]
        smooth = [cv2.GaussianBlur(part, (0, 0), NEIGHBOURHOOD) for part in (here * believed, believed)]
        errors.append(smooth[0] / (smooth[1] + 1e-3))
    one, other = errors
    better = np.clip((one - other) / (SHARPNESS * one + 1e-6) - HANDICAP, -20, 20)
    share = (1 / (1 + np.exp(-better))).astype(np.float32)
    enlarged: Plane = cv2.resize(share, single.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return enlarged
