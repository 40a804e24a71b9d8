"""Tiny networks with random weights, and the boxes that tests try on them."""

import dataclasses
from pathlib import Path

import torch
from torch import nn

import localsr
from localsr.models import checkpoint
from localsr.models.card import Card
from localsr.models.clsr import CLSR
from localsr.models.config import ModelConfig
from localsr.pytorch.network import TorchNetwork
from localsr.selfcheck import probe_boxes

BOXES = probe_boxes(localsr.Size(60, 50))


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
    """A network of 16 channels and 2 stages; RCAN without pooling, which no halo can make exact.

    `rrdb/2` takes squares of 2 x 2 pixels as one; `edsr+` has pixel attention.
    """
    pixel_attention, backbone = backbone.endswith("+"), backbone.removesuffix("+")
    backbone, _, unshuffle = backbone.partition("/")
    special: dict[str, dict[str, object]] = {
        "carn": {"blocks": 2, "groups": 2},
        "rcan": {"pooled": False},
        "rrdb": {"growth": 8},
        "swinir": {"blocks": 2, "heads": 4, "features": 8, "gcm_patch": 8},
    }
    return ModelConfig(
        backbone=backbone,
        scale=scale,
        channels=16,
        stages=2,
        halo=(3, 2, 2),
        pixel_attention=pixel_attention,
        **{"blocks": 1, "unshuffle": int(unshuffle or 1)} | special.get(backbone, {}),
        gcm=context,
        gcm_patches=16,
        **({"gcm_patch": 8} if unshuffle else {}),
        pim=context,
        pim_channels=4,
    )


def made(network: CLSR, card: Card, plain: CLSR | None = None, precision: str = "fp32") -> localsr.Restorer:
    return localsr.Restorer(TorchNetwork(network), card, None if plain is None else TorchNetwork(plain), precision)


def restorer(config: ModelConfig) -> localsr.Restorer:
    return made(awake(config), Card("tiny", config, sha256="0"), awake(config.without_context()))


def save_told(folder: Path) -> Path:
    """Write a network that is told how pictures were degraded, with its plain twin, and return its path."""
    config = dataclasses.replace(tiny(), conditioned=True)
    plain = config.without_context()
    twin = checkpoint.save(folder / "twin.safetensors", awake(plain), Card("twin", plain))
    card = Card("told", config, plain={"name": "twin", "sha256": twin.sha256})
    checkpoint.save(folder / "told.safetensors", awake(config), card)
    return folder / "told.safetensors"
