"""Pictures as the classifier is trained on them: also out of place, enlarged, cut off, noisy.

Most stay as they are: avatars stand where the data's do, and brows differ by less than a pixel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SHIFTED, MAX_SHIFT = 0.1, 1 / 64
"""Share of the pictures that are moved, and by how much of their side at most."""
SHRUNK, SMALLEST = 0.25, 1 / 4
"""Share that was smaller before, and the smallest of them: what a base draws, or a thumbnail. Those
of nearly full size are a little soft, as what an upscaler draws may be."""
CUT_OFF, NARROWEST = 0.1, 0.85
"""Share of which only the middle is left, as in pictures of a smaller crop."""
NOISY, MAX_NOISE = 0.5, 0.03


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Some pictures moved, shrunk and enlarged, cut off, noisy; never other colours.

    Args:
        x: float32 [N, 4, H, H] in [-1, 1], on the CPU.

    Returns:
        the same shape.
    """
    x = x.clone()
    for share, alter in (
        (SHIFTED, _shifted),
        (SHRUNK, _once_smaller),
        (CUT_OFF, _cut_off),
        (NOISY, _noisy),
    ):
        chosen = torch.rand(len(x), generator=generator) < share
        if chosen.any():
            x[chosen] = alter(x[chosen], generator).clamp(-1, 1)
    return x


def _uniform(x: Tensor, generator: torch.Generator) -> Tensor:
    """One number in 0..1 for each picture, [N, 1, 1, 1]."""
    return torch.rand(len(x), 1, 1, 1, generator=generator)


def _shifted(x: Tensor, generator: torch.Generator) -> Tensor:
    side = x.shape[-1]
    most = max(1, round(side * MAX_SHIFT))
    offsets = torch.randint(0, 2 * most + 1, (len(x), 2), generator=generator)
    padded = F.pad(x, (most,) * 4, value=-1.0)  # -1 is transparent
    moved = zip(padded, offsets.tolist(), strict=True)
    return torch.stack([p[:, top : top + side, left : left + side] for p, (top, left) in moved])


def _once_smaller(x: Tensor, generator: torch.Generator) -> Tensor:
    """All at one smaller size, and back, as Pillow does both."""
    side = x.shape[-1]
    share = SMALLEST + (1 - SMALLEST) * float(torch.rand((), generator=generator))
    small = F.interpolate(x, max(1, round(side * share)), mode="bicubic", antialias=True)
    return F.interpolate(small.clamp(-1, 1), side, mode="bicubic")


def _cut_off(x: Tensor, generator: torch.Generator) -> Tensor:
    side = x.shape[-1]
    place = (torch.arange(side) + 0.5 - side / 2).abs()
    from_centre = torch.maximum(place[:, None], place)  # [H, H]
    margin = _uniform(x, generator) * (1 - NARROWEST) * side / 2
    return x.masked_fill(from_centre > side / 2 - margin, -1.0)


def _noisy(x: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(x.shape, generator=generator)
    return x + _uniform(x, generator) * MAX_NOISE * noise
