"""Noise schedules: functions of time t in [0, 1] that say how a noisy image is mixed.

    x_t = alpha(t) * x_0 + sigma(t) * eps,    eps ~ N(0, I)

t = 0 is the clean image and t = 1 the noisiest. Whether t = 1 is *pure* noise (alpha = 0) depends
on the schedule; ``linear`` is the one here where it is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor

_GRID = 1000
MAX_LOG_SNR = 100.0
"""Of a schedule between t = 0 and 1, in size: beyond it single precision ends."""
LEAST_FALL = 1e-6
"""Of the log-SNR in a thousandth of t: ``dpm_solver_pp_2m`` divides by it."""


@dataclass(frozen=True)
class Schedule:
    """A noise schedule: ``alpha, sigma = schedule(t)``, elementwise, for t in [0, 1]."""

    name: str
    alpha_sigma: Callable[[Tensor], tuple[Tensor, Tensor]] = field(repr=False)

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Alpha and sigma at t."""
        return self.alpha_sigma(t)

    def log_snr(self, t: Tensor) -> Tensor:
        """log(alpha^2 / sigma^2), from +inf at no noise to -inf at pure noise."""
        alpha, sigma = self(t)
        return 2 * (alpha.log() - sigma.log())


def middles() -> Tensor:
    """Times in the middle of 1000 equal steps; float64 because alpha^2 underflows in float32."""
    return (torch.arange(_GRID, dtype=torch.float64, device="cpu") + 0.5) / _GRID


def flow() -> Schedule:
    """Rectified flow, x_t = (1 - t) x_0 + t eps (Liu et al., arXiv 2209.03003, eq. 1)."""
    return Schedule("flow", lambda t: (1 - t, t))


def cosine() -> Schedule:
    """alpha = cos(pi t / 2) (Nichol & Dhariwal, arXiv 2102.09672, eq. 17, without the offset s)."""

    def alpha_sigma(t: Tensor) -> tuple[Tensor, Tensor]:
        # Exactly zero at t = 1; cos(pi / 2) in floating point is not.
        alpha = torch.where(t >= 1, torch.zeros_like(t), torch.cos(t * (math.pi / 2)))
        return alpha, torch.sin(t * (math.pi / 2))

    return Schedule("cosine", alpha_sigma)


def sigmoid(
    start: float = -3.0, end: float = 3.0, tau: float = 1.0, input_scale: float = 1.0
) -> Schedule:
    """Sigmoid gamma with input scale b (Chen, arXiv 2301.10972, Algorithm 1 and section 2.3).

    The paper multiplies the image by b and then normalises the variance of x_t; here both are
    folded into alpha = b sqrt(gamma) / n and sigma = sqrt(1 - gamma) / n with
    n^2 = b^2 gamma + 1 - gamma. b < 1 is a noisier schedule.
    """

    def alpha_sigma(t: Tensor) -> tuple[Tensor, Tensor]:
        low, high = (1 / (1 + math.exp(-v / tau)) for v in (start, end))
        gamma = (high - torch.sigmoid((t * (end - start) + start) / tau)) / (high - low)
        gamma = torch.where(t >= 1, torch.zeros_like(t), gamma.clamp(0, 1))
        norm = (input_scale**2 * gamma + 1 - gamma).sqrt()
        return input_scale * gamma.sqrt() / norm, (1 - gamma).sqrt() / norm

    return Schedule("sigmoid", alpha_sigma)


@cache
def _log_alpha_bar(
    num_steps: int, beta_start: float, beta_end: float, device: torch.device
) -> Tensor:
    """log alpha-bar at 0, 1, ..., num_steps noise additions, float64 [num_steps + 1]."""
    beta = torch.linspace(beta_start, beta_end, num_steps, dtype=torch.float64)
    table = torch.cat([torch.zeros(1, dtype=torch.float64), torch.log1p(-beta).cumsum(0)])
    return table.to(device)


def linear(num_steps: int = 300, beta_start: float = 1e-4, beta_end: float = 0.008) -> Schedule:
    """DDPM's linear beta (Ho et al., arXiv 2006.11239, section 4); the defaults are the blog's.

    t = k / num_steps is exactly k noise additions; log alpha-bar is interpolated in between.
    """
    if not (0 < beta_start < 1 and 0 < beta_end < 1):
        raise ValueError("beta_start and beta_end must lie between 0 and 1")
    if not 1 <= num_steps <= 100_000 or num_steps != int(num_steps):
        raise ValueError(f"num_steps must be a whole number from 1 to 100000, not {num_steps}")
    num_steps = int(num_steps)  # a command line's options are all floats

    def alpha_sigma(t: Tensor) -> tuple[Tensor, Tensor]:
        table = _log_alpha_bar(num_steps, beta_start, beta_end, t.device)
        position = (t.double() * num_steps).clamp(0, num_steps)
        low = position.floor().long().clamp(max=num_steps - 1)
        log_alpha_bar = torch.lerp(table[low], table[low + 1], position - low)
        alpha = (log_alpha_bar / 2).exp()
        sigma = (-torch.expm1(log_alpha_bar)).sqrt()
        return alpha.to(t.dtype), sigma.to(t.dtype)

    return Schedule("linear", alpha_sigma)


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "flow": flow,
    "cosine": cosine,
    "sigmoid": sigmoid,
    "linear": linear,
}


def make_schedule(name: str, /, **options: float) -> Schedule:
    """The schedule called ``name``, e.g. ``make_schedule("linear", num_steps=500, beta_end=0.2)``.

    Raises:
        ValueError: an unknown name or option, the message lists what there is; or options that
            make no schedule.
    """
    if name not in SCHEDULES:
        raise ValueError(f"unknown schedule {name!r:.80}; choose from {', '.join(SCHEDULES)}")
    try:
        schedule = SCHEDULES[name](**options)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"schedule {name!r}: {error}") from None
    try:
        usable = _is_usable(schedule)
    except (ArithmeticError, RuntimeError):  # options that torch or math choke on
        usable = False
    if not usable:
        raise ValueError(
            f"schedule {name!r} with these options does not add more and more noise; its log-SNR "
            f"must fall from t = 0 to 1, between {MAX_LOG_SNR:.0f} and -{MAX_LOG_SNR:.0f}"
        )
    return schedule


def _is_usable(schedule: Schedule) -> bool:
    """Whether a sampler with as many steps as there may be gets through, in either precision."""
    times = torch.linspace(0, 1, _GRID + 1, dtype=torch.float64, device="cpu")
    values = [*schedule(times), *schedule(times.float())]
    log_snr = schedule.log_snr(times)
    return (
        all(bool(value.isfinite().all()) for value in values)
        and bool((log_snr[1:-1].abs() <= MAX_LOG_SNR).all())
        and bool((log_snr.diff() < -LEAST_FALL).all())
    )
