"""A stage of the cascade: one trained diffusion model, ready to generate pictures of one size.

Cascaded diffusion (Ho et al., arXiv 2106.15282): a base generates a small picture from attributes,
and an upscaler, the same kind of model with that picture as a further input, a larger one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .arguments import MAX_GUIDANCE_SCALE, MAX_STEPS, number, one_of, whole
from .backend import choose_backend
from .config import ModelConfig
from .denoiser import Denoiser
from .guidance import guided
from .network import AvatarNetwork
from .samplers import SAMPLERS, Callback, noise_like, time_grid

BATCH, GPU_BATCH = 16, 64
"""Images at a time, see ``Stage.batch_size``: more need more memory and are no faster on a CPU."""
OWN_NOISE = 0x9E3779B9
"""A seed XOR this gives an upscaler other noise than the base has for the same avatar. Torch looks
at 32 bits of a seed, so no larger number would do."""


class Settings(NamedTuple):
    """How a stage generates, checked; see ``AvatarPipeline.__call__``."""

    steps: int
    scale: float
    sampler: str


class Stage:
    """Generates pictures of one size with a trained network.

    Args:
        network: set to evaluation mode.
        defaults: ``guidance_scale``, ``num_inference_steps`` and ``sampler``, for what a caller
            leaves open.
        training: how it was trained, for people to read.
        graph: the network for ONNX Runtime, if there is one (``onnx_unet.py``).

    Attributes:
        backend: what evaluates the UNet, "torch" or "onnx" (``use_backend``).
        denoiser: the network with its noise schedule.

    Raises:
        ValueError: defaults that are out of range.
    """

    def __init__(
        self,
        network: AvatarNetwork,
        defaults: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        graph: bytes | None = None,
    ) -> None:
        self.network = network.eval()
        self.defaults: dict[str, Any] = {
            "guidance_scale": 1.0,
            "num_inference_steps": 1 if self.config.is_upscaler else 4,
            "sampler": "ddim",
            **(defaults or {}),
        }
        self.settings()  # or every later call would complain of its own defaults
        self.training = dict(training or {})
        self.graph = graph
        self.use_backend("torch")

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
        if self.device.type != "cpu":
            self.use_backend("torch")
        return self

    def use_backend(self, name: str) -> Stage:
        """Choose what evaluates the UNet, see ``choose_backend``; returns the stage."""
        self.backend, step = choose_backend(name, self.network, self.graph)
        self.denoiser = Denoiser.from_config(step, self.config)
        return self

    def settings(self, scale: Any = None, steps: Any = None, sampler: Any = None) -> Settings:
        """What a caller gave, or the default for None; ValueError names what is out of range."""
        asked = {"guidance_scale": scale, "num_inference_steps": steps, "sampler": sampler}
        values = self.defaults | {name: v for name, v in asked.items() if v is not None}
        steps = whole("num_inference_steps", values["num_inference_steps"], 1, MAX_STEPS)
        scale = number("guidance_scale", values["guidance_scale"], 0, MAX_GUIDANCE_SCALE)
        one_of("sampler", values["sampler"], tuple(SAMPLERS))
        return Settings(steps, scale, values["sampler"])

    def noise(self, seeds: Sequence[int]) -> Tensor:
        """The noise that the avatars of these seeds start from, [N, 4, H, W]."""
        return noise_like(self._blank(len(seeds)), self._generators(seeds))

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
            low_res: of an upscaler, the small pictures, [N, 4, h, w] in its pixel range.

        Returns:
            premultiplied RGBA in the pixel range of the model, float32 [N, 4, H, W].
        """
        generators = self._generators(seeds)
        x = self._blank(len(seeds))
        # One step from noise that the network does not see leaves nothing of it, and a GPU would
        # wait longer for it than for the rest.
        if settings.steps > 1 or not self.denoiser.blind_to_noise:
            x = noise_like(x, generators)
        condition = self.network.prepare(one_hot, low_res)
        null_condition = None
        if settings.scale != 1:
            # Of a base it is the same for all images, so once is enough.
            all_open = torch.zeros_like(one_hot if low_res is not None else one_hot[:1])
            null_condition = self.network.prepare(all_open, low_res)
        return SAMPLERS[settings.sampler](
            guided(self.denoiser, condition, null_condition, settings.scale),
            self.denoiser.schedule,
            x,
            time_grid(settings.steps),
            callback,
            generators,
        )

    def _generators(self, seeds: Sequence[int]) -> list[torch.Generator]:
        own = OWN_NOISE if self.config.is_upscaler else 0
        return [torch.Generator().manual_seed(own ^ seed) for seed in seeds]

    def _blank(self, count: int) -> Tensor:
        side = self.config.image_size
        return torch.zeros(count, 4, side, side, device=self.device)
