"""The optimizer: Muon for the UNet's matrices and convolutions, Adam for everything else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Muon for matrices and convolutions (https://kellerjordan.github.io/posts/muon/).

    It replaces the momentum of a weight matrix by the nearest orthogonal matrix, so that rare
    directions (one of 111 hair styles) move as far as common ones. On this model and one CPU core
    it passed in 2 minutes what AdamW reached in 4 (docs/training.md).

    torch.optim.Muon (2.13) takes 2-D parameters only, which rules out convolutions, and
    orthogonalises in bfloat16, which is slow on a CPU; here a convolution is the matrix
    [out, kh * kw * in] and the work is done in float32.

    Args:
        params: parameters of two or more dimensions.
        lr: learning rate; 0.02 is usual.
        momentum: in [0, 1).
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # no closure: one gradient, one step
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            grads = {p: p.grad for p in group["params"] if p.grad is not None}
            if grads:
                self._update([*grads], [*grads.values()], group["lr"], group["momentum"])

    def _update(self, params: list[Tensor], grads: list[Tensor], lr: float, beta: float) -> None:
        for p in params:
            if not self.state[p]:
                self.state[p]["momentum"] = torch.zeros_like(p)
        momenta = [self.state[p]["momentum"] for p in params]
        torch._foreach_lerp_(momenta, grads, 1 - beta)
        nesterov = torch._foreach_lerp(grads, momenta, beta)
        # A convolution's columns in the order of its memory: no copy, and no order is a better one.
        updates = orthogonalized([x.movedim(1, -1).flatten(1) for x in nesterov])
        # Tall matrices get a larger step, so that an output changes as much either way.
        steps = [-lr * max(1.0, x.shape[0] / x.shape[1]) ** 0.5 for x in updates]
        torch._foreach_mul_(updates, steps)
        shaped = [
            x.unflatten(1, (*p.shape[2:], -1)).movedim(-1, 1)
            for x, p in zip(updates, params, strict=True)
        ]
        torch._foreach_add_(params, shaped)


def orthogonalized(matrices: Sequence[Tensor]) -> list[Tensor]:
    """Roughly U V^T of each matrix = U S V^T, by the Muon post's quintic Newton-Schulz iteration.

    The singular values end up between about 0.7 and 1.2, which is near enough to 1. The iteration
    x <- p(x x^T) x only multiplies x from the left, so it is run on the small matrix x x^T and
    applied to x once, at the end: less than half the time for the matrix of a 3x3 convolution.

    Matrices of one shape are one batch, and shapes with the same smaller side share the iteration.
    Starting operations is what a GPU waits for in small batches, and these are a tenth as many as
    matrix by matrix.

    Args:
        matrices: [m, n] each, of any shapes.
    """
    by_shape, by_side = defaultdict(list), defaultdict(list)
    for i, matrix in enumerate(matrices):
        by_shape[matrix.shape].append(i)
    wide: dict[torch.Size, Tensor] = {}  # shape -> [k, smaller side, larger side]
    for shape, rows in by_shape.items():
        by_side[min(shape)].append(shape)
        x = torch.stack([matrices[i] for i in rows])
        x = x.mT if shape[0] > shape[1] else x
        wide[shape] = x / (torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True) + 1e-7)

    found: dict[int, Tensor] = {}
    for shapes in by_side.values():
        factors = _newton_schulz(torch.cat([wide[s] @ wide[s].mT for s in shapes]))
        parts = factors.split([len(by_shape[shape]) for shape in shapes])
        for shape, part in zip(shapes, parts, strict=True):
            x = part @ wide[shape]
            found |= zip(by_shape[shape], x.mT if shape[0] > shape[1] else x, strict=True)
    return [found[i] for i in range(len(matrices))]


def _newton_schulz(gram: Tensor) -> Tensor:
    """What all iterations multiply x by: x x^T, [k, m, m] -> [k, m, m]."""
    product = factor = _newton_schulz_factor(gram)
    for _ in range(ITERATIONS - 1):
        gram = factor @ gram @ factor
        factor = _newton_schulz_factor(gram)
        product = factor @ product
    return product


def _newton_schulz_factor(gram: Tensor) -> Tensor:
    factor = torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
    factor.diagonal(dim1=1, dim2=2).add_(3.4445)
    return factor


def make_optimizers(
    network: nn.Module, name: str, learning_rate: float
) -> list[torch.optim.Optimizer]:
    """The optimizers of a training run; every parameter belongs to exactly one.

    Muon is for hidden weights. The UNet's first and last layer, Tau's per-value rows, biases and
    norms go to Adam, as the Muon post advises for inputs, outputs and vectors.

    Args:
        name: "muon" for both, "adam" or "adamw" (decoupled weight decay of 0.01) for it alone.
        learning_rate: of Adam. Muon's is 10 times that: its steps are measured in another unit,
            an orthogonal matrix, and 0.02 beside Adam's 0.002 was best here.
    """
    if name in ("adam", "adamw"):
        kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
        return [kind(network.parameters(), lr=learning_rate, fused=True)]
    hidden: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for where, p in network.named_parameters():
        inner = where.startswith("unet.") and not where.startswith(("unet.stem", "unet.head"))
        (hidden if inner and p.ndim >= 2 else rest).append(p)
    return [
        Muon(hidden, lr=10 * learning_rate),
        torch.optim.Adam(rest, lr=learning_rate, betas=(0.9, 0.99), fused=True),
    ]
