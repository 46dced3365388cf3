"""The network: a UNet that reads a noisy image, the time and Tau's condition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .attention import CrossAttention, SelfAttention
from .blocks import Downsample, GroupNorm, ResBlock, TimeEmbedding, Upsample, zero_init
from .tau import Condition


class Prepared(NamedTuple):
    """What of the UNet's work depends on the request alone: done once per avatar, not per step.

    Attributes:
        embedding: [B, E], the pooled vector's share of what scales and shifts.
        keys_values: [B, 18, W], keys and values of every cross-attention side by side, in the order
            of the forward pass; None without cross-attention.
        canvas: [B, C, S, S], or None without a canvas.
        low_res: [B, image_channels, S, S], the small picture, or None for a base.
        enlarged: the same, [B, image_channels, H, W].
    """

    embedding: Tensor
    keys_values: Tensor | None
    canvas: Tensor | None
    low_res: Tensor | None = None
    enlarged: Tensor | None = None


class Layer(nn.Module):
    """A residual block, then self- and cross-attention where the level has them."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        embedding: int,
        context: int,
        num_heads: int,
        self_attention: bool,
        cross_attention: bool,
    ) -> None:
        super().__init__()
        self.block = ResBlock(in_channels, channels, embedding)
        self.self_attention = SelfAttention(channels, num_heads) if self_attention else None
        self.cross_attention = (
            CrossAttention(channels, context, num_heads) if cross_attention else None
        )

    def forward(self, x: Tensor, embedding: Tensor, keys_values: Tensor | None) -> Tensor:
        x = self.block(x, embedding)
        if self.self_attention is not None:
            x = self.self_attention(x)
        if self.cross_attention is not None:
            x = self.cross_attention(x, keys_values)
        return x


class UNet(nn.Module):
    """UNet (Ronneberger et al., arXiv 1505.04597) with attention, as in DDPM and latent diffusion.

    Args:
        image_channels: of the image, 4 for RGBA.
        patch_size: 2 moves 2x2 pixels into channels first, which quarters the cost of the finest
            level; 1 works on the pixels themselves.
        channels: of each level, finest first; each level halves the resolution.
        blocks_down, blocks_up: layers per level on the way down and up.
        self_attention, cross_attention: per level, finest first.
        num_heads: of all attention.
        context: width of Tau's tokens and pooled vector.
        canvas_channels: of Tau's canvas, which joins the input at the finest level; 0 for none.
        upscales: a small picture with the side of the finest level joins the input too, and what
            the network puts out is added to it, enlarged.

    Attributes:
        activation_checkpointing: in training, keep only the input of every layer and compute the
            rest again in the backward pass: less memory, about a third more time.
    """

    def __init__(
        self,
        image_channels: int,
        patch_size: int,
        channels: tuple[int, ...],
        blocks_down: int,
        blocks_up: int,
        self_attention: tuple[bool, ...],
        cross_attention: tuple[bool, ...],
        num_heads: int,
        context: int,
        canvas_channels: int,
        upscales: bool = False,
    ) -> None:
        super().__init__()
        self.patch_size = patch_size
        patch_channels = image_channels * patch_size**2
        embedding = 4 * channels[0]
        self.time = TimeEmbedding(embedding)
        self.pooled = nn.Linear(context, embedding)
        inputs = patch_channels + canvas_channels + (image_channels if upscales else 0)
        self.stem = nn.Conv2d(inputs, channels[0], 3, padding=1)

        def layer(level: int, in_channels: int) -> Layer:
            return Layer(
                in_channels,
                channels[level],
                embedding,
                context,
                num_heads,
                self_attention[level],
                cross_attention[level],
            )

        levels = range(len(channels))
        self.down = nn.ModuleList(
            nn.ModuleList(layer(level, channels[level]) for _ in range(blocks_down))
            for level in levels
        )
        self.downsample = nn.ModuleList(
            Downsample(channels[level], channels[level + 1]) for level in levels[:-1]
        )
        # The first layer on the way up also takes the skip from the way down, but at the coarsest
        # level, where both are the same thing.
        self.up = nn.ModuleList(
            nn.ModuleList(
                layer(level, channels[level] * (2 if i == 0 and level < levels[-1] else 1))
                for i in range(blocks_up)
            )
            for level in levels
        )
        self.upsample = nn.ModuleList(
            Upsample(channels[level + 1], channels[level]) for level in levels[:-1]
        )
        self.activation_checkpointing = False
        self.norm = GroupNorm(channels[0])
        self.head = zero_init(nn.Conv2d(channels[0], patch_channels, 3, padding=1))

    def cross_attentions(self) -> list[CrossAttention]:
        """In the order of the forward pass."""
        layers = [layer for level in (*self.down, *reversed(self.up)) for layer in level]
        return [layer.cross_attention for layer in layers if layer.cross_attention is not None]

    def prepare(self, condition: Condition, low_res: Tensor | None = None) -> Prepared:
        """The part of the forward pass that no step has to repeat.

        Args:
            low_res: of an upscaler, the small picture, [B, image_channels, S, S].
        """
        parts = [attention.kv(condition.tokens) for attention in self.cross_attentions()]
        enlarged = None
        if low_res is not None:
            enlarged = F.interpolate(low_res, scale_factor=self.patch_size, mode="bicubic")
        return Prepared(
            self.pooled(condition.pooled),  # [B, E]
            torch.cat(parts, dim=-1) if parts else None,  # [B, 18, W]
            condition.canvas,
            low_res,
            enlarged,
        )

    def forward(self, x: Tensor, t: Tensor, prepared: Prepared) -> Tensor:
        """One step.

        Args:
            x: [B, image_channels, H, W].
            t: [B] in [0, 1].
            prepared: from ``prepare``, for B requests.

        Returns:
            [B, image_channels, H, W].
        """
        embedding = F.silu(self.time(t) + prepared.embedding)  # [B, E]
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
            return checkpoint(layer, h, embedding, keys_values, use_reentrant=False)
        return layer(h, embedding, keys_values)

    def _split(self, keys_values: Tensor | None) -> Iterator[Tensor]:
        """[B, 18, W] -> one [B, 18, 2 C] for each cross-attention."""
        if keys_values is None:
            return iter(())
        sizes = [attention.kv.out_features for attention in self.cross_attentions()]
        return iter(keys_values.split(sizes, dim=-1))
