"""The architecture of a network: a frozen config that is checked when made and stored in the checkpoint."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass
from typing import Any, Self

from localsr.errors import ConfigError

SCALES = (1, 2, 3, 4, 8)  # 1 restores at its own size; the networks of the paper have 2, 3 and 4
FUSIONS = ("add", "project")  # F of Eq. 6
UPSAMPLERS = ("pixelshuffle", "pixelshuffledirect")  # as SwinIR's authors name theirs
ACTIVATIONS = ("prelu", "relu", "leakyrelu")  # as the authors of SRVGGNetCompact name theirs
MAX_SETTING = 4096  # of a whole number
MAX_HALO = 256  # LR px
MAX_BLOCKS = 1024  # RCAN, the deepest of the paper's networks, has 200; a block takes 0.3 ms to build


@dataclass(frozen=True)
class ModelConfig:
    """The architecture of one network; a plain backbone unless `gcm` or `pim` is set.

    The defaults are the small network for the CPU: 64 channels fill AVX-512 lanes, there are no groups (which have a
    third of the speed of plain convolutions there), and an LR pixel costs 1.02 MFLOPs at x4, against CARN-M's 1.14.
    """

    backbone: str = "edsr"  # a key of models.BACKBONES
    scale: int = 4  # s in the paper
    channels: int = 64  # c in the paper
    stages: int = 3  # the PIM is fused after each one
    blocks: int = 2  # residual blocks in a stage
    groups: int = 1  # of the 3x3 convolutions; CARN-M has 4
    pixel_attention: bool = False  # whether EDSR's residual blocks weigh what they add place by place
    efficient: bool = True  # CARN's residual-E blocks with shared weights (CARN-M), or else plain ones
    reduction: int = 16  # of RCAN's channel attention
    pooled: bool = True  # whether RCAN has channel attention, which averages over all it is given
    heads: int = 6  # of SwinIR's window attention
    upsampler: str = "pixelshuffle"  # SwinIR's, one of UPSAMPLERS
    features: int = 64  # channels of SwinIR's pixelshuffle
    growth: int = 32  # channels that each convolution of RRDBNet's dense blocks adds
    unshuffle: int = 1  # px of the side of a square that is one place of RRDBNet's feature maps
    activation: str = "prelu"  # of SRVGGNetCompact, one of ACTIVATIONS
    centred: bool = True  # whether SPAN takes the mean colour off its input
    halo: tuple[int, ...] = (4, 3, 2, 2)  # LR px kept around the ROI: at the head, then after each stage
    conditioned: bool = False  # whether it is told how the picture was degraded
    clean: bool = False  # whether it has a second backbone, which restores pictures that were not degraded at all
    cells: bool = False  # whether it reads what other frames say, beside the picture
    gcm: bool = False  # global context module, Sec. 3.2
    gcm_after: int = 1  # the stage that it follows; G is the head and as many stages
    gcm_blocks: int = 2  # blocks in a stage of G, at most: they cost FLOPs on each patch
    gcm_patches: int = 64  # N: an 8 x 8 grid over the picture whatever its size
    gcm_patch: int = 6  # r in LR px, Sec. 4.1
    gcm_stride: int = 2  # of S_down and S_up; bilinear reduction by 2 is the mean of 2 x 2
    gcm_heads: int = 4
    pim: bool = False  # proximity integration module, Sec. 3.3
    pim_channels: int = 8  # c' = c / 10, rounded up to half an AVX-512 lane and CARN-M's groups
    pim_blocks: int = 1  # blocks in a stage of the slim branch
    fusion: str = "add"  # of the PIM: "add" to the first c' channels (Eq. 6), or "project" to all c

    def __post_init__(self) -> None:
        object.__setattr__(self, "halo", tuple(self.halo))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if type(value) is not type(field.default):
                kind = type(field.default).__name__
                raise ConfigError(f"model setting {field.name} = {value!r} must be of type {kind}")
            if type(value) is int and not 1 <= value <= MAX_SETTING:
                raise ConfigError(f"model setting {field.name} = {value} must be between 1 and {MAX_SETTING}")
        if self.stages * max(self.blocks, self.pim_blocks) > MAX_BLOCKS:
            raise ConfigError(f"{self.stages} stages of {self.blocks} blocks are more than {MAX_BLOCKS} blocks")
        for name, known in (
            ("scale", SCALES),
            ("fusion", FUSIONS),
            ("upsampler", UPSAMPLERS),
            ("activation", ACTIVATIONS),
        ):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} {getattr(self, name)} is not one of {', '.join(map(str, known))}")
        if self.scale * self.unshuffle not in SCALES:
            raise ConfigError(f"unshuffle {self.unshuffle} would enlarge x{self.scale * self.unshuffle} within")
        steps = self.stages + 1
        if len(self.halo) != steps or any(type(h) is not int or not 0 <= h <= MAX_HALO for h in self.halo):
            raise ConfigError(
                f"halo {self.halo} must be {steps} whole numbers from 0 to {MAX_HALO}: head and each stage"
            )
        if any(a < b for a, b in zip(self.halo, self.halo[1:], strict=False)):
            raise ConfigError(f"halo {self.halo} must not grow on its way through the network")
        if self.channels % self.groups or (self.gcm and self.channels % self.gcm_heads):
            raise ConfigError(f"{self.channels} channels do not divide into {self.groups} groups and the GCM's heads")
        if self.clean and not self.conditioned:
            raise ConfigError("clean pictures are told by conditions: set conditioned too, or leave clean out")
        if self.cells and not self.plain:
            raise ConfigError("cells are read by a network without context: leave gcm and pim out")
        if self.gcm and not self.gcm_after <= self.stages:
            raise ConfigError(f"gcm_after = {self.gcm_after}, but there are {self.stages} stages")
        if self.gcm and self.gcm_patch % self.gcm_stride:
            raise ConfigError(f"gcm_patch {self.gcm_patch} is not a multiple of gcm_stride {self.gcm_stride}")
        if self.pim and (self.pim_channels > self.channels or self.pim_channels % self.groups):
            raise ConfigError(
                f"pim_channels {self.pim_channels} must divide into {self.groups} groups and be at most {self.channels}"
            )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from a recipe's table or a checkpoint's header; raise `ConfigError` for what a config has not."""
        refuse_unknown(values, cls, "model setting")
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**plain)

    def to_dict(self) -> dict[str, Any]:
        """Return every setting as plain values, for a header."""
        return dataclasses.asdict(self)

    @property
    def bands(self) -> int:
        """How many maps it reads: the colours, and with cells a sum and weight for s x s places and 4 for a pixel."""
        return 3 + self.cells * (4 * self.scale**2 + 4)

    @property
    def plain(self) -> bool:
        """Whether this is a backbone alone, without context."""
        return not (self.gcm or self.pim)

    def without_context(self) -> Self:
        """Return the config of this network's backbone alone."""
        return dataclasses.replace(self, gcm=False, pim=False)

    def with_context(self) -> Self:
        """Return the config of the CLSR network around this backbone."""
        return dataclasses.replace(self, gcm=True, pim=True)

    def with_halo(self, halo: int) -> Self:
        """Return the config of the same network with `halo` LR px at every step."""
        return dataclasses.replace(self, halo=(halo,) * (self.stages + 1))

    def slim(self) -> Self:
        """Return the PIM's form of the backbone: fewer channels and blocks, as many stages, and local (Sec. 3.3)."""
        c, blocks = self.pim_channels, self.pim_blocks
        growth = max(1, self.growth * c // self.channels)  # else a dense block of 8 channels grows by 32 four times
        plain = dataclasses.replace(self.without_context(), conditioned=False, clean=False, pixel_attention=False)
        return dataclasses.replace(plain, channels=c, features=c, growth=growth, blocks=blocks, pooled=False)

    def extractor(self) -> Self:
        """Return the form of the backbone whose head and stages are G (Sec. 3.2)."""
        stages, blocks = self.gcm_after, min(self.blocks, self.gcm_blocks)
        plain = dataclasses.replace(self.without_context(), conditioned=False, clean=False)
        return dataclasses.replace(plain, stages=stages, blocks=blocks, halo=self.halo[: stages + 1])


def refuse_unknown(values: dict[str, Any], config: type[Any], what: str) -> None:
    """Raise `ConfigError` for a key that the dataclass `config` does not have; the message names the nearest one."""
    known = [field.name for field in dataclasses.fields(config)]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise ConfigError(f"unknown {what} {key!r}; {hint}")
