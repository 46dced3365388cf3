"""One call for every kind of diffusion model: D(x_t, t, condition) -> x_0.

The network's raw output means different things under different prediction types; this file is the
only one that knows which. The training target stands beside its inverse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import torch
from torch import Tensor

from .config import InputScaling, ModelConfig, Prediction
from .schedules import Schedule, make_schedule

PREDICTIONS = get_args(Prediction)
INPUT_SCALINGS = get_args(InputScaling)

Network = Callable[..., Tensor]

Denoise = Callable[[Tensor, float], Tensor]
"""(x_t [B, C, H, W], t) -> x_0 [B, C, H, W]: all that a sampler knows of the model."""


@dataclass(eq=False, repr=False)
class Denoiser:
    """Wraps (network, schedule, prediction type), as k-diffusion's denoisers do.

    Attributes:
        network: called as ``network(scaled x_t, t, *condition)``.
        schedule: alpha and sigma as functions of t.
        prediction: what the network puts out. "x0", the image; "eps", the noise; "v",
            alpha eps - sigma x_0 (Salimans & Ho, arXiv 2202.00512, appendix D).
        input_scaling: what the network gets to see of x_t. "unit": x_t / sqrt(alpha^2 + sigma^2),
            always about unit variance. "wiener": x_t alpha / (alpha^2 + sigma^2), the best linear
            estimate of a unit-variance x_0. It fades to nothing as x_t becomes pure noise, where
            E[x_0 | x_t] does not depend on x_t either, so the network need not learn to ignore
            the noise. Only for "x0": the other two must copy the noise.
        pixel_range: what black and white are in x_0.
    """

    network: Network
    schedule: Schedule
    prediction: str = "x0"
    input_scaling: str = "unit"
    pixel_range: tuple[float, float] = (-1.0, 1.0)

    def __post_init__(self) -> None:
        if self.prediction not in PREDICTIONS:
            raise ValueError(f"unknown prediction {self.prediction!r}; choose from {PREDICTIONS}")
        if self.input_scaling not in INPUT_SCALINGS:
            raise ValueError(
                f"unknown scaling {self.input_scaling!r}; choose from {INPUT_SCALINGS}"
            )

    @classmethod
    def from_config(cls, network: Network, config: ModelConfig) -> Denoiser:
        """The denoiser that ``config`` describes, around a network built from it."""
        schedule = make_schedule(config.schedule, **config.schedule_options)
        return cls(network, schedule, config.prediction, config.input_scaling, config.pixel_range)

    @cached_property
    def ends_in_noise(self) -> bool:
        """Whether nothing of the image is left at t = 1."""
        return self.schedule(torch.ones(1))[0].item() == 0

    @property
    def blind_to_noise(self) -> bool:
        """Whether the estimate at t = 1 is the same whatever the noise: the input fades to zero."""
        return self.input_scaling == "wiener" and self.ends_in_noise

    def __call__(self, x: Tensor, t: Tensor, *condition: object) -> Tensor:
        """The estimate of x_0.

        Args:
            x: x_t, [B, C, H, W].
            t: [B] in [0, 1].
            condition: handed to the network as it is.
        """
        alpha, sigma = self._alpha_sigma(t, x)
        output = self.predict(x, t, *condition)
        if self.prediction == "x0":
            return output
        if self.prediction == "v":
            return (alpha * x - sigma * output) / (alpha**2 + sigma**2)
        return (x - sigma * output) / alpha

    def predict(self, x: Tensor, t: Tensor, *condition: object) -> Tensor:
        """The network's raw output for x_t: what is compared with ``target`` in training."""
        alpha, sigma = self._alpha_sigma(t, x)
        power = alpha**2 + sigma**2
        scale = alpha / power if self.input_scaling == "wiener" else power.rsqrt()
        return self.network(x * scale, t, *condition)

    def noised(self, x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """x_t = alpha x_0 + sigma eps."""
        alpha, sigma = self._alpha_sigma(t, x0)
        return alpha * x0 + sigma * eps

    def target(self, x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """What a perfect network would put out for ``noised(x0, eps, t)``."""
        alpha, sigma = self._alpha_sigma(t, x0)
        return {"x0": x0, "eps": eps, "v": alpha * eps - sigma * x0}[self.prediction]

    def _alpha_sigma(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """alpha and sigma as [B, 1, 1, 1]."""
        alpha, sigma = self.schedule(t)
        shape = (-1,) + (1,) * (like.ndim - 1)
        return alpha.view(shape), sigma.view(shape)
