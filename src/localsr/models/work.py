"""What a piece of work takes, whatever counts it."""

from __future__ import annotations

from typing import NamedTuple


class WorkLoad(NamedTuple):
    """What one piece of work takes."""

    flops: int  # a multiply-add is two
    bytes: int  # of its tensors in float32 at the moment when there are most
