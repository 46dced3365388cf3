"""What a checkpoint's ``config.json`` says about the network, as one dataclass."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .crop import DEFAULT_CROP, SOURCE_SIZE


@dataclass(frozen=True)
class ModelConfig:
    """The architecture and what its input and output mean; everything needed to rebuild it.

    Attributes:
        image_size: height and width in pixels.
        crop: side of the centre square of a 500x500 Cartoon Set picture that avatars show, see
            ``crop.load_avatar``.
        patch_size: side of the squares of pixels that the UNet takes as one, 1 or more.
        channels: of each level of the UNet, finest first; each level halves the resolution.
        blocks_down, blocks_up: layers per level on the way down and up.
        self_attention, cross_attention: per level, finest first.
        num_heads: of all attention.
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
        if bad := [c for c in self.channels if c % self.num_heads]:
            raise ValueError(f"channels {bad[0]} must be a multiple of num_heads {self.num_heads}")

    @property
    def is_upscaler(self) -> bool:
        """Whether the network makes a small picture larger."""
        return self.low_res_size > 0

    @property
    def embedding_width(self) -> int:
        """Width of what scales and shifts the layers of the UNet: time and pooled attributes."""
        return 4 * self.channels[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelConfig:
        """The inverse of ``to_dict``; ValueError names fields that are unknown or do not fit."""
        if unknown := sorted(set(data) - {f.name for f in dataclasses.fields(cls)}):
            raise ValueError(f"unknown model config fields: {', '.join(unknown)}")
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        return cls(**fields)


def check_upscaler(upscaler: ModelConfig, base: ModelConfig) -> None:
    """ValueError unless an upscaler of this kind can go on from pictures of this base."""
    if not upscaler.is_upscaler:
        raise ValueError("it is no upscaler: its low_res_size is 0")
    for theirs, ours, what in (
        (upscaler.low_res_size, base.image_size, "pictures of {} pixels, and the base draws {}"),
        (upscaler.crop, base.crop, "a crop of {}, and the base has {}"),
        (upscaler.pixel_range, base.pixel_range, "a pixel_range of {}, and the base has {}"),
    ):
        if theirs != ours:
            raise ValueError(f"it was made for {what.format(theirs, ours)}")
