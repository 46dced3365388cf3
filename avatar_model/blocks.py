"""The convolutional building blocks of the UNet."""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

M = TypeVar("M", nn.Linear, nn.Conv2d)


def zero_init(layer: M) -> M:
    """Weights and bias zero, so that a residual branch starts as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class GroupNorm(nn.GroupNorm):
    """GroupNorm (Wu & He, arXiv 1803.08494), groups of 16 channels, or one if that does not divide.

    What comes in in bfloat16 goes out in bfloat16. Autocast would have CUDA's kernel work on a
    float32 copy, which is kept for the backward pass and makes the activations after it float32
    too (docs/memory.md); the kernel sums in float32 whatever it reads.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels // 16 if channels % 16 == 0 else 1, channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H, W], of the same type."""
        if x.dtype == self.weight.dtype:
            return super().forward(x)
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        with torch.autocast(x.device.type, enabled=False):
            return F.group_norm(x, self.num_groups, weight, bias, self.eps)


class TimeEmbedding(nn.Module):
    """t in [0, 1] -> [B, width]: sinusoids (arXiv 1706.03762, sec. 3.5) of 1000 t, and an MLP."""

    frequencies: Tensor

    def __init__(self, width: int, num_frequencies: int = 64) -> None:
        super().__init__()
        exponents = torch.arange(num_frequencies, device="cpu") / num_frequencies
        frequencies = torch.tensor((1000 * 10_000**-exponents).tolist())
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.mlp = nn.Sequential(
            nn.Linear(2 * num_frequencies, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, t: Tensor) -> Tensor:
        """[B] -> [B, width]."""
        angles = t[:, None] * self.frequencies  # [B, F]
        embedding: Tensor = self.mlp(torch.cat([angles.cos(), angles.sin()], dim=1))
        return embedding


class ResBlock(nn.Module):
    """Two 3x3 convolutions with a residual path; time and attributes scale and shift the middle.

    Args:
        embedding: width of the vector [B, embedding] that holds time and pooled attributes.
    """

    def __init__(self, in_channels: int, channels: int, embedding: int) -> None:
        super().__init__()
        self.norm1 = GroupNorm(in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.scale_shift = nn.Linear(embedding, 2 * channels)
        self.norm2 = GroupNorm(channels)
        self.conv2 = zero_init(nn.Conv2d(channels, channels, 3, padding=1))
        self.skip = (
            nn.Conv2d(in_channels, channels, 1) if in_channels != channels else nn.Identity()
        )

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """[B, in_channels, H, W] -> [B, channels, H, W]."""
        h = self.conv1(F.silu(self.norm1(x)))  # [B, channels, H, W]
        scale, shift = self.scale_shift(embedding)[:, :, None, None].chunk(2, dim=1)
        h = torch.addcmul(shift, self.norm2(h), 1 + scale)
        out: Tensor = self.skip(x) + self.conv2(F.silu(h))
        return out


class Downsample(nn.Sequential):
    """[B, in, H, W] -> [B, out, H/2, W/2]: 2x2 pixels into channels, then a 1x1 convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.PixelUnshuffle(2), nn.Conv2d(4 * in_channels, out_channels, 1))


class Upsample(nn.Sequential):
    """[B, in, H, W] -> [B, out, 2H, 2W]: a 1x1 convolution, then channels into 2x2 pixels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.Conv2d(in_channels, 4 * out_channels, 1), nn.PixelShuffle(2))
