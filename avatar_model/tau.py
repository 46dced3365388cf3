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

SILU_GAIN = 0.3557
"""E[silu(z)^2] for z ~ N(0, 1)."""
POOLED_START = 0.05
"""How far the pooled vector differs from person to person before training. At 1, what scales and
shifts every layer is loud before it means anything, and the default preset learns less well
(docs/model.md)."""


class Condition(NamedTuple):
    """What Tau hands to the UNet for a batch of B requests; None for a way that it does not use.

    Attributes:
        tokens: [B, N, width], one per attribute or N of them all, for cross-attention.
        pooled: [B, width], all attributes in one vector, for scale-and-shift.
        canvas: [B, C, S, S], every given value's own layer summed up.
    """

    tokens: Tensor | None
    pooled: Tensor | None
    canvas: Tensor | None


class Tau(nn.Module):
    """Projects the 217-wide binary attribute vector into up to three views of the same request.

    * tokens: each attribute has its own projection of its own slice, so an attribute is a word and
      its value the word's meaning; an open attribute keeps a learned "open" token. With
      ``tau_tokens`` N, the whole vector is projected to N tokens instead, as in the blog.
    * pooled: the whole vector through an MLP with ``num_projections`` layers.
    * canvas: each value owns a learned feature map, and the maps of the given values are summed.
      Cartoon Set images are layered artwork, so "a value is a layer" lets the network spend its
      arithmetic on how layers cover and tint each other instead of on recalling them. It is one
      matrix product, nearly free next to a convolution.

    In the config, ``conditioning`` says which of them there are; ``tau_width`` is the size of a
    token and of the pooled vector; ``tau_projections`` the depth of both MLPs, which the blog
    doubles. ``tau_encoding`` is what they read:

    * "one_hot": the binary vector.
    * "raw_integers": 18 numbers, the blog's first try: the index of each value as it stands in the
      files, so hair 56 lies between hair 55 and hair 57, and no value is further from 0 than hair
      110; an open attribute is 0, as its first value is.
    * "integers": the same as value / (n - 1), in [0, 1]; an open attribute is -1.
    * "none": nothing. Unconditional models have no Tau (``conditioning`` is empty); those from
      before that have one that reads zeros.
    """

    owner: Tensor
    values: Tensor
    token_values: nn.Parameter | None
    token_open: nn.Parameter | None
    token_mlp: nn.Sequential | None
    pool: nn.Sequential | None
    canvas: nn.Parameter | None

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.encoding = config.tau_encoding
        width, depth, ways = config.tau_width, config.tau_projections, config.conditioning
        side = config.image_size // config.patch_size
        self.canvas_shape = (config.canvas_channels, side, side)
        numbers = self.encoding in ("integers", "raw_integers")
        in_features = NUM_TOKENS if numbers else ONE_HOT_SIZE
        # Raw numbers go up to 110: so small that people start about as far apart as with bits.
        std = (3 * NUM_TOKENS) ** -0.5 if self.encoding == "raw_integers" else 1.0

        # owner[a, j] = 1 where input j belongs to attribute a: keeps each token to its own slice.
        owner = np.eye(NUM_TOKENS, dtype=np.float32)
        if not numbers:
            owner = owner.repeat(SIZES, axis=1)
        self.register_buffer("owner", torch.tensor(owner), persistent=False)
        last = [1 if self.encoding == "raw_integers" else n - 1 for n in SIZES]
        values = [i / end for n, end in zip(SIZES, last, strict=True) for i in range(n)]
        self.register_buffer("values", torch.tensor(values), persistent=False)

        all_std = std * NUM_TOKENS**-0.5  # 18 of the 217 are not 0
        self.token_values = self.token_open = self.token_mlp = self.pool = self.canvas = None
        self.num_tokens = config.tau_tokens
        if "attention" in ways:
            n = self.num_tokens
            self.token_values = _normal(in_features, (n or 1) * width, std=all_std if n else std)
            self.token_open = _normal(n or NUM_TOKENS, width)
            self.token_mlp = _mlp(width, width, depth - 1, width**-0.5)
        if "scale_shift" in ways:
            self.pool = _mlp(in_features, width, depth, all_std, last=POOLED_START)
        if config.canvas_channels:
            # Small, so that 18 summed layers start well below the activations they join.
            self.canvas = _normal(in_features, math.prod(self.canvas_shape), std=0.02)

    def forward(self, one_hot: Tensor) -> Condition:
        """Args: one_hot: float [B, 217] from ``attributes.one_hot``; zeros leave one open."""
        x, tokens, canvas = self._encode(one_hot), None, None
        if self.token_values is not None:
            if n := self.num_tokens:
                tokens = torch.unflatten(x @ self.token_values, 1, (n, -1))  # [B, N, width]
            else:
                tokens = (x[:, None, :] * self.owner) @ self.token_values  # [B, 18, width]
            assert self.token_open is not None and self.token_mlp is not None
            tokens = self.token_mlp(tokens + self.token_open)
        pooled = None if self.pool is None else self.pool(x)  # [B, width]
        if self.canvas is not None:
            canvas = torch.unflatten(x @ self.canvas, 1, self.canvas_shape)  # [B, C, S, S]
        return Condition(tokens, pooled, canvas)

    def _encode(self, one_hot: Tensor) -> Tensor:
        """[B, 217] -> [B, 18] for integers, else [B, 217]."""
        if self.encoding == "none":
            return torch.zeros_like(one_hot)
        if self.encoding == "one_hot":
            return one_hot
        below = 0 if self.encoding == "raw_integers" else 1  # what is open is so far below 0
        parts = torch.split(one_hot * (below + self.values), [*SIZES], dim=1)
        return torch.stack([part.sum(1) - below for part in parts], 1)


