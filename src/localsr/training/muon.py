"""The optimizer Muon, which moves a kernel along all its directions alike; Adam favours a few."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of Newton-Schulz; singular values end between 0.7 and 1.2
ITERATIONS = 5
LIKE_ADAM = 0.2  # root mean square of Adam's steps over its rate, so that one rate suits both (Liu et al. 2025)


class Muon(torch.optim.Adam):
    """Adam, but for kernels: their momentum is made orthogonal (Jordan et al. 2024) before it moves them.

    torch has one for matrices alone. Kernels `(o, i, h, w)` are taken as matrices `(o, i h w)`.
    """

    def __init__(self, network: nn.Module, lr: float) -> None:
        """Take the convolutions of stages and tail as kernels; both ends and all biases are Adam's."""
        kernels = {
            name: p
            for name, p in network.named_parameters()
            if p.ndim == 4 and not {"head", "upsample"} & set(name.split("."))
        }
        others = [p for name, p in network.named_parameters() if name not in kernels]
        super().__init__(
            [{"params": list(kernels.values()), "kernels": True}, {"params": others, "kernels": False}], lr
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # noqa: ANN401
        """Move the kernels by their orthogonal momentum, then the rest as Adam does."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["kernels"]:
                self._move(group["params"], group["lr"])
        super().step()
        return loss

    def _move(self, kernels: Iterable[Tensor], rate: float) -> None:
        """Move the kernels that have a gradient."""
        for kernel in kernels:
            if kernel.grad is None:
                continue
            state: dict[str, Tensor] = self.state[kernel]
            if "momentum" not in state:
                state.update(momentum=torch.zeros_like(kernel), step=torch.zeros(()))  # Adam asks for it when loaded
            momentum = state["momentum"].mul_(MOMENTUM).add_(kernel.grad)
            towards = orthogonal(kernel.grad.add(momentum, alpha=MOMENTUM).flatten(1))
            kernel.add_(towards.view(kernel.shape), alpha=-rate * LIKE_ADAM * max(towards.shape) ** 0.5)
            kernel.grad = None  # so that Adam leaves it alone


def orthogonal(matrix: Tensor) -> Tensor:
    """Return the matrix `(m, n)` with all its singular values brought near 1."""
    a, b, c = COEFFICIENTS
    x: Tensor = matrix / (matrix.norm() + 1e-7)
    if tall := x.shape[0] > x.shape[1]:
        x = x.T
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x
