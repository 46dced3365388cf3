"""What a checkpoint's ``config.json`` says about the network, as one dataclass."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import torch

from .crop import DEFAULT_CROP, SOURCE_SIZE
from .field_checks import Range, check_fields, from_json
from .schedules import make_schedule

Prediction = Literal["x0", "eps", "v"]
InputScaling = Literal["unit", "wiener"]
Way = Literal["attention", "scale_shift", "canvas"]

MAX_MAP = 2**26
"""Values of a feature map, of which a network holds several at a time: 256 MiB in float32."""
MAX_TOKENS = 128**2
"""Pixels that attend to each other."""
MAX_WORK = 1e12
"""Multiply-adds of an evaluation: about ten seconds on two cores."""


@dataclass(frozen=True)
class ModelConfig:
    """The architecture and what its input and output mean; everything needed to rebuild it.

    Raises:
        ValueError: a field of another type or out of its range, or fields that do not fit together.
    """

    unet: Literal["own", "diffusers"] = "own"
    """Our UNet, or the one of the library diffusers, for comparison."""
    image_size: Annotated[int, Range(8, 1024)] = 64
    """Height and width in pixels."""
    crop: Annotated[int, Range(1, SOURCE_SIZE)] = DEFAULT_CROP
    """Side of the centre square of a 500x500 Cartoon Set picture that avatars show, in pixels."""
    patch_size: Annotated[int, Range(1, 64)] = 2
    """Side of the squares of pixels that the UNet takes as one."""
    channels: Annotated[tuple[int, ...], Range(1, 4096)] = (48, 96, 192)
    """Of each level of the UNet, finest first; each level halves the resolution."""
    blocks_down: Annotated[int, Range(1, 16)] = 1
    """Layers per level on the way down."""
    blocks_up: Annotated[int, Range(1, 16)] = 2
    """Layers per level on the way up."""
    self_attention: tuple[bool, ...] = (False, False, True)
    """Whether each level has self-attention, finest first."""
    cross_attention: tuple[bool, ...] = (False, True, True)
    """Whether each level attends to the tokens of the attributes, finest first."""
    num_heads: Annotated[int, Range(1, 64)] = 4
    """Of all attention."""
    tau_width: Annotated[int, Range(1, 4096)] = 128
    """Of Tau's tokens."""
    tau_projections: Annotated[int, Range(1, 16)] = 2
    """Linear layers between the attributes and Tau's tokens."""
    tau_tokens: Annotated[int, Range(0, 1024)] = 0
    """Tokens of Tau, each of all attributes together; 0 for one per attribute."""
    tau_encoding: Literal["one_hot", "integers", "raw_integers", "none"] = "one_hot"
    """What Tau reads: a binary vector, 18 integers from 0 to 1 or as they are, or nothing."""
    conditioning: tuple[Way, ...] = ("attention", "scale_shift", "canvas")
    """How attributes may reach the UNet; none for an unconditional model, which has no Tau."""
    canvas_channels: Annotated[int, Range(0, 4096)] = 32
    """Of Tau's canvas at the resolution of the finest level; 0 for none."""
    prediction: Prediction = "x0"
    """What the network predicts: the picture, its noise, or velocity."""
    input_scaling: InputScaling = "wiener"
    """How x_t is scaled on its way into the network (``denoiser.Denoiser``)."""
    schedule: str = "flow"
    """The noise schedule: flow, cosine, sigmoid or linear."""
    schedule_options: dict[str, float] = field(default_factory=dict)
    """Of the schedule, such as num_steps 300 beta_end 0.008 of linear."""
    pixel_range: Annotated[tuple[float, float], Range(-1000, 1000)] = (-1.0, 1.0)
    """What black and white are to the diffusion process; noise has mean 0 and variance 1 whatever
    this is, which is why 0 1 is a bad idea (the blog's first try)."""
    image_channels: Literal[3, 4] = 4
    """4 for RGBA with a transparent background, or 3 for RGB on white."""
    low_res_size: Annotated[int, Range(0, 1024)] = 0
    """Height and width of the small picture that an upscaler makes larger, also the side of its
    finest level; 0 for a base, which starts from attributes alone."""

    def __post_init__(self) -> None:
        check_fields(self)
        schedule = make_schedule(self.schedule, **self.schedule_options)
        levels = len(self.channels)
        if not 1 <= levels <= 8:
            raise ValueError(f"channels needs 1 to 8 entries, one per level, not {levels}")
        for name in ("self_attention", "cross_attention"):
            if len(getattr(self, name)) != levels:
                raise ValueError(f"{name} needs {levels} entries, one per level of channels")
        if any(self.cross_attention) and "attention" not in self.conditioning:
            raise ValueError("cross_attention needs 'attention' in conditioning")
        if self.canvas_channels and "canvas" not in self.conditioning:
            raise ValueError("without 'canvas' in conditioning, canvas_channels must be 0")
        if not self.pixel_range[1] - self.pixel_range[0] >= 0.001:
            raise ValueError(f"pixel_range must rise by 0.001 at least, not {self.pixel_range}")
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
        if self.input_scaling == "wiener" and self.prediction != "x0":
            raise ValueError("input_scaling 'wiener' needs prediction 'x0': the others copy noise")
        if self.prediction == "eps" and schedule(torch.ones(1, device="cpu"))[0] == 0:
            raise ValueError(
                f"schedule {self.schedule!r} ends in pure noise, where a prediction of eps says "
                "nothing about x_0; use prediction 'x0' or 'v'"
            )
        if bad := [c for c in self.channels if c % self.num_heads]:
            raise ValueError(f"channels {bad[0]} must be a multiple of num_heads {self.num_heads}")
        if self.unet == "diffusers":
            self._check_diffusers()
        self._check_cost()

    def _check_cost(self) -> None:
        """ValueError if no ordinary machine could draw with such a network."""
        work = 0.0
        for level, channels in enumerate(self.channels):
            pixels = (self.image_size // self.patch_size // 2**level) ** 2
            canvas = 0 if level else self.canvas_channels
            if max(channels, canvas) * pixels > MAX_MAP:
                raise ValueError(
                    f"{max(channels, canvas)} channels of {pixels} pixels are too many"
                )
            if self.self_attention[level] and pixels > MAX_TOKENS:
                raise ValueError(f"self_attention over {pixels} pixels is too much")
            # Two 3x3 convolutions in each layer, and the attention of pixels to pixels.
            attention = 2 * pixels * channels if self.self_attention[level] else 0
            layers = self.blocks_down + self.blocks_up
            work += layers * pixels * (18 * channels**2 + attention)
        if work > MAX_WORK:
            raise ValueError(
                f"a network of about {work:.1g} multiply-adds is too large to draw with"
            )

    def _check_diffusers(self) -> None:
        """ValueError for what only our own UNet can do."""
        for name, needed in (
            ("conditioning", ("attention",)),
            ("patch_size", 1),
            ("low_res_size", 0),
            ("blocks_up", self.blocks_down + 1),
            ("self_attention", (self.self_attention[0],) * len(self.channels)),
        ):
            if getattr(self, name) != needed:
                raise ValueError(f"unet 'diffusers' needs {name} {needed}")

    @property
    def is_upscaler(self) -> bool:
        """Whether the network makes a small picture larger."""
        return self.low_res_size > 0

    @property
    def is_conditional(self) -> bool:
        """Whether attributes decide what is generated."""
        return bool(self.conditioning) and self.tau_encoding != "none"

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
        return from_json(cls, data)


def check_upscaler(upscaler: ModelConfig, base: ModelConfig) -> None:
    """ValueError unless an upscaler of this kind can go on from pictures of this base."""
    if not upscaler.is_upscaler:
        raise ValueError("it is no upscaler: its low_res_size is 0")
    for theirs, ours, what in (
        (upscaler.low_res_size, base.image_size, "pictures of {} pixels, and the base draws {}"),
        (upscaler.crop, base.crop, "a crop of {}, and the base has {}"),
        (upscaler.pixel_range, base.pixel_range, "a pixel_range of {}, and the base has {}"),
        (upscaler.image_channels, base.image_channels, "{} image_channels, and the base has {}"),
    ):
        if theirs != ours:
            raise ValueError(f"it was made for {what.format(theirs, ours)}")
