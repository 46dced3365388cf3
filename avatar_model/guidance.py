"""Classifier-free guidance as a closure around a denoiser."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from .denoiser import Denoiser
from .tau import Condition
from .unet import Prepared

Denoise = Callable[[Tensor, float], Tensor]
"""(x_t [B, C, H, W], t) -> x_0 [B, C, H, W]: all that a sampler knows of the model."""

C = TypeVar("C", Condition, Prepared)
"""What the network is conditioned on, a NamedTuple of tensors [B, ...] or None."""


def guided(
    denoiser: Denoiser,
    condition: C,
    null_condition: C | None = None,
    scale: float = 1.0,
    interval: tuple[float, float] = (0.0, 1.0),
) -> Denoise:
    """D = D_null + scale (D_cond - D_null), clipped to the range of an image.

    Ho & Salimans (arXiv 2207.12598, eq. 6) with scale = w + 1, the convention of diffusers: 1 is no
    guidance and costs one network evaluation a step, anything else costs two. Guidance of x_0 and
    of eps are the same: one is an affine function of the other.

    Clipping x_0 is safe only because samplers here derive eps from the *clipped* x_0; reusing the
    network's own eps destroys colours (tests/avatar_model/test_samplers.py keeps the proof).

    Args:
        condition: what the network is to know about the B images.
        null_condition: the same with all attributes open, for B images or for one; may be left out
            when ``scale`` is 1.
        scale: 1 follows the condition as trained; 0 ignores it; above 1 exaggerates it.
        interval: guidance applies for low <= t <= high only (Kynkaanniemi et al., arXiv
            2404.07724), and outside of it the plain conditional estimate is used.
    """
    both = None
    if scale != 1:
        if null_condition is None:
            raise ValueError("guidance needs a null condition")
        both = _stacked(condition, null_condition)  # once for all steps

    def denoise(x: Tensor, t: float) -> Tensor:
        times = torch.full((len(x),), t, device=x.device, dtype=x.dtype)
        if both is None or not interval[0] <= t <= interval[1]:
            return denoiser(x, times, condition).clamp(*denoiser.pixel_range)
        x0, x0_null = denoiser(torch.cat([x, x]), torch.cat([times, times]), both).chunk(2)
        return torch.lerp(x0_null, x0, scale).clamp(*denoiser.pixel_range)

    return denoise


def steps_to_evaluations(steps: int, scale: float) -> int:
    """Guidance needs a second evaluation of the network in every step."""
    return steps * (1 if scale == 1 else 2)


def _stacked(condition: C, null_condition: C) -> C:
    """One condition for 2 B images, the null condition in the second half."""
    return type(condition)._make(
        None if c is None or n is None else torch.cat([c, n.expand_as(c)])
        for c, n in zip(condition, null_condition, strict=True)
    )
