"""What a picture went through, told to a network: a gain and an offset for each channel after each stage."""

from __future__ import annotations

import math

from torch import Tensor, nn

from localsr.models.config import ModelConfig

WIDTH = 32  # of the hidden layer


class Conditioning(nn.Module):
    """Feature-wise modulation (FiLM; Perez et al. 2018) by a picture's conditions.

    It costs nothing for a region: gains and offsets are computed once for a picture. Both start at zero, so that a new
    module changes nothing of its backbone.
    """

    def __init__(self, config: ModelConfig) -> None:
        """Build for the head and all stages of a config's backbone."""
        super().__init__()
        self.shape = (config.stages + 1, 2, config.channels)
        last = nn.Linear(WIDTH, math.prod(self.shape))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(nn.Linear(3, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), last)

    def forward(self, conditions: Tensor) -> Tensor:
        """Turn encoded conditions `(B, 3)` into `(stages + 1, 2, B, c, 1, 1)`: gains less 1, and offsets."""
        y: Tensor = self.layers(conditions).unflatten(1, self.shape)
        return y.movedim(0, 2)[..., None, None]


def modulate(z: Tensor, modulation: Tensor | None, k: int) -> Tensor:
    """Apply what `Conditioning` made for stage k, 0 for the head, to features `(B, c, h, w)`."""
    if modulation is None:
        return z
    gain, offset = modulation[k]
    y: Tensor = (z + offset).addcmul(z, gain)
    return y
