"""The networks by name: the paper's five backbones (Table 1), the authors' other CARN, and ours for the CPU.

Each is the plain backbone; `PRESETS[name].with_context()` is its CLSR. Halos shrink to 2 px at the upsampler: those are
worth 1 dB, more of them 0.002 dB. c' is c / 10, rounded to what groups and heads allow.
"""

from __future__ import annotations

from localsr.models.config import ModelConfig


def tapered(first: int, stages: int) -> tuple[int, ...]:
    """Return halos of `first` LR px at the head, falling evenly to a third of it after the last of the stages.

    Measured with Real-ESRGAN's networks: 48 px that fall to 16 give 77 dB against the whole picture at 55 % of its
    cost, where 32 px at every step give 67 dB at 58 %.
    """
    return tuple(round(first * (1 - 2 / 3 * k / stages)) for k in range(stages + 1))


PRESETS = {
    "edsr-light": ModelConfig(),
    "carn-m": ModelConfig(backbone="carn", groups=4, blocks=3),
    "carn": ModelConfig(backbone="carn", efficient=False, blocks=3),
    "srresnet": ModelConfig(backbone="srresnet", stages=4, blocks=4, halo=(4, 3, 2, 2, 2), pim_blocks=2),
    "rcan": ModelConfig(backbone="rcan", stages=10, blocks=20, halo=(2,) * 11),
    "swinir-light": ModelConfig(
        backbone="swinir",
        channels=60,
        stages=4,
        blocks=6,
        halo=(4, 4, 4, 4, 2),  # 24 px and 4 on each side are four windows
        gcm_patch=8,  # a window
        pim_channels=6,
        pim_blocks=2,
    ),
    "swinir": ModelConfig(
        backbone="swinir",
        channels=180,
        stages=6,
        blocks=6,
        halo=(4, 4, 4, 4, 4, 4, 2),
        gcm_patch=8,
        gcm_blocks=1,
        gcm_patches=16,
        pim_channels=18,
    ),
    "esrgan": ModelConfig(backbone="rrdb", stages=23, blocks=1, halo=tapered(80, 23)),
    "esrgan-6b": ModelConfig(backbone="rrdb", stages=6, blocks=1, halo=tapered(48, 6)),
    "esrgan-x2": ModelConfig(
        backbone="rrdb", scale=2, unshuffle=2, stages=23, blocks=1, halo=tapered(160, 23), gcm_patch=8
    ),
    "compact": ModelConfig(backbone="compact", stages=4, blocks=4, halo=tapered(18, 4)),
    "compact-32": ModelConfig(backbone="compact", stages=8, blocks=4, halo=tapered(34, 8)),
    "span": ModelConfig(backbone="span", channels=48, stages=6, blocks=1, halo=tapered(20, 6)),
}
