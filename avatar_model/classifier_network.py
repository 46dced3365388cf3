"""The network of ``AvatarClassifier``: pictures in, logits of all attribute values out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attributes import NAMES, ONE_HOT_SIZE, SIZES, Vocabulary
from .field_checks import Range, check_fields

GRID = 8
"""Side of the map that is flattened, at most."""
MAX_MAPS = 6
MAX_MAP = 2**22
"""Values of a feature map, of which a batch has dozens: 16 MiB in float32."""


@dataclass(frozen=True)
class ClassifierConfig:
    """The architecture, as ``config.json`` keeps it.

    Raises:
        ValueError: a field of another type or out of its range, or sides that cannot be halved.
    """

    image_size: Annotated[int, Range(8, 512)] = 64
    """Side of the pictures in pixels."""
    channels: Annotated[tuple[int, ...], Range(2, 1024)] = (32, 64, 96)
    """Of the maps at 1/2, 1/4, 1/8, ... of the side of what is looked at."""
    blocks: Annotated[int, Range(1, 16)] = 1
    """Residual blocks on each map."""
    width: Annotated[int, Range(1, 8192)] = 256
    """Number of features of what is looked at."""
    overview_size: Annotated[int | None, Range(8, 512)] = None
    """Side to which the whole picture is shrunk before it is looked at; by default it is not."""
    window: Annotated[tuple[int, ...], Range(0, 512)] = ()
    """Top, left, height and width of what is looked at a second time, in all its pixels."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not 1 <= len(self.channels) <= MAX_MAPS:
            raise ValueError(f"channels must be 1 to {MAX_MAPS} numbers, not {len(self.channels)}")
        if self.image_size % self.overview:
            raise ValueError(
                f"overview_size must divide image_size {self.image_size}, not be {self.overview}"
            )
        sides = {"overview_size" if self.overview_size else "image_size": self.overview}
        if self.window:
            if len(self.window) != 4:
                raise ValueError(f"window must be 4 numbers or none, not {len(self.window)}")
            top, left, height, width = self.window
            sides |= {"window's height": height, "window's width": width}
            if max(top + height, left + width) > self.image_size:
                raise ValueError(f"window {self.window} is not inside of {self.image_size} pixels")
        for name, side in sides.items():
            if not side or side % self.reduction:
                raise ValueError(f"{name} must be a multiple of {self.reduction}, not {side}")
        if max(self.channels) * max(sides.values()) ** 2 > MAX_MAP:
            raise ValueError(
                f"{max(self.channels)} channels are too many for {max(sides.values())} pixels"
            )

    @property
    def overview(self) -> int:
        """Side at which the whole picture is looked at."""
        return self.overview_size or self.image_size

    @property
    def reduction(self) -> int:
        """How many times smaller the last map is than what is looked at."""
        return 1 << len(self.channels)


class Trunk(nn.Module):
    """A plain residual network (He et al., arXiv 1512.03385) with BatchNorm and no attention.

    Cartoon faces all stand in the same place, so the last map is flattened, not averaged: where a
    brow is matters as much as what it looks like.

    Args:
        height, width: of the pictures that it looks at.
    """

    def __init__(self, config: ClassifierConfig, height: int, width: int) -> None:
        super().__init__()
        fine, coarse = config.channels[0], config.channels[-1]
        # Brows differ by fractions of a pixel: the first layer looks at every pixel before halving.
        self.stem = nn.Sequential(
            _conv(4, fine // 2, 3),
            nn.BatchNorm2d(fine // 2),
            nn.ReLU(),
            _conv(fine // 2, fine, 3, stride=2),
            nn.BatchNorm2d(fine),
            nn.ReLU(),
        )
        blocks: list[nn.Module] = []
        for before, after in pairwise((fine, *config.channels)):
            blocks.append(ResidualBlock(before, after, stride=2 if blocks else 1))
            blocks.extend(ResidualBlock(after, after) for _ in range(config.blocks - 1))
        self.blocks = nn.Sequential(*blocks)
        last = min(GRID, height // config.reduction), min(GRID, width // config.reduction)
        self.neck = nn.Sequential(
            nn.AdaptiveAvgPool2d(last),
            nn.Flatten(),
            nn.Linear(coarse * last[0] * last[1], config.width, bias=False),
            nn.BatchNorm1d(config.width),
            nn.ReLU(),
        )

    def look(self, x: Tensor) -> Tensor:
        """float32 [N, 4, H, W] in [-1, 1] -> [N, ``width``]."""
        x = self.stem(x)  # [N, C, H/2, W/2]
        x = self.blocks(x)  # [N, C', H/k, W/k], k = ``reduction``
        features: Tensor = self.neck(x)
        return features


class ClassifierNetwork(Trunk):
    """Looks at the whole picture and, in all its pixels, at a window where the small things are.

    As an eye does: of 256 pixels the window of eyes and brows is a fourteenth, and all the rest can
    be told apart at 64.
    """

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__(config, config.overview, config.overview)
        self.config = config
        self.detail = Trunk(config, *config.window[2:]) if config.window else None
        self.head = nn.Linear(self.num_features, ONE_HOT_SIZE)

    @property
    def num_features(self) -> int:
        """D."""
        return self.config.width * (2 if self.config.window else 1)

    def features(self, x: Tensor) -> Tensor:
        """What the logits are a linear function of: float32 [N, 4, H, H] in [-1, 1] -> [N, D]."""
        found = self.look(F.avg_pool2d(x, self.config.image_size // self.config.overview))
        if self.detail is None:
            return found
        top, left, height, width = self.config.window
        window = x[:, :, top : top + height, left : left + width]
        return torch.cat([found, self.detail.look(window)], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of all values: float32 [N, 4, H, H], premultiplied in [-1, 1] -> [N, 217]."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def rehearse(self) -> Tensor:
        """The logits of a blank picture."""
        side = self.config.image_size
        logits: Tensor = self(torch.zeros(1, 4, side, side))
        return logits


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a short cut; ``stride`` 2 halves the map."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.norm1 = _conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.norm2 = _conv(outputs, outputs, 3), nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs or stride != 1:
            self.shortcut = nn.Sequential(
                _conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H / stride, W / stride]."""
        h = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(h)) + self.shortcut(x))


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


def allowed_values(vocabulary: Vocabulary) -> Tensor:
    """bool [217], False for the values that never occurred in training."""
    return torch.tensor([count > 0 for name in NAMES for count in vocabulary.counts[name]])


def log_probabilities(logits: Tensor, allowed: Tensor) -> Tensor:
    """[N, 217] logits -> log probabilities within each attribute's slice; -inf if not allowed."""
    masked = logits.float().masked_fill(~allowed, -torch.inf)
    parts = torch.split(masked, [*SIZES], dim=1)
    return torch.cat([part.log_softmax(dim=1) for part in parts], dim=1)
