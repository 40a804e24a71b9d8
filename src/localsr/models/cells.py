"""What other frames say of a picture, read beside the head: samples at sub-pixel places, folded into LR pixels."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from localsr.models.config import ModelConfig
from localsr.models.layers import zeroed


class Cells(nn.Module):
    """Convolutions beside the head, from the bands of `localsr.frames.cells` to what is added to the head's features.

    Both ways end in weights that start at zero, and none has a bias: a new module changes nothing of its backbone, and
    a trained one nothing where no other frame counts, whose cells are zero.

    In the terms of Eq. 1, keys and values are the samples at the place that corresponds to the query's, and their
    consistency with it takes the place of the softmax.
    """

    def __init__(self, config: ModelConfig) -> None:
        """Build for the head of a config's backbone."""
        super().__init__()
        bands, c = config.bands - 3, config.channels
        self.linear = zeroed(nn.Conv2d(bands, c, 3, padding=1, bias=False))
        self.first = nn.Conv2d(bands, c, 3, padding=1, bias=False)
        self.second = zeroed(nn.Conv2d(c, c, 3, padding=1, bias=False))

    def forward(self, cells: Tensor) -> Tensor:
        """Turn cells `(B, 4 s^2 + 4, h, w)` into `(B, c, h, w)`."""
        y: Tensor = self.linear(cells) + self.second(functional.relu(self.first(cells)))
        return y
