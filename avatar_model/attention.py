"""Multi-head attention over the pixels of a feature map."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import GroupNorm, zero_init


class SelfAttention(nn.Module):
    """Every pixel looks at every pixel (Vaswani et al., arXiv 1706.03762), residual.

    Args:
        channels: of the feature map; must be a multiple of ``num_heads``.
    """

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm = GroupNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = zero_init(nn.Linear(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H, W]."""
        q, k, v = self.qkv(flatten_map(self.norm(x))).chunk(3, dim=-1)  # each [B, HW, C]
        return x + unflatten_map(self.out(attend(q, k, v, self.num_heads)), x)


class CrossAttention(nn.Module):
    """Every pixel asks Tau's N tokens which of them concern it, residual.

    What a token answers does not depend on the image, so ``kv`` is for the caller to apply, once
    for all steps of an avatar (``UNet.prepare``).

    Args:
        channels: of the feature map; must be a multiple of ``num_heads``.
        context: width of a token.
    """

    def __init__(self, channels: int, context: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm = GroupNorm(channels)
        self.q = nn.Linear(channels, channels)
        self.kv = nn.Linear(context, 2 * channels)
        self.out = zero_init(nn.Linear(channels, channels))

    def forward(self, x: Tensor, keys_values: Tensor) -> Tensor:
        """Args: x: [B, C, H, W]; keys_values: [B, N, 2 C], ``kv`` of Tau's tokens."""
        q = self.q(flatten_map(self.norm(x)))  # [B, HW, C]
        k, v = keys_values.chunk(2, dim=-1)  # each [B, N, C]
        return x + unflatten_map(self.out(attend(q, k, v, self.num_heads)), x)


def attend(q: Tensor, k: Tensor, v: Tensor, num_heads: int) -> Tensor:
    """Multi-head scaled dot-product attention: q [B, N, C], k and v [B, M, C] -> [B, N, C]."""
    q, k, v = (torch.unflatten(x, -1, (num_heads, -1)).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def flatten_map(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, HW, C]; a view when x is channels_last."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def unflatten_map(pixels: Tensor, like: Tensor) -> Tensor:
    """[B, HW, C] -> [B, C, H, W] with the H and W of ``like``, channels_last."""
    return torch.unflatten(pixels, 1, like.shape[-2:]).permute(0, 3, 1, 2)
