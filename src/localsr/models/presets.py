"""The networks by name: the paper's five backbones (Table 1), the authors' other CARN, and ours for the CPU.

Each is the plain backbone; `PRESETS[name].with_context()` is its CLSR. Halos taper to 2 px at the upsampler, which are
worth 1 dB there, while more are worth 0.002 dB; c' is c / 10, rounded to what groups and heads allow.
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
        halo=(4, 4, 4, 4, 2),  # 24 px and 4 at each side are four windows
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
    "esrgan": ModelConfig(backbone="rrdb", stages=23, blocks=1, halo=(48, *range(47, 25, -1), 16), pim_blocks=1),
    "esrgan-6b": ModelConfig(backbone="rrdb", stages=6, blocks=1, halo=(48, 43, 38, 33, 28, 22, 16)),
    "compact": ModelConfig(backbone="compact", stages=4, blocks=4, halo=(18, 15, 12, 9, 6)),
    "compact-32": ModelConfig(backbone="compact", stages=8, blocks=4, halo=(34, 31, 27, 24, 20, 17, 13, 10, 6)),
}
