"""The networks by name: the paper's five backbones (Table 1), the authors' other CARN, and ours for the CPU.

Each is the plain backbone; `PRESETS[name].with_context()` is its CLSR. Halos shrink to 2 px at the upsampler: those are
worth 1 dB, more of them 0.002 dB. c' is c / 10, rounded to what groups and heads allow.
"""

from __future__ import annotations

from localsr.models.config import ModelConfig

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
}
