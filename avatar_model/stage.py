"""A stage of the cascade: one trained diffusion model, ready to generate pictures of one size.

Cascaded diffusion (Ho et al., arXiv 2106.15282): a base generates a small picture from attributes,
and an upscaler, the same kind of model with that picture as a further input, a larger one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .arguments import MAX_EMPHASIS, MAX_GUIDANCE_SCALE, MAX_STEPS, interval, number, one_of, whole
from .attributes import NAMES, attribute
from .config import ModelConfig
from .denoiser import Denoiser
from .guidance import GUIDANCE_METHODS, Guidance, guided
from .images import opaque
from .network import AvatarNetwork
from .samplers import SAMPLERS, Callback, noise_like, time_grid

BATCH, GPU_BATCH = 16, 64
"""Images at a time, see ``Stage.batch_size``: more need more memory and are no faster on a CPU."""
OWN_NOISE = 0x9E3779B9
"""A seed XOR this gives an upscaler other noise than the base has for the same avatar. Torch looks
at 32 bits of a seed, so no larger number would do."""

STEPS_BELOW_SCALE_1 = 8
"""Of a base, until it is measured: those of the bundled one."""
SHAPES = {name: 0.3 for name in NAMES if not name.endswith("_color")}
"""What is emphasised until it is measured (``train.evaluate``): more of a colour is another one."""


class Settings(NamedTuple):
    """How a stage generates, checked; see ``AvatarPipeline.__call__``."""

    steps: int
    sampler: str
    guidance: Guidance

    @property
    def evaluations(self) -> int:
        """Of the network, for one picture."""
        return self.guidance.evaluations(self.steps)


class Stage:
    """Generates pictures of one size with a trained network.

    Args:
        network: set to evaluation mode.
        defaults: ``guidance_scale``, ``guidance_method``, ``num_inference_steps`` and ``sampler``,
            for what a caller leaves open; and of the method "condition" ``emphasis``, see
            ``Guidance``, and ``steps_below_scale_1``, the fewest steps below that scale.
        training: how it was trained, for people to read.

    Attributes:
        denoiser: the network with its noise schedule.

    Raises:
        ValueError: defaults that are out of range.
    """

    def __init__(
        self,
        network: AvatarNetwork,
        defaults: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        self.network = network.eval()
        self.defaults: dict[str, Any] = {
            "guidance_scale": 1.0,
            "guidance_method": "classic",  # that of checkpoints from when there was no other
            "emphasis": dict(SHAPES),
            "steps_below_scale_1": 1 if self.config.is_upscaler else STEPS_BELOW_SCALE_1,
            "num_inference_steps": 1 if self.config.is_upscaler else 4,
            "sampler": "ddim",
            **(defaults or {}),
        }
        self.settings()  # or every later call would complain of its own defaults
        self.training = dict(training or {})
        self.denoiser = Denoiser.from_config(network.unet, self.config)

    @property
    def config(self) -> ModelConfig:
        """Of the network."""
        return self.network.config

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @property
    def batch_size(self) -> int:
        """Images that an upscaler generates at a time."""
        return BATCH if self.device.type == "cpu" else GPU_BATCH

    def to(self, device: str | torch.device) -> Stage:
        """Move the network to a device; returns the stage."""
        self.network.to(device)
        return self

    def settings(
        self,
        scale: Any = None,
        steps: Any = None,
        sampler: Any = None,
        method: Any = None,
        interval_: Any = None,
    ) -> Settings:
        """What a caller gave, or the default for None; ValueError names what is out of range."""
        asked = {
            "guidance_scale": scale,
            "num_inference_steps": steps,
            "sampler": sampler,
            "guidance_method": method,
        }
        values = self.defaults | {name: v for name, v in asked.items() if v is not None}
        steps, below = (
            whole(name, values[name], 1, MAX_STEPS)
            for name in ("num_inference_steps", "steps_below_scale_1")
        )
        one_of("sampler", values["sampler"], tuple(SAMPLERS))
        one_of("guidance_method", values["guidance_method"], GUIDANCE_METHODS)
        guidance = Guidance(
            number("guidance_scale", values["guidance_scale"], 0, MAX_GUIDANCE_SCALE),
            values["guidance_method"],
            (0.0, 1.0) if interval_ is None else interval("guidance_interval", interval_),
            _emphasis(values["emphasis"]),
        )
        if guidance.below_one:
            steps = max(steps, below)
        return Settings(steps, values["sampler"], guidance)

    def noise(self, seeds: Sequence[int], guidance: Guidance | None = None) -> Tensor:
        """What the avatars of these seeds start from, [N, C, H, W]: see ``Guidance.below_one``."""
        blank = self._blank(len(seeds))
        if guidance is not None and guidance.below_one:
            return blank
        return noise_like(blank, self._generators(seeds))

    def generate(
        self,
        one_hot: Tensor,
        seeds: Sequence[int],
        settings: Settings,
        low_res: Tensor | None = None,
        callback: Callback | None = None,
    ) -> Tensor:
        """Generate one picture per row.

        Args:
            one_hot: [N, 217] for Tau, on the device of the network.
            seeds: N of them; equal ones give equal noise.
            low_res: of an upscaler, the small pictures, [N, C, h, w] in its pixel range.

        Returns:
            premultiplied RGBA in the pixel range of the model, float32 [N, 4, H, W].
        """
        generators = self._generators(seeds)
        x = self._blank(len(seeds))
        # One step from noise that the network does not see leaves nothing of it, and a GPU would
        # wait longer for it than for the rest.
        seen = settings.steps > 1 or not self.denoiser.blind_to_noise
        if seen and not settings.guidance.below_one:
            x = noise_like(x, generators)
        generated = SAMPLERS[settings.sampler](
            guided(
                self.denoiser,
                lambda rows: self.network.prepare(rows, low_res),
                one_hot,
                settings.guidance,
            ),
            self.denoiser.schedule,
            x,
            time_grid(settings.steps),
            callback,
            generators,
        )
        return opaque(generated, self.config.pixel_range[1])

    def _generators(self, seeds: Sequence[int]) -> list[torch.Generator]:
        own = OWN_NOISE if self.config.is_upscaler else 0
        return [torch.Generator().manual_seed(own ^ seed) for seed in seeds]

    def _blank(self, count: int) -> Tensor:
        channels, side = self.config.image_channels, self.config.image_size
        return torch.zeros(count, channels, side, side, device=self.device)


def _emphasis(value: Any) -> dict[str, float]:
    """``value`` if it is a mapping from attribute names to strengths."""
    if not isinstance(value, Mapping):
        raise ValueError(f"emphasis must be a mapping from names to numbers, not {value!r:.80}")
    return {
        attribute(name).name: number(f"emphasis of {name}", strength, 0, MAX_EMPHASIS)
        for name, strength in value.items()
    }
