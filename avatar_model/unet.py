"""The network: a UNet that reads a noisy image, the time and Tau's condition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .attention import CrossAttention, SelfAttention
from .blocks import Downsample, GroupNorm, ResBlock, TimeEmbedding, Upsample, zero_init
from .config import ModelConfig
from .tau import Condition


class Prepared(NamedTuple):
    """What of the UNet's work depends on the request alone: done once per avatar, not per step.

    Attributes:
        embedding: [B, E], the pooled vector's share of what scales and shifts; None without one.
        keys_values: [B, N, W], keys and values of every cross-attention side by side, in the order
            of the forward pass; None without cross-attention.
        canvas: [B, C, S, S], or None without a canvas.
        low_res: [B, C, S, S], the small picture, or None for a base.
        enlarged: the same, [B, C, H, W].
    """

    embedding: Tensor | None
    keys_values: Tensor | None
    canvas: Tensor | None
    low_res: Tensor | None = None
    enlarged: Tensor | None = None


class Layer(nn.Module):
    """A residual block, then self- and cross-attention where the level has them."""

    def __init__(self, config: ModelConfig, level: int, in_channels: int) -> None:
        super().__init__()
        channels, heads = config.channels[level], config.num_heads
        self.block = ResBlock(in_channels, channels, config.embedding_width)
        self.self_attention = (
            SelfAttention(channels, heads) if config.self_attention[level] else None
        )
        self.cross_attention = (
            CrossAttention(channels, config.tau_width, heads)
            if config.cross_attention[level]
            else None
        )

    def forward(self, x: Tensor, embedding: Tensor, keys_values: Tensor | None) -> Tensor:
        """[B, in_channels, H, W] -> [B, channels, H, W]; the others as in ``Prepared``."""
        x = self.block(x, embedding)
        if self.self_attention is not None:
            x = self.self_attention(x)
        if self.cross_attention is not None:
            x = self.cross_attention(x, keys_values)
        return x


class UNet(nn.Module):
    """UNet (Ronneberger et al., arXiv 1505.04597) with attention, as in DDPM and latent diffusion.

    ``patch_size`` 2 moves 2x2 pixels into channels first, which quarters the cost of the finest
    level; 1 works on the pixels themselves. The input at the finest level is joined by Tau's canvas
    and, of an upscaler, by the small picture, to whose enlargement the output is added.

    Attributes:
        activation_checkpointing: in training, keep only the input of every layer and compute the
            rest again in the backward pass: less memory, about a third more time.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        self.activation_checkpointing = False
        channels = config.channels
        patch_channels = config.image_channels * config.patch_size**2
        self.time = TimeEmbedding(config.embedding_width)
        self.pooled = (
            nn.Linear(config.tau_width, config.embedding_width)
            if "scale_shift" in config.conditioning
            else None
        )
        low_res_channels = config.image_channels if config.is_upscaler else 0
        inputs = patch_channels + config.canvas_channels + low_res_channels
        self.stem = nn.Conv2d(inputs, channels[0], 3, padding=1)
        # Sequences to a type checker: a ModuleList does not tell what kind of modules it holds.
        self.down: Sequence[Sequence[Layer]] = nn.ModuleList(  # type: ignore[assignment]
            nn.ModuleList(Layer(config, level, width) for _ in range(config.blocks_down))
            for level, width in enumerate(channels)
        )
        self.downsample = nn.ModuleList(
            Downsample(fine, coarse) for fine, coarse in pairwise(channels)
        )
        # The first layer on the way up also takes the skip from the way down, but at the coarsest
        # level, where both are the same thing.
        self.up: Sequence[Sequence[Layer]] = nn.ModuleList(  # type: ignore[assignment]
            nn.ModuleList(
                Layer(config, level, width * (2 if i == 0 and level + 1 < len(channels) else 1))
                for i in range(config.blocks_up)
            )
            for level, width in enumerate(channels)
        )
        self.upsample = nn.ModuleList(Upsample(coarse, fine) for fine, coarse in pairwise(channels))
        self.norm = GroupNorm(channels[0])
        self.head = zero_init(nn.Conv2d(channels[0], patch_channels, 3, padding=1))

    def cross_attentions(self) -> list[CrossAttention]:
        """In the order of the forward pass."""
        layers = [layer for level in (*self.down, *reversed(self.up)) for layer in level]
        return [layer.cross_attention for layer in layers if layer.cross_attention is not None]

    def prepare(self, condition: Condition, low_res: Tensor | None = None) -> Prepared:
        """What no step has to repeat; ``low_res`` is an upscaler's small picture, [B, C, S, S]."""
        parts = [attention.kv(condition.tokens) for attention in self.cross_attentions()]
        enlarged = None
        if low_res is not None:
            enlarged = F.interpolate(low_res, scale_factor=self.patch_size, mode="bicubic")
        return Prepared(
            None if self.pooled is None else self.pooled(condition.pooled),  # [B, E]
            torch.cat(parts, dim=-1) if parts else None,  # [B, N, W]
            condition.canvas,
            low_res,
            enlarged,
        )

    def forward(self, x: Tensor, t: Tensor, prepared: Prepared) -> Tensor:
        """x: [B, C, H, W], t: [B] in [0, 1], ``prepared`` for B requests. Returns [B, C, H, W]."""
        embedding = self.time(t)  # [B, E]
        if prepared.embedding is not None:
            embedding = embedding + prepared.embedding
        embedding = F.silu(embedding)
        keys_values = self._split(prepared.keys_values)
        h = F.pixel_unshuffle(x, self.patch_size)  # [B, C p^2, H/p, W/p]
        more = [part for part in (prepared.canvas, prepared.low_res) if part is not None]
        if more:
            h = torch.cat([h, *more], dim=1)
        h = self.stem(h.contiguous(memory_format=torch.channels_last))

        skips = []
        for level, layers in enumerate(self.down):
            if level:
                h = self.downsample[level - 1](h)
            for layer in layers:
                h = self._run(layer, h, embedding, keys_values)
            skips.append(h)
        skips.pop()
        for level in reversed(range(len(self.up))):
            if level < len(skips):
                h = torch.cat([self.upsample[level](h), skips[level]], dim=1)
            for layer in self.up[level]:
                h = self._run(layer, h, embedding, keys_values)
        h = F.pixel_shuffle(self.head(F.silu(self.norm(h))), self.patch_size)  # [B, C, H, W]
        return h if prepared.enlarged is None else h + prepared.enlarged

    def _run(self, layer: Layer, h: Tensor, embedding: Tensor, parts: Iterator[Tensor]) -> Tensor:
        """Run a layer; one with cross-attention takes the next part of the keys and values."""
        keys_values = next(parts) if layer.cross_attention is not None else None
        if self.activation_checkpointing and torch.is_grad_enabled():
            h = checkpoint(layer, h, embedding, keys_values, use_reentrant=False)
        else:
            h = layer(h, embedding, keys_values)
        return h

    def _split(self, keys_values: Tensor | None) -> Iterator[Tensor]:
        """[B, N, W] -> one [B, N, 2 C] for each cross-attention."""
        if keys_values is None:
            return iter(())
        sizes = [attention.kv.out_features for attention in self.cross_attentions()]
        return iter(torch.split(keys_values, sizes, dim=-1))
