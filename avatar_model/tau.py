"""Tau, the conditioning module: attributes in, everything the UNet may look at out.

It alone owns what an open attribute means (no token content, no layers) and condition dropout.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .attributes import ATTRIBUTES, ONE_HOT_SIZE, SIZES
from .config import ModelConfig

NUM_TOKENS = len(ATTRIBUTES)


class Condition(NamedTuple):
    """What Tau hands to the UNet for a batch of B requests.

    Attributes:
        tokens: [B, 18, width], one per attribute, for cross-attention.
        pooled: [B, width], all attributes in one vector, for scale-and-shift.
        canvas: [B, C, S, S], every given value's own layer summed up, or None without a canvas.
    """

    tokens: Tensor
    pooled: Tensor
    canvas: Tensor | None


class Tau(nn.Module):
    """Projects the 217-wide binary attribute vector into three views of the same request.

    * tokens: each attribute has its own projection of its own slice, so an attribute is a word and
      its value the word's meaning; an open attribute keeps a learned "open" token.
    * pooled: the whole vector through an MLP with ``num_projections`` layers.
    * canvas: each value owns a learned feature map, and the maps of the given values are summed.
      Cartoon Set images are layered artwork, so "a value is a layer" lets the network spend its
      arithmetic on how layers cover and tint each other instead of on recalling them. It is one
      matrix product, nearly free next to a convolution.

    In the config, ``tau_width`` is the size of a token and of the pooled vector;
    ``tau_projections`` the depth of both MLPs, which the blog doubles; ``tau_encoding`` what they
    read: "one_hot"; or "integers", the blog's first try, 18 numbers value / (n - 1) in [0, 1] (an
    open attribute is -1), which makes hair 56 lie between hair 55 and hair 57; or "none", for an
    unconditional model that never learns what was asked.
    """

    owner: Tensor
    values: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.encoding = config.tau_encoding
        width, depth = config.tau_width, config.tau_projections
        side = config.image_size // config.patch_size
        self.canvas_shape = (config.canvas_channels, side, side)
        in_features = NUM_TOKENS if self.encoding == "integers" else ONE_HOT_SIZE

        # owner[a, j] = 1 where input j belongs to attribute a: keeps each token to its own slice.
        owner = np.eye(NUM_TOKENS, dtype=np.float32)
        if self.encoding != "integers":
            owner = owner.repeat(SIZES, axis=1)
        self.register_buffer("owner", torch.tensor(owner), persistent=False)
        fractions = [torch.linspace(0, 1, n, device="cpu") for n in SIZES]  # value / (n - 1)
        values = torch.tensor(torch.cat(fractions).tolist())
        self.register_buffer("values", values, persistent=False)

        self.token_values = _normal(in_features, width)
        self.token_open = _normal(NUM_TOKENS, width)
        self.token_mlp = _mlp(width, width, depth - 1)
        self.pool = _mlp(in_features, width, depth)
        self.canvas: nn.Parameter | None = None
        if config.canvas_channels:
            # Small, so that 18 summed layers start well below the activations they join.
            self.canvas = _normal(in_features, math.prod(self.canvas_shape), std=0.02)

    def forward(self, one_hot: Tensor) -> Condition:
        """Args: one_hot: float [B, 217] from ``attributes.one_hot``; zeros leave one open."""
        x = self._encode(one_hot)
        tokens = (x[:, None, :] * self.owner) @ self.token_values  # [B, 18, width]
        canvas = None
        if self.canvas is not None:
            canvas = torch.unflatten(x @ self.canvas, 1, self.canvas_shape)  # [B, C, S, S]
        return Condition(self.token_mlp(tokens + self.token_open), self.pool(x), canvas)

    def _encode(self, one_hot: Tensor) -> Tensor:
        """[B, 217] -> [B, 18] for integers, else [B, 217]."""
        if self.encoding == "none":
            return torch.zeros_like(one_hot)
        if self.encoding == "one_hot":
            return one_hot
        parts = torch.split(one_hot * (1 + self.values), [*SIZES], dim=1)
        return torch.stack([part.sum(1) - 1 for part in parts], 1)  # -1 where one is open


def drop_conditions(
    one_hot: Tensor, rate: float, generator: torch.Generator | None = None
) -> Tensor:
    """Condition dropout for training: a share of the requests lose some or all attributes.

    Of a batch, ``rate / 2`` lose all attributes, which teaches guidance's unconditional branch,
    and ``rate / 2`` lose each attribute with a probability that is itself random, from U(0, 1), so
    that every number of given attributes occurs.

    Args:
        one_hot: [B, 217].
        rate: share of requests that lose anything, in [0, 1].
        generator: on the device of ``one_hot``.

    Returns:
        [B, 217] with the slices of the dropped attributes set to zero.
    """
    batch, device = len(one_hot), one_hot.device
    kind, share = torch.rand(2, batch, 1, generator=generator, device=device)
    coin = torch.rand(batch, NUM_TOKENS, generator=generator, device=device)
    dropped = (kind < rate / 2) | ((kind < rate) & (coin < share))  # [B, 18]
    columns = torch.split((~dropped).to(one_hot), 1, dim=1)
    # Views and one copy; a tensor of sizes would have to be sent to a GPU, and waited for.
    keep = torch.cat([c.expand(-1, n) for c, n in zip(columns, SIZES, strict=True)], dim=1)
    return one_hot * keep  # [B, 217]


def _normal(*shape: int, std: float = 1.0) -> nn.Parameter:
    """Random weights; none on the meta device, for which torch would import for a second."""
    weights = torch.empty(shape)
    return nn.Parameter(weights if weights.is_meta else weights.normal_(std=std))


def _mlp(in_features: int, width: int, depth: int) -> nn.Sequential:
    """``depth`` linear layers with SiLU in front of all but the first."""
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [nn.SiLU()] if i else []
        layers += [nn.Linear(in_features if i == 0 else width, width)]
    return nn.Sequential(*layers)
