"""The stages of a model one after another: attributes and seeds in, pictures of one size out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .arguments import MAX_STEPS, one_of, whole
from .config import check_upscaler
from .denoiser import Denoiser
from .device import choose_device
from .images import to_levels, to_model
from .network import AvatarNetwork
from .samplers import Callback
from .stage import Settings, Stage

if TYPE_CHECKING:
    from typing_extensions import Self  # of typing from Python 3.11 on

STAGES = ("base", "upscaler")
"""Names of the stages, in the order in which they generate."""
SETTINGS = (
    "guidance_scale",
    "guidance_method",
    "guidance_interval",
    "num_inference_steps",
    "sampler",
    "size",
    "upscaler_steps",
)
"""The arguments of ``Cascade.settings``."""


class Cascade:
    """A base, and perhaps an upscaler that generates its pictures again, larger.

    Attributes:
        base: the first stage. Its ``network``, ``denoiser``, ``defaults``, ``training`` and
            ``device`` are also those of the cascade.
        upscaler: the second stage; None if there is none.

    Raises:
        ValueError: an upscaler that was made for another kind of base.
    """

    def __init__(self, base: Stage, upscaler: Stage | None = None) -> None:
        self.base = base
        self.upscaler = upscaler
        if upscaler is not None:
            check_upscaler(upscaler.config, base.config)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Those there are, the base first."""
        return (self.base,) if self.upscaler is None else (self.base, self.upscaler)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of the pictures that can be generated, in pixels, ascending."""
        return tuple(stage.config.image_size for stage in self.stages)

    @property
    def network(self) -> AvatarNetwork:
        """Of the base."""
        return self.base.network

    @property
    def denoiser(self) -> Denoiser:
        """Of the base."""
        return self.base.denoiser

    @property
    def defaults(self) -> dict[str, Any]:
        """Of the base, see ``Stage``."""
        return self.base.defaults

    @property
    def training(self) -> dict[str, Any]:
        """How the base was trained, for people to read."""
        return self.base.training

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.base.device

    def to(self, device: str | torch.device) -> Self:
        """Move the networks to a device, see ``choose_device``; returns the model."""
        device = choose_device(device)
        for stage in self.stages:
            stage.to(device)
        return self

    def settings(
        self,
        *,
        guidance_scale: Any = None,
        num_inference_steps: Any = None,
        sampler: Any = None,
        size: Any = None,
        upscaler_steps: Any = None,
        guidance_method: Any = None,
        guidance_interval: Any = None,
    ) -> list[Settings]:
        """What a caller gave, for each stage that takes part; see ``Stage.settings``."""
        of_base = self.base.settings(
            guidance_scale, num_inference_steps, sampler, guidance_method, guidance_interval
        )
        size = self.sizes[-1] if size is None else size
        one_of("size", size, self.sizes)
        if upscaler_steps is not None:
            whole("upscaler_steps", upscaler_steps, 1, MAX_STEPS)
        if self.upscaler is None or size == self.sizes[0]:
            return [of_base]
        scale, method, interval, _ = of_base.guidance
        if method != "condition":
            # Of a picture that is exaggerated already it draws what there is to see.
            scale, method = min(scale, 1.0), "classic"
        return [
            of_base,
            self.upscaler.settings(scale, upscaler_steps, None, method, interval),
        ]

    def evaluations(self, **settings: Any) -> list[int]:
        """Network evaluations for one picture with these ``settings``, of each stage in turn."""
        return [of_stage.evaluations for of_stage in self.settings(**settings)]

    def generate_rows(
        self,
        one_hot: np.ndarray,
        seeds: Sequence[int],
        settings: Sequence[Settings],
        callback: Callback | None = None,
    ) -> Tensor:
        """Generate one picture per row.

        Args:
            one_hot: float32 [N, 217] for Tau.
            seeds: N of them; equal ones give equal noise.
            settings: of each stage that takes part, see ``settings``.

        Returns:
            premultiplied RGBA in the pixel range of the model, float32 [N, 4, H, W].
        """
        rows = torch.from_numpy(one_hot).to(self.device)
        x = self.base.generate(rows, seeds, settings[0], callback=callback)
        if self.upscaler is None or len(settings) == 1:
            return x
        # The small picture as a file holds it, which is what the upscaler was trained on.
        pixel_range = self.base.config.pixel_range
        channels = self.base.config.image_channels
        low_res = to_model(to_levels(x, pixel_range), pixel_range, channels)
        # Who follows the steps sees those of all images at once.
        size = len(rows) if callback else self.upscaler.batch_size
        batches = [slice(i, i + size) for i in range(0, len(rows), size)]
        return torch.cat(
            [
                self.upscaler.generate(rows[b], seeds[b], settings[1], low_res[b], callback)
                for b in batches
            ]
        )
