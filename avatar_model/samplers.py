"""Samplers: from pure noise to an image, as pure functions of a denoiser.

Each takes ``denoise(x, t) -> x_0``, the schedule, the start x and a grid of times that falls from
the noisiest to 0, and calls ``callback(step, t, x, x0)`` after every step. None of them knows
about attributes, guidance or networks. eps is always derived from the x_0 that the denoiser
returned, so clipped or guided estimates stay consistent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from .denoiser import Denoise
from .device import send
from .schedules import Schedule

Callback = Callable[[int, float, Tensor, Tensor], None]
"""(step counted from 0, t that was reached, x_t [B, C, H, W], x_0 estimate [B, C, H, W])."""

Sampler = Callable[..., Tensor]


def time_grid(num_steps: int) -> list[float]:
    """``num_steps + 1`` times from 1 to 0, evenly spaced."""
    return [1 - i / num_steps for i in range(num_steps)] + [0.0]


def noise_like(x: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Standard normal noise [B, ...] with row i from ``generators[i]``, made on the CPU.

    One stream per image makes an image independent of the batch it is in, and the CPU makes it
    independent of the device.
    """
    noise = torch.stack([torch.randn(x.shape[1:], generator=g) for g in generators])
    return send(noise, x.device).to(x.dtype)


def ddim(
    denoise: Denoise,
    schedule: Schedule,
    x: Tensor,
    times: Sequence[float],
    callback: Callback | None = None,
    generators: Sequence[torch.Generator] = (),
) -> Tensor:
    """Deterministic DDIM (Song et al., arXiv 2010.02502, eq. 12 with sigma = 0).

    Under the ``flow`` schedule this is Euler's method for the probability-flow ODE.
    """
    for i, (t, s) in enumerate(pairwise(times)):
        x0 = denoise(x, t)
        alpha_t, sigma_t, alpha_s, sigma_s = _at(schedule, t, s)
        eps = (x - alpha_t * x0) / sigma_t
        x = alpha_s * x0 + sigma_s * eps
        if callback:
            callback(i, s, x, x0)
    return x


def ddpm(
    denoise: Denoise,
    schedule: Schedule,
    x: Tensor,
    times: Sequence[float],
    callback: Callback | None = None,
    generators: Sequence[torch.Generator] = (),
) -> Tensor:
    """Ancestral sampling: x_s ~ q(x_s | x_t, x_0) (Ho et al., arXiv 2006.11239, eq. 6 and 7).

    Written for any alpha and sigma (Kingma et al., arXiv 2107.00630, appendix A.2), so it also
    works where alpha^2 + sigma^2 is not 1.

    Args:
        generators: one per image; the source of the noise that each step adds.
    """
    for i, (t, s) in enumerate(pairwise(times)):
        x0 = denoise(x, t)
        alpha_t, sigma_t, alpha_s, sigma_s = _at(schedule, t, s)
        ratio = alpha_t / alpha_s
        added = sigma_t**2 - ratio**2 * sigma_s**2  # variance of the noise between s and t
        x = (ratio * sigma_s**2 / sigma_t**2) * x + (alpha_s * added / sigma_t**2) * x0
        if sigma_s > 0:
            x = x + math.sqrt(added) * sigma_s / sigma_t * noise_like(x, generators)
        if callback:
            callback(i, s, x, x0)
    return x


def dpm_solver_pp_2m(
    denoise: Denoise,
    schedule: Schedule,
    x: Tensor,
    times: Sequence[float],
    callback: Callback | None = None,
    generators: Sequence[torch.Generator] = (),
) -> Tensor:
    """DPM-Solver++(2M) (Lu et al., arXiv 2211.01095, Algorithm 2): DDIM with a memory of one step.

    The first step, and any step from pure noise or to the clean image (where the half log-SNR is
    infinite), is of first order, which is DDIM.
    """
    previous: Tensor | None = None
    previous_h = math.inf
    for i, (t, s) in enumerate(pairwise(times)):
        x0 = denoise(x, t)
        alpha_t, sigma_t, alpha_s, sigma_s = _at(schedule, t, s)
        decay = alpha_t * sigma_s / (sigma_t * alpha_s)  # exp(-h), h = lambda_s - lambda_t
        h = -math.log(decay) if decay > 0 else math.inf
        estimate = x0
        if previous is not None and math.isfinite(h) and math.isfinite(previous_h):
            estimate = x0 + (x0 - previous) * (h / previous_h / 2)
        x = (sigma_s / sigma_t) * x + alpha_s * (1 - decay) * estimate
        previous, previous_h = x0, h
        if callback:
            callback(i, s, x, x0)
    return x


SAMPLERS: dict[str, Sampler] = {"ddim": ddim, "ddpm": ddpm, "dpm++": dpm_solver_pp_2m}

if TYPE_CHECKING:
    SamplerName = str
else:
    SamplerName = Literal[tuple(SAMPLERS)]


def _at(schedule: Schedule, t: float, s: float) -> tuple[float, float, float, float]:
    """alpha and sigma of the schedule at t and at s, as floats."""
    alpha, sigma = schedule(torch.tensor([t, s], dtype=torch.float64))
    return alpha[0].item(), sigma[0].item(), alpha[1].item(), sigma[1].item()
