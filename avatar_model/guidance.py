"""Guidance: how strongly a picture follows its attributes, as a closure around a denoiser.

The scale counts as in diffusers: 0 is the average face, 1 as asked, and more emphasises. A method
says what a scale other than 1 does; samplers know nothing of it. docs/guidance.md has pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from .attributes import NAMES, ONE_HOT_SIZE, SIZES
from .denoiser import Denoise, Denoiser
from .device import send
from .samplers import time_grid
from .unet import Prepared

Prepare = Callable[[Tensor], Prepared]
"""One-hot rows [B, 217] -> what the network is conditioned on."""

Estimate = Callable[[Tensor, Tensor], Tensor]
"""(x_t [B, C, H, W], t [B]) -> x_0, not yet in the range of an image."""

EVALUATIONS = {"condition": 1, "classic": 2, "projected": 2}
"""Of the network, in a step with a scale other than 1."""
GUIDANCE_METHODS = tuple(EVALUATIONS)

NORM_LIMIT = 2.5 / math.sqrt(4 * 64 * 64)
"""Of "projected", per value of an image: the norm 2.5 at 64 pixels. Enough to keep faces whole."""


class Guidance(NamedTuple):
    """How the attributes are followed, checked (``Stage.settings``).

    Attributes:
        scale: 1 follows them as trained, 0 ignores them, above 1 emphasises them.
        method: one of ``GUIDANCE_METHODS``.
        interval: the lowest and the highest t at which the scale applies; at others the attributes
            are followed as trained (Kynkaanniemi et al., arXiv 2404.07724).
        emphasis: attribute name to strength, for "condition" above 1; those not named stay as
            asked. It is the model's own (``train/evaluation/emphasis.py`` measures it).
    """

    scale: float = 1.0
    method: str = "classic"
    interval: tuple[float, float] = (0.0, 1.0)
    emphasis: Mapping[str, float] = {}

    @property
    def below_one(self) -> bool:
        """Whether a picture is on its way from the average face to the person, by "condition".

        There it starts from the middle of the noise instead of at random, or every part of it would
        become somebody else's: two-coloured hair, one lens. (The truncation trick of Brock et al.,
        arXiv 1809.11096.)
        """
        return self.method == "condition" and self.scale < 1

    def evaluations(self, steps: int) -> int:
        """Evaluations of the network in so many steps."""
        low, high = self.interval
        guided_steps = sum(low <= t <= high for t in time_grid(steps)[:-1])
        extra = 0 if self.scale == 1 else EVALUATIONS[self.method] - 1
        return steps + guided_steps * extra


def guided(denoiser: Denoiser, prepare: Prepare, one_hot: Tensor, guidance: Guidance) -> Denoise:
    """The denoiser that samplers see: guided, and clipped to the range of an image.

    Clipping x_0 is safe only because samplers here derive eps from the *clipped* x_0; reusing the
    network's own eps destroys colours (tests/avatar_model/test_samplers.py keeps the proof).

    Args:
        prepare: called once for each condition that is needed, not for every step.
        one_hot: [B, 217], what is asked for.
    """
    prepare = cache(prepare)  # tensors are told apart by identity
    low, high = guidance.interval
    method = _METHODS[guidance.method] if guidance.scale != 1 else _as_asked
    inside = method(denoiser, prepare, one_hot, guidance)
    outside = inside
    if low > 0 or high < 1:
        outside = _as_asked(denoiser, prepare, one_hot, guidance)

    def denoise(x: Tensor, t: float) -> Tensor:
        times = torch.full((len(x),), t, device=x.device, dtype=x.dtype)
        estimate = inside if low <= t <= high else outside
        return estimate(x, times).clamp(*denoiser.pixel_range)

    return denoise


def _as_asked(
    denoiser: Denoiser, prepare: Prepare, one_hot: Tensor, guidance: Guidance
) -> Estimate:
    """D(x, t, c)."""
    condition = prepare(one_hot)
    return lambda x, times: denoiser(x, times, condition)


def _condition(
    denoiser: Denoiser, prepare: Prepare, one_hot: Tensor, guidance: Guidance
) -> Estimate:
    """D(x, t, f c): the attributes are scaled where Tau reads them, one evaluation a step.

    f is the scale s up to 1. Above, f = 1 + strength (1 - 1 / s) for each emphasised attribute,
    which stays below 1 + strength however large s is, and 1 for the others. Ours; it rests on a Tau
    that is linear in what it reads but for its last layers, so that it knows what half an attribute
    is.
    """
    s = guidance.scale
    factors = [s] * len(NAMES)
    if s > 1:
        factors = [1 + guidance.emphasis.get(name, 0.0) * (1 - 1 / s) for name in NAMES]
    columns = torch.tensor(factors).repeat_interleave(torch.tensor(SIZES), output_size=ONE_HOT_SIZE)
    return _as_asked(denoiser, prepare, one_hot * send(columns, one_hot.device), guidance)


def _classic(denoiser: Denoiser, prepare: Prepare, one_hot: Tensor, guidance: Guidance) -> Estimate:
    """Classifier-free guidance: D = D_null + s (D_cond - D_null).

    Ho & Salimans (arXiv 2207.12598, eq. 6) with s = w + 1. Guidance of x_0 and of eps are the same:
    one is an affine function of the other.
    """
    both = _with_null(denoiser, prepare, one_hot)

    def estimate(x: Tensor, times: Tensor) -> Tensor:
        x0, x0_null = both(x, times)
        return torch.lerp(x0_null, x0, guidance.scale)

    return estimate


def _projected(
    denoiser: Denoiser, prepare: Prepare, one_hot: Tensor, guidance: Guidance
) -> Estimate:
    """Adaptive projected guidance: D = D_cond + (s - 1) d, with d of limited norm.

    d is D_cond - D_null, shortened to ``NORM_LIMIT``, without its part along D_cond, which
    oversaturates (Sadat et al., arXiv 2410.02416, section 4: eta = 0, no momentum). Below 1, where
    nothing can overshoot, it is "classic".
    """
    if guidance.scale < 1:
        return _classic(denoiser, prepare, one_hot, guidance)
    both = _with_null(denoiser, prepare, one_hot)

    def estimate(x: Tensor, times: Tensor) -> Tensor:
        x0, x0_null = (part.flatten(1) for part in both(x, times))
        d = x0 - x0_null
        limit = NORM_LIMIT * math.sqrt(d.shape[1])
        d = d * (limit / d.norm(dim=1, keepdim=True).clamp(min=limit))
        along = (d * x0).sum(1, keepdim=True) / (x0 * x0).sum(1, keepdim=True).clamp(min=1e-12)
        further: Tensor = x0 + (guidance.scale - 1) * (d - along * x0)
        return further.view_as(x)

    return estimate


_METHODS = {"condition": _condition, "classic": _classic, "projected": _projected}


def _with_null(
    denoiser: Denoiser, prepare: Prepare, one_hot: Tensor
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """(D_cond, D_null), as asked for and with all attributes open, in one evaluation of twice B."""
    asked, null = prepare(one_hot), prepare(torch.zeros_like(one_hot))
    both = Prepared._make(
        None if c is None or n is None else torch.cat([c, n])
        for c, n in zip(asked, null, strict=True)
    )

    def evaluate(x: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
        x0, x0_null = denoiser(torch.cat([x, x]), torch.cat([times, times]), both).chunk(2)
        return x0, x0_null

    return evaluate
