"""CLSR (Sec. 3.1, Fig. 3): a backbone on the ROI, the GCM and the PIM; without those two, the backbone alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from localsr.errors import ConfigError
from localsr.geometry import Box, Size
from localsr.models.backbone import Backbone, Taper, crop
from localsr.models.carn import CARN
from localsr.models.config import ModelConfig
from localsr.models.context import Context, GlobalContext
from localsr.models.edsr import EDSR
from localsr.models.proximity import Proximity

BACKBONES: dict[str, type[Backbone]] = {"edsr": EDSR, "carn": CARN}


class CLSR(nn.Module):
    """The network of one config."""

    def __init__(self, config: ModelConfig) -> None:
        """Build with random weights; the context modules add nothing yet."""
        super().__init__()
        if config.backbone not in BACKBONES:
            raise ConfigError(f"no backbone {config.backbone!r}; choose one of {', '.join(BACKBONES)}")
        backbone = BACKBONES[config.backbone]
        self.config = config
        self.backbone = backbone(config.without_context())
        self.gcm = GlobalContext(config, backbone) if config.gcm else None
        self.pim = Proximity(config, backbone) if config.pim else None

    @property
    def exact_halo(self) -> tuple[int, ...]:
        """The halo at each step with which a tile of an ROI comes out as the whole ROI does."""
        halo = self.backbone.exact_halo
        if self.gcm is None:
            return halo
        reach, last = self.gcm.reach, self.config.gcm_after
        return tuple(h + reach if k <= last else h for k, h in enumerate(halo))

    @property
    def grid(self) -> int:
        """LR px whose multiples a window may be moved by without changing what the network makes of it."""
        return self.config.gcm_stride if self.gcm is not None else 1

    def near(self, taper: Taper, size: Size) -> Box:
        """Give the window that the PIM must read: wherever it is fused, its features are as on the whole picture."""
        near = taper.windows[0]
        if self.pim is not None:
            for window, reach in zip(taper.windows[1:], self.pim.reach, strict=True):
                near = near.union(window.grow(reach).clipped(size))
        return near

    def forward(
        self,
        x: Tensor,
        taper: Taper,
        origins: Tensor,
        context: Context | None = None,
        near: tuple[list[Tensor], Box] | None = None,
    ) -> Tensor:
        """Restore B ROIs of one taper: `(B, 3, h, w)` RGB in [0, 1] -> `(B, 3, s roi.h, s roi.w)`, not clamped.

        `x` is the taper's first window; all boxes are in coordinates whose 0, 0 lies at `origins` `(B, 2)`, x and y in
        LR px of the pictures, multiples of `grid`. `context` is `gcm.encode`'s; `near` the PIM's p_k and their window.
        """

        def add(k: int, z: Tensor) -> Tensor:
            window = taper.windows[k]
            if near is not None:
                p, covered = near
                z = fuse(z, crop(p[k - 1], window.within(covered)))
            if context is not None and self.gcm is not None and k == self.config.gcm_after:
                z = z + self.gcm(z, window, origins, context)
            return z

        y: Tensor = self.backbone(x, taper, add)
        return y


def fuse(z: Tensor, p: Tensor) -> Tensor:
    """F of Eq. 6: add `p` `(B, c', h, w)` to the first c' channels of `z` `(B, c, h, w)`."""
    slim = p.shape[1]
    return torch.cat([z[:, :slim] + p, z[:, slim:]], dim=1)
