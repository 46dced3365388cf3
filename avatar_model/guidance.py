"""Classifier-free guidance as a closure around a denoiser."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .denoiser import Denoiser
from .tau import Condition

Denoise = Callable[[Tensor, float], Tensor]
"""(x_t [B, C, H, W], t) -> x_0 [B, C, H, W]: all that a sampler knows of the model."""


def guided(
    denoiser: Denoiser,
    condition: Condition,
    null_condition: Condition | None = None,
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
        denoiser: the model.
        condition: Tau's condition for the B images.
        null_condition: Tau's condition with all attributes open, for B images or for one; may be
            left out when ``scale`` is 1.
        scale: 1 follows the condition as trained; 0 ignores it; above 1 exaggerates it.
        interval: guidance applies for low <= t <= high only (Kynkaanniemi et al., arXiv
            2404.07724), and outside of it the plain conditional estimate is used.
    """
    if scale != 1 and null_condition is None:
        raise ValueError("guidance needs a null condition")

    def denoise(x: Tensor, t: float) -> Tensor:
        times = torch.full((len(x),), t, device=x.device, dtype=x.dtype)
        if scale == 1 or not interval[0] <= t <= interval[1]:
            return denoiser(x, times, condition).clamp(*denoiser.pixel_range)
        both = Condition(
            *(
                None if c is None else torch.cat([c, n.expand_as(c)])
                for c, n in zip(condition, null_condition, strict=True)
            )
        )
        x0, x0_null = denoiser(torch.cat([x, x]), torch.cat([times, times]), both).chunk(2)
        return torch.lerp(x0_null, x0, scale).clamp(*denoiser.pixel_range)

    return denoise
