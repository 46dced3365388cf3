"""Pictures as the classifier is trained on them: a little out of place, blurred, noisy."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SHIFTED, MAX_SHIFT = 0.1, 2
SOFTENED, MAX_BLUR, MAX_NOISE = 0.5, 0.5, 0.03


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Some pictures shifted by 1 or 2 pixels, some slightly blurred and noisy; never other colours.

    Most stay in place: avatars stand where the data's do, and brows differ by less than a pixel.

    Args:
        x: float32 [N, 4, H, W] in [-1, 1], on the CPU.

    Returns:
        the same shape.
    """
    n, channels, height, width = x.shape

    def some(share: float) -> Tensor:
        """[N, 1, 1, 1]: 0 for most, uniform in 0..1 for this share of the pictures."""
        chance = torch.rand(n, 1, 1, 1, generator=generator)
        return (1 - chance / share).clamp(min=0)

    padded = F.pad(x, (MAX_SHIFT,) * 4, value=-1.0)  # -1 is transparent
    offsets = torch.randint(0, 2 * MAX_SHIFT + 1, (n, 2), generator=generator)
    offsets[some(SHIFTED).flatten() == 0] = MAX_SHIFT
    moved = zip(padded, offsets.tolist(), strict=True)
    x = torch.stack([p[:, top : top + height, left : left + width] for p, (top, left) in moved])
    row = torch.tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(row, row).expand(channels, 1, 3, 3)
    blurred = F.conv2d(F.pad(x, (1,) * 4, mode="replicate"), kernel, groups=channels)
    x = torch.lerp(x, blurred, some(SOFTENED) * MAX_BLUR)
    x = x + some(SOFTENED) * MAX_NOISE * torch.randn(x.shape, generator=generator)
    return x.clamp(-1, 1)
