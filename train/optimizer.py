"""The optimizer: Muon for the UNet's matrices and convolutions, Adam for everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn


class Muon(torch.optim.Optimizer):
    """Muon for matrices and convolutions (https://kellerjordan.github.io/posts/muon/).

    It replaces the momentum of a weight matrix by the nearest orthogonal matrix, so that rare
    directions (one of 111 hair styles) move as far as common ones. On this model and one CPU core
    it passed in 2 minutes what AdamW reached in 4 (docs/training.md).

    torch.optim.Muon (2.13) takes 2-D parameters only, which rules out convolutions, and
    orthogonalises in bfloat16, which is slow on a CPU; here a convolution is the matrix
    [out, in * kh * kw] and the work is done in float32.

    Args:
        params: parameters of two or more dimensions.
        lr: learning rate; 0.02 is usual.
        momentum: in [0, 1).
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, group["lr"], group["momentum"])
        return loss

    def _update(self, p: Tensor, lr: float, beta: float) -> None:
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        momentum = state["momentum"].lerp_(p.grad, 1 - beta)
        matrix = orthogonalized(p.grad.lerp(momentum, beta).flatten(1))  # Nesterov
        # Tall matrices get a larger step, so that an output changes as much either way.
        size = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
        p.add_(matrix.view(p.shape), alpha=-lr * size)


def orthogonalized(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Roughly U V^T of matrix = U S V^T, by the quintic Newton-Schulz iteration of the Muon post.

    The singular values end up between about 0.7 and 1.2, which is near enough to 1. The iteration
    x <- p(x x^T) x only multiplies x from the left, so it is run on the small matrix x x^T and
    applied to x once, at the end: less than half the time for the matrix of a 3x3 convolution.

    Args:
        matrix: [m, n].
    """
    x = matrix / (matrix.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    gram = x @ x.T
    product = None
    for i in range(iterations):
        factor = torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
        factor.diagonal().add_(3.4445)
        product = factor if product is None else factor @ product
        if i < iterations - 1:
            gram = factor @ gram @ factor
    x = product @ x
    return x.T if tall else x


def make_optimizers(
    network: nn.Module, name: str, learning_rate: float
) -> list[torch.optim.Optimizer]:
    """The optimizers of a training run; every parameter belongs to exactly one.

    Muon is for hidden weights. The UNet's first and last layer, Tau's per-value rows, biases and
    norms go to Adam, as the Muon post advises for inputs, outputs and vectors.

    Args:
        name: "muon" for both, "adam" for Adam alone.
        learning_rate: of Adam. Muon's is 10 times that: its steps are measured in another unit,
            an orthogonal matrix, and 0.02 beside Adam's 0.002 was best here.
    """
    if name == "adam":
        return [torch.optim.Adam(network.parameters(), lr=learning_rate)]
    hidden, rest = [], []
    for where, p in network.named_parameters():
        inner = where.startswith("unet.") and not where.startswith(("unet.stem", "unet.head"))
        (hidden if inner and p.ndim >= 2 else rest).append(p)
    return [
        Muon(hidden, lr=10 * learning_rate),
        torch.optim.Adam(rest, lr=learning_rate, betas=(0.9, 0.99)),
    ]
