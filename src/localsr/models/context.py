"""GCM, the global context module (Sec. 3.2, Fig. 4): an ROI attends to patches from all over the picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.compiler import is_exporting
from torch.nn import functional

from localsr.geometry import Box, snapped
from localsr.models.backbone import Backbone, Features, crop
from localsr.models.config import ModelConfig
from localsr.models.layers import zeroed
from localsr.models.patches import Context

MAX_QUERIES = 2**9  # at once: with 576 tokens their bias has 5 MB, near a cache's size; 32 ROIs take 50 ms, not 97
PARTS_IN_GRAPHS = 8  # of queries, of any number: 64 px take 43 ms of CPU by a graph, 128 px 167; in one 52 and 205


class Downsampler(nn.Module):
    """S_down of Eq. 4: a strided convolution, zero at first, added to bilinear reduction."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv = zeroed(nn.Conv2d(channels, channels, stride, stride))

    def forward(self, z: Tensor) -> Tensor:
        """Reduce `(B, c, h, w)`, whose sides are multiples of the stride, to `(B, c, h / stride, w / stride)`."""
        y: Tensor = self.conv(z) + functional.avg_pool2d(z, self.conv.stride[0])
        return y


class Upsampler(nn.Module):
    """S_up of Eq. 5: a transposed convolution, zero at first, added to bilinear enlargement."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv = zeroed(nn.ConvTranspose2d(channels, channels, stride, stride))

    def forward(self, g: Tensor) -> Tensor:
        """Enlarge `(B, c, h, w)` to `(B, c, stride h, stride w)`."""
        stride = float(self.conv.stride[0])
        y: Tensor = self.conv(g) + functional.interpolate(g, scale_factor=stride, mode="bilinear")
        return y


class GlobalContext(nn.Module):
    """The module: `encode` is called once for a picture, `forward` once for an ROI.

    Eq. 3 without its alpha, a constant, to which softmax is blind. Its b is minus the distance of query and key in LR
    px, times a slope that each head learns. W_V starts at zero, so that a new module adds nothing to its backbone.
    """

    def __init__(self, config: ModelConfig, backbone: type[Backbone]) -> None:
        """Build with G as the head and the first stages of `backbone`."""
        super().__init__()
        c = config.channels
        extractor, stride = backbone(config.extractor()), config.gcm_stride
        self.heads, self.unit = config.gcm_heads, extractor.unit
        self.cell = stride * self.unit  # LR px that a token has on each side
        self.reach = 2 * self.cell - 1  # LR px: within a cell, and to the next one by bilinear enlargement
        self.extractor = Extractor(extractor)
        self.down_query, self.down_key = Downsampler(c, stride), Downsampler(c, stride)
        self.query, self.key, self.value = (nn.Linear(c, c, bias=False) for _ in range(3))
        nn.init.zeros_(self.value.weight)
        self.beta = nn.Parameter(torch.ones(()))
        self.slope = nn.Parameter(torch.full((self.heads, 1, 1), 1 / 64))
        self.up = Upsampler(c, stride)

    def encode(self, patches: Tensor, corners: Tensor) -> Context[Tensor]:
        """Compute K and V from patches `(B, N, 3, r, r)`, RGB in [0, 1], at `corners` `(B, N, 2)`, x and y in LR px."""
        b, n = patches.shape[:2]
        flat = patches.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        m = self.down_key(self.extractor(flat))  # (B N, c, t, t)
        cells = _cell_centres(m.shape[-2], m.shape[-1], self.cell, m)  # (t t, 2)
        places = (corners[:, :, None] + cells).flatten(1, 2)  # (B, N t t, 2)
        tokens = m.flatten(2).transpose(1, 2).reshape(b, n * cells.shape[0], -1)
        return Context(self._split(self.key(tokens)), self._split(self.value(tokens)), places)

    def forward(self, z: Tensor, window: Box, origins: Tensor, context: Context[Tensor]) -> Tensor:
        """Return what the context adds to features `z` `(B, c, h, w)`: the enlarged g of Eq. 5, in the same shape.

        `z` covers `window`, whose coordinates start at `origins` `(B, 2)`, x and y in LR px of the pictures; these are
        multiples of a cell, so that the queries' cells lie on one grid wherever the ROI is. `context` holds one
        picture for each row of `z`, or one for all.
        """
        cells = snapped(window, self.cell)
        queries, places, (rows, columns) = self._queries(z, window, cells, origins)
        g = self._attended(queries, places, context)
        g = g.transpose(-1, -2).reshape(z.shape[0], -1, rows, columns)
        y: Tensor = self.up(g.contiguous(memory_format=torch.channels_last))
        return crop(y, window.within(cells), self.unit)

    def weights(self, z: Tensor, window: Box, origins: Tensor, context: Context[Tensor]) -> Tensor:
        """Return the softmax of Eq. 3 alone, `(B, heads, queries, tokens)`; the weights of a query sum to 1."""
        queries, places, _ = self._queries(z, window, snapped(window, self.cell), origins)
        similarity = queries @ context.keys.transpose(-1, -2) / queries.shape[-1] ** 0.5
        weights: Tensor = (similarity + self._bias(queries, places, context)).softmax(-1)
        return weights

    def _queries(self, z: Tensor, window: Box, cells: Box, origins: Tensor) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Return the queries times beta, where they lie `(B, queries, 2)`, and the rows and columns of their grid.

        `cells` is the window grown to whole cells; the repeated edge of `z` fills them.
        """
        if is_exporting() or cells != window:
            inner = window.within(cells)
            right, bottom = cells.width - inner.left - inner.width, cells.height - inner.top - inner.height
            margins = [side // self.unit for side in (inner.left, right, inner.top, bottom)]
            z = functional.pad(z, margins, mode="replicate")
        q = self.down_query(z)
        rows, columns = q.shape[-2:]
        corner = torch.stack([q.new_full((), side, dtype=torch.float32) for side in (cells.left, cells.top)])
        places = origins[:, None] + corner + _cell_centres(rows, columns, self.cell, q)
        queries = self._split(self.query(q.flatten(2).transpose(1, 2))) * self.beta
        return queries, places.expand(z.shape[0], -1, -1), (rows, columns)

    def _attended(self, queries: Tensor, places: Tensor, context: Context[Tensor]) -> Tensor:
        """Return g of Eq. 3, `(B, heads, queries, c / heads)`, computed for a part of the queries at a time."""
        b, _, n, _ = queries.shape
        keys, values = context.keys.to(queries.dtype), context.values.to(queries.dtype)
        shared = keys.shape[0] == 1  # one picture for all ROIs: their queries go in one row
        if shared:
            queries, places = queries.transpose(0, 1).flatten(1, 2)[None], places.flatten(0, 1)[None]
        total = queries.shape[2]
        if is_exporting():
            rest = -total % PARTS_IN_GRAPHS
            padded = (functional.pad(each, (0, 0, 0, rest)) for each in (queries, places))
            cut = (each.unflatten(-2, (PARTS_IN_GRAPHS, -1)).unbind(-3) for each in padded)  # type: ignore[no-untyped-call]
            parts = zip(*cut, strict=True)
        else:
            parts = zip(torch.split(queries, MAX_QUERIES, 2), torch.split(places, MAX_QUERIES, 1), strict=True)
        g = torch.cat(
            [
                functional.scaled_dot_product_attention(q, keys, values, attn_mask=self._bias(q, p, context))
                for q, p in parts
            ],
            2,
        )[:, :, :total]
        return g.reshape(self.heads, b, n, -1).transpose(0, 1) if shared else g

    def _bias(self, queries: Tensor, places: Tensor, context: Context[Tensor]) -> Tensor:
        """Return b of Eq. 3, `(B, heads, queries, tokens)`."""
        distance = _distance(places, context.places)[:, None].to(self.slope.dtype)
        b: Tensor = -self.slope.abs() * distance
        return b.to(queries.dtype)

    def _split(self, tokens: Tensor) -> Tensor:
        """Split `(B, tokens, c)` into heads, `(B, heads, tokens, c / heads)`."""
        b, n, c = tokens.shape
        return tokens.view(b, n, self.heads, c // self.heads).transpose(1, 2)


class Extractor(nn.Module):
    """G of Sec. 3.2: the head and the first stages of the backbone's own architecture, on each patch alone."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.head, self.stages = backbone.head, backbone.stages

    def forward(self, patches: Tensor) -> Tensor:
        """Turn patches `(B, 3, r, r)` into features `(B, c, r, r)`."""
        features: Features = self.head(patches)
        for stage in self.stages:
            features = stage(features)
        return features.z


def _distance(one: Tensor, other: Tensor) -> Tensor:
    """Return the distances `(B, n, m)` in px between places `(B, n, 2)` and `(B, m, 2)`.

    `torch.cdist` would be 12 px off at 20,000 px in float32 by its matrix product, and takes three times as long
    without it.
    """
    x, y = (one[:, :, k, None] - other[:, None, :, k].contiguous() for k in range(2))  # strided, it takes twice as long
    return x.square_().addcmul_(y, y).sqrt_()


def _cell_centres(rows: int, columns: int, side: int, like: Tensor) -> Tensor:
    """Return the centres `(rows columns, 2)` of a grid's cells of `side` LR px, x and y in LR px from its corner."""
    y = (torch.arange(rows, device=like.device, dtype=torch.float32) + 0.5) * side
    x = (torch.arange(columns, device=like.device, dtype=torch.float32) + 0.5) * side
    return torch.cartesian_prod(y, x).flip(1)
