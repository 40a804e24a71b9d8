"""CLSR (Sec. 3.1, Fig. 3): a backbone on the ROI, the GCM and the PIM; without those two, the backbone alone."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from localsr.conditions import Conditions
from localsr.errors import ConfigError
from localsr.geometry import Box
from localsr.models.backbone import Backbone, crop
from localsr.models.carn import CARN
from localsr.models.cells import Cells
from localsr.models.compact import Compact
from localsr.models.conditioning import Conditioning, modulate
from localsr.models.config import ModelConfig
from localsr.models.context import GlobalContext
from localsr.models.counting import count
from localsr.models.edsr import EDSR
from localsr.models.patches import Context
from localsr.models.proximity import Proximity
from localsr.models.rcan import RCAN
from localsr.models.rrdb import RRDBNet
from localsr.models.span import SPAN
from localsr.models.srresnet import SRResNet
from localsr.models.swinir import SwinIR
from localsr.models.windows import ContextGeometry, NetworkGeometry, Taper
from localsr.models.work import WorkLoad

Near = tuple[list[Tensor], Box]  # the PIM's p_1, p_2, ... and the window that they cover
BACKBONES: dict[str, type[Backbone]] = {
    "edsr": EDSR,
    "carn": CARN,
    "srresnet": SRResNet,
    "rcan": RCAN,
    "swinir": SwinIR,
    "rrdb": RRDBNet,
    "compact": Compact,
    "span": SPAN,
}


class CLSR(nn.Module):
    """The network of one config, which satisfies `pytorch.network.TensorNetwork`."""

    runtime: ClassVar[str] = "torch"  # what computes it

    def __init__(self, config: ModelConfig) -> None:
        """Build with random weights; the context modules add nothing yet."""
        super().__init__()
        if config.backbone not in BACKBONES:
            raise ConfigError(f"no backbone {config.backbone!r}; choose one of {', '.join(BACKBONES)}")
        backbone = BACKBONES[config.backbone]
        self.config = config
        self.backbone = backbone(config.without_context())
        step = math.lcm(self.backbone.multiple, self.backbone.unit * config.gcm_stride)
        if config.gcm and config.gcm_patch % step:
            raise ConfigError(f"gcm_patch {config.gcm_patch} is not a multiple of {config.backbone}'s {step}")
        self.clean = backbone(config.without_context()).requires_grad_(False) if config.clean else None
        self.conditioning = Conditioning(config) if config.conditioned else None
        self.modulation: Tensor | None = None
        self.cells = Cells(config) if config.cells else None
        self.gcm = GlobalContext(config, backbone) if config.gcm else None
        self.pim = Proximity(config, backbone) if config.pim else None

    def with_halo(self, halo: int) -> Self:
        """Return this network, its weights shared, keeping `halo` LR px around an ROI at every step."""
        other = copy.copy(self)
        other.config = self.config.with_halo(halo)
        return other

    @property
    def conditioned(self) -> bool:
        """Whether it can be told how a picture was degraded."""
        return self.conditioning is not None

    def with_conditions(self, conditions: Conditions) -> Self:
        """Return this network, its weights shared, told how the picture was degraded; itself if it cannot be told."""
        if self.conditioning is None:
            return self
        if self.clean is not None and conditions.negligible:
            return self.undegraded()
        with torch.inference_mode():
            told = next(self.conditioning.parameters()).new_tensor([conditions.encoded()])
            return self.modulated(self.conditioning(told))

    @property
    def is_undegraded(self) -> bool:
        """Whether this is what `undegraded` returns."""
        return self.clean is not None and self.backbone is self.clean

    def undegraded(self) -> Self:
        """Return this network, its weights shared, with the backbone that it has for clean pictures."""
        other = copy.copy(self)
        other._modules = {**self._modules, "backbone": self.clean}
        other.modulation = None
        return other

    def modulated(self, modulation: Tensor) -> Self:
        """Return this network, its weights shared, with gains and offsets that `conditioning` made."""
        other = copy.copy(self)
        other.modulation = modulation
        return other

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.parameters()).device

    @property
    def geometry(self) -> NetworkGeometry:
        """Where it looks."""
        config, backbone = self.config, self.backbone
        return NetworkGeometry(
            config.scale,
            config.halo,
            backbone.receptive_field,
            backbone.multiple,
            () if self.pim is None else self.pim.reach,
            None if self.gcm is None else _context_geometry(config, self.gcm),
            backbone.unit,
        )

    def count_work(self, taper: Taper, near: Box, patches: int) -> WorkLoad:
        """Count what restoring one ROI takes: its windows, and of how many patches it asks keys and values."""
        return count_work(self.config, taper, near, patches)

    def count_scene(self, patches: int) -> WorkLoad:
        """Count what making keys and values of so many patches takes; nothing without GCM."""
        return count_scene(self.config, patches)

    def forward(
        self,
        x: Tensor,
        taper: Taper,
        origins: Tensor,
        context: Context[Tensor] | None = None,
        near: Near | None = None,
        modulation: Tensor | None = None,
    ) -> Tensor:
        """Restore B ROIs of one taper: `(B, 3, h, w)` RGB in [0, 1] -> `(B, 3, s roi.h, s roi.w)`, not clamped.

        `x` is the taper's first window, with or without cells' bands; all boxes are in coordinates whose 0, 0 lies at
        `origins` `(B, 2)`, x and y in LR px of the pictures, multiples of the geometry's `grid`. `context` is
        `gcm.encode`'s; `near` the PIM's p_k and their window; `modulation` is `conditioning`'s.
        """

        def add(k: int, z: Tensor) -> Tensor:
            z = fuse(modulate(z, modulation, k), k, taper, near)
            if context is not None and self.gcm is not None and k == self.config.gcm_after:
                z = z + self.gcm(z, taper.windows[k], origins, context)
            return z

        beside = self.cells(x[:, 3:]) if self.cells is not None and x.shape[1] > 3 else None
        y: Tensor = self.backbone(x[:, :3], taper, add, beside)
        return y

    def encode(self, patches: Tensor, corners: Tensor) -> Context[Tensor] | None:
        """Make keys and values of patches `(1, N, 3, r, r)` at `corners` `(1, N, 2)`; None without GCM."""
        return None if self.gcm is None else self.gcm.encode(patches, corners)

    def restore(
        self, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context[Tensor] | None
    ) -> Tensor:
        """Restore as `forward` does from all that is read, `pixels` `(B, 3, h, w)` of the window `near`."""
        x, p = self._split(pixels, near, taper)
        y: Tensor = self(x, taper, origins, context, p, self.modulation)
        return y

    def attention(self, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context[Tensor]) -> Tensor:
        """Return the weights `(B, heads, queries, tokens)` with which the GCM draws on the patches (Fig. 8)."""
        if self.gcm is None:
            raise ConfigError("this network has no global context module, so there is no attention to show")
        x, p = self._split(pixels, near, taper)
        k = self.config.gcm_after
        features = self.backbone.deep(x, taper, k, lambda k, z: fuse(modulate(z, self.modulation, k), k, taper, p))
        return self.gcm.weights(features.z, taper.windows[k], origins, context)

    def _split(self, pixels: Tensor, near: Box, taper: Taper) -> tuple[Tensor, Near | None]:
        """Return what the head reads of `pixels`, and what the PIM makes of all of them."""
        p = (self.pim(pixels)[0], near) if self.pim is not None else None
        return crop(pixels, taper.windows[0].within(near)).contiguous(memory_format=torch.channels_last), p


def started(config: ModelConfig, plain: CLSR) -> CLSR:
    """Build a network on a trained backbone (Sec. 4.1), whose first stages start G too; its context adds nothing yet.

    A backbone of another scale lends all but its upsampler; attention that it lacks weighs nothing yet. Raises
    `ConfigError` naming what does not fit.
    """
    network = CLSR(config)
    given, wanted = plain.backbone.state_dict(), network.backbone.state_dict()
    lacks_attention = config.pixel_attention and not plain.config.pixel_attention
    parts = ["upsample."] * (plain.config.scale != config.scale) + [".attention."] * lacks_attention
    fresh = {name for name in given.keys() | wanted.keys() if any(part in name for part in parts)}
    given = {name: tensor for name, tensor in given.items() if name not in fresh}
    given |= {name: tensor for name, tensor in wanted.items() if name in fresh}
    _refuse_others(given, wanted, f"a {config.backbone} cannot start from this {plain.config.backbone}")
    network.backbone.load_state_dict(given)
    if network.clean is not None:
        network.clean.load_state_dict(given if plain.clean is None else plain.clean.state_dict())
    for mine, theirs in ((network.conditioning, plain.conditioning), (network.cells, plain.cells)):
        if mine is not None and theirs is not None:
            mine.load_state_dict(theirs.state_dict())
    if network.gcm is not None:
        network.gcm.extractor.load_state_dict({name: given[name] for name in network.gcm.extractor.state_dict()})
    return network


def blended(network: CLSR, other: CLSR, share: float) -> CLSR:
    """Return a copy of a network whose backbone is, by `share` in [0, 1], that of another.

    Where one was trained on from the other, a little of it brings back what the training forgot (Wortsman et al.,
    Robust fine-tuning of zero-shot models, 2022). Raises `ConfigError` naming what does not fit.
    """
    mine, theirs = network.backbone.state_dict(), other.backbone.state_dict()
    _refuse_others(theirs, mine, f"a {network.config.backbone} cannot be blended with this {other.config.backbone}")
    blend = copy.deepcopy(network)
    blend.backbone.load_state_dict({name: tensor.lerp(theirs[name].to(tensor), share) for name, tensor in mine.items()})
    return blend


def _refuse_others(given: dict[str, Tensor], wanted: dict[str, Tensor], told: str) -> None:
    """Raise `ConfigError` if two backbones differ in the names or shapes of their tensors, and say in which."""

    def shape(tensors: dict[str, Tensor], name: str) -> str:
        return str(tuple(tensors[name].shape)) if name in tensors else "missing"

    differing = [
        f"{name} is {shape(given, name)}, not {shape(wanted, name)}"
        for name in sorted(given.keys() | wanted.keys())
        if shape(given, name) != shape(wanted, name)
    ]
    if differing:
        raise ConfigError(f"{told}: {'; '.join(differing[:5])}")


def fuse(z: Tensor, k: int, taper: Taper, near: Near | None) -> Tensor:
    """F of Eq. 6: add p_k, cut to the window after stage k, to as many of the first channels of z `(B, c, h, w)`."""
    if near is None or k == 0:
        return z
    p = crop(near[0][k - 1], taper.windows[k].within(near[1]), taper.unit)
    slim = p.shape[1]
    return torch.cat([z[:, :slim] + p, z[:, slim:]], dim=1)


def _context_geometry(config: ModelConfig, gcm: GlobalContext) -> ContextGeometry:
    """Return the geometry of a config's GCM."""
    width = config.channels // gcm.heads
    patch, patches, after = config.gcm_patch, config.gcm_patches, config.gcm_after
    return ContextGeometry(patch, patches, gcm.cell, gcm.heads, width, after, gcm.reach)


