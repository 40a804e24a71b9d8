"""What several tests share: tiny networks with random weights, and the data that lies beside a checkout."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from torch import nn

import localsr
from localsr.geometry import Box
from localsr.models.checkpoint import Card
from localsr.models.clsr import CLSR
from localsr.models.config import ModelConfig

BOXES = [  # of a picture of 60 x 50 px: one px, odd sizes, alike but for their place, at each border and corner, all
    Box(30, 20, 31, 21),
    Box(11, 7, 18, 12),
    Box(18, 13, 42, 37),
    Box(19, 14, 43, 38),
    Box(0, 0, 9, 9),
    Box(51, 0, 60, 5),
    Box(0, 41, 8, 50),
    Box(47, 45, 60, 50),
    Box(59, 49, 60, 50),
    Box(0, 0, 60, 50),
]
SHARED = Path(__file__).parents[2] / "shared"

torch.set_num_threads(2)
settings.register_profile("short", deadline=None)  # a busy machine is no fault of what is tested
settings.register_profile("long", deadline=None, max_examples=20_000)  # `make regions`
settings.load_profile("short")


def awake(config: ModelConfig, seed: int = 0) -> CLSR:
    """A network whose context modules say something, as after training."""
    torch.manual_seed(seed)
    network = CLSR(config)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.5 / module.weight[0].numel() ** 0.5)
    if network.pim is not None:
        if network.pim.gain is not None:
            nn.init.normal_(network.pim.gain)
    return network.to(memory_format=torch.channels_last).eval()


def tiny(backbone: str = "edsr", *, scale: int = 4, context: bool = True) -> ModelConfig:
    """A network of 16 channels and 2 stages; RCAN without pooling, which no halo can make exact."""
    special: dict[str, dict[str, object]] = {
        "carn": {"blocks": 2, "groups": 2},
        "rcan": {"pooled": False},
        "swinir": {"blocks": 2, "heads": 4, "features": 8, "gcm_patch": 8},
    }
    return ModelConfig(
        backbone=backbone,
        scale=scale,
        channels=16,
        stages=2,
        halo=(3, 2, 2),
        **{"blocks": 1} | special.get(backbone, {}),
        gcm=context,
        gcm_patches=16,
        pim=context,
        pim_channels=4,
    )


def restorer(config: ModelConfig) -> localsr.Restorer:
    return localsr.Restorer(awake(config), Card("tiny", config, sha256="0"), awake(config.without_context()))


@pytest.fixture(scope="session")
def noise() -> localsr.Photo:
    """A picture of 60 x 50 px in which no two places look alike."""
    pixels = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    return localsr.read(pixels)


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the pictures and reference weights in ../shared are not here")
    return SHARED