def drop_conditions(
    one_hot: Tensor,
    rate: float,
    generator: torch.Generator | None = None,
    per_attribute: bool = False,
) -> Tensor:
    """Condition dropout for training: a share of the requests lose some or all attributes.

    Of a batch, ``rate / 2`` lose all attributes, which teaches guidance's unconditional branch,
    and ``rate / 2`` lose each attribute with a probability that is itself random, from U(0, 1), so
    that every number of given attributes occurs.

    Args:
        one_hot: [B, 217].
        rate: share of requests that lose anything, in [0, 1].
        generator: on the device of ``one_hot``.
        per_attribute: every attribute of every request is lost with probability ``rate`` instead.
            So the blog does it, which draws a mask for each of the 217 entries; of an attribute
            only the entry of its value matters, the others are 0 anyway. All 18 are hardly ever
            lost together, so there is no unconditional branch.

    Returns:
        [B, 217] with the slices of the dropped attributes set to zero.
    """
    batch, device = len(one_hot), one_hot.device
    kind, share = torch.rand(2, batch, 1, generator=generator, device=device)
    coin = torch.rand(batch, NUM_TOKENS, generator=generator, device=device)
    some = (kind < rate / 2) | ((kind < rate) & (coin < share))  # [B, 18]
    dropped = coin < rate if per_attribute else some
    columns = torch.split((~dropped).to(one_hot), 1, dim=1)
    # Views and one copy; a tensor of sizes would have to be sent to a GPU, and waited for.
    keep = torch.cat([c.expand(-1, n) for c, n in zip(columns, SIZES, strict=True)], dim=1)
    return one_hot * keep  # [B, 217]


def _normal(*shape: int, std: float = 1.0) -> nn.Parameter:
    """Random weights; none on the meta device, for which torch would import for a second."""
    weights = torch.empty(shape)
    return nn.Parameter(weights if weights.is_meta else weights.normal_(std=std))


def _mlp(in_features: int, width: int, depth: int, std: float, last: float = 1.0) -> nn.Sequential:
    """``depth`` linear layers with SiLU in front of all but the first.

    They start without bias, the first with weights of deviation ``std``, the others so that they
    hand on what differs between people, the last one ``last`` times as much. SiLU leaves
    ``SILU_GAIN`` of a variance of 1, and the weights give it back (He et al., arXiv 1502.01852, do
    so for ReLU). With torch's own initialisation each layer leaves three tenths of a deviation, and
    a deep Tau is all but blind to begin with.
    """
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [nn.SiLU()] if i else []
        linear = nn.Linear(in_features if i == 0 else width, width)
        deviation = (width * SILU_GAIN) ** -0.5 if i else std
        deviation *= last if i == depth - 1 else 1.0
        linear.weight = _normal(width, linear.in_features, std=deviation)
        nn.init.zeros_(linear.bias)
        layers.append(linear)
    return nn.Sequential(*layers)