@lru_cache(maxsize=8)
def without_weights(config: ModelConfig) -> CLSR:
    """Build a network on the meta device, where work is counted and nothing computed."""
    with torch.device("meta"):
        return CLSR(config).eval()


@lru_cache(maxsize=4096)
def count_work(config: ModelConfig, taper: Taper, near: Box, patches: int) -> WorkLoad:
    """Count what restoring one ROI takes by the network of a config."""
    return count(roi_work(config, taper, near, patches))


def roi_work(config: ModelConfig, taper: Taper, near: Box, patches: int) -> Callable[[], Tensor]:
    """Return what restores one ROI by the network of a config on the meta device."""
    network = without_weights(config)
    context, shape = None, network.geometry.context
    if shape is not None:
        tokens = shape.tokens(patches)
        keys = torch.empty(1, shape.heads, tokens, shape.width, device="meta")
        context = Context(keys, keys, torch.empty(1, tokens, 2, device="meta"))
    pixels, origins = torch.empty(1, 3, near.height, near.width, device="meta"), torch.empty(1, 2, device="meta")
    if network.conditioning is not None:  # gains and offsets are made once a picture, what they change with each ROI
        network = network.modulated(network.conditioning(torch.empty(1, 3, device="meta")))
    return lambda: network.restore(pixels, near, taper, origins, context)


@lru_cache(maxsize=64)
def count_scene(config: ModelConfig, patches: int) -> WorkLoad:
    """Count what making keys and values of so many patches takes by the network of a config."""
    return count(scene_work(config, patches)) if config.gcm else WorkLoad(0, 0)


def scene_work(config: ModelConfig, patches: int) -> Callable[[], Context[Tensor] | None]:
    """Return what makes keys and values of so many patches by the network of a config on the meta device."""
    network, side = without_weights(config), config.gcm_patch
    pixels, corners = torch.empty(1, patches, 3, side, side, device="meta"), torch.empty(1, patches, 2, device="meta")
    return lambda: network.encode(pixels, corners)
