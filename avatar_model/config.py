"""What a checkpoint's ``config.json`` says about the network, as one dataclass."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .images import DEFAULT_CROP, SOURCE_SIZE


@dataclass(frozen=True)
class ModelConfig:
    """The architecture and what its input and output mean; everything needed to rebuild it.

    Attributes:
        image_size: height and width in pixels.
        crop: side of the centre square of a 500x500 Cartoon Set picture that the model draws, see
            ``images.load_avatar``.
        patch_size, channels, blocks_down, blocks_up, num_heads: see ``unet.UNet``.
        self_attention, cross_attention: per level, finest first.
        tau_width, tau_projections, tau_encoding: see ``tau.Tau``.
        canvas_channels: of Tau's canvas at the resolution of the finest level; 0 for none.
        prediction: what the network predicts: "x0", "eps" or "v" (``denoiser.Denoiser``).
        input_scaling: how x_t is scaled on its way into the network (``denoiser.Denoiser``).
        schedule, schedule_options: see ``schedules.make_schedule``.
        pixel_range: what black and white are to the diffusion process; noise has mean 0 and
            variance 1 whatever this is, which is why (0, 1) is a bad idea (the blog's first try).
        low_res_size: height and width of the small picture that an upscaler makes larger, also
            the side of its finest level; 0 for a base, which starts from attributes alone.
    """

    image_size: int = 64
    crop: int = DEFAULT_CROP
    patch_size: int = 2
    channels: tuple[int, ...] = (48, 96, 192)
    blocks_down: int = 1
    blocks_up: int = 2
    self_attention: tuple[bool, ...] = (False, False, True)
    cross_attention: tuple[bool, ...] = (False, True, True)
    num_heads: int = 4
    tau_width: int = 128
    tau_projections: int = 2
    tau_encoding: str = "one_hot"
    canvas_channels: int = 32
    prediction: str = "x0"
    input_scaling: str = "wiener"
    schedule: str = "flow"
    schedule_options: dict[str, float] = field(default_factory=dict)
    pixel_range: tuple[float, float] = (-1.0, 1.0)
    low_res_size: int = 0

    def __post_init__(self) -> None:
        levels = len(self.channels)
        for name in ("self_attention", "cross_attention"):
            if len(getattr(self, name)) != levels:
                raise ValueError(f"{name} needs {levels} entries, one per level of channels")
        if not 0 < self.crop <= SOURCE_SIZE:
            raise ValueError(f"crop must be from 1 to {SOURCE_SIZE}, not {self.crop}")
        if not self.pixel_range[0] < self.pixel_range[1]:
            raise ValueError(f"pixel_range must rise, not {self.pixel_range}")
        smallest = self.patch_size * 2 ** (levels - 1)
        if self.image_size % smallest:
            raise ValueError(
                f"image_size {self.image_size} must be a multiple of {smallest} for patch_size "
                f"{self.patch_size} and {levels} levels"
            )
        if self.low_res_size and self.low_res_size * self.patch_size != self.image_size:
            raise ValueError(
                f"low_res_size {self.low_res_size} must be image_size {self.image_size} / "
                f"patch_size {self.patch_size}"
            )
        if self.low_res_size == self.image_size:
            raise ValueError("patch_size of an upscaler must be at least 2, or it enlarges nothing")
        if self.low_res_size and self.prediction != "x0":
            raise ValueError("low_res_size needs prediction 'x0': the small picture is part of it")
        bad = [c for c in self.channels if c % self.num_heads]
        if bad:
            raise ValueError(f"channels {bad[0]} must be a multiple of num_heads {self.num_heads}")

    @property
    def is_upscaler(self) -> bool:
        """Whether the network makes a small picture larger."""
        return self.low_res_size > 0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelConfig:
        """The inverse of ``to_dict``; ValueError names fields that are unknown or do not fit."""
        known = {f.name for f in dataclasses.fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise ValueError(f"unknown model config fields: {', '.join(unknown)}")
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in data.items()})
