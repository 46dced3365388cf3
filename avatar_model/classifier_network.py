"""The network of ``AvatarClassifier``: pictures in, logits of all attribute values out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attributes import NAMES, ONE_HOT_SIZE, SIZES, Vocabulary
from .field_checks import Range, check_fields

GRID = 8
"""Side of the map that is flattened, at most."""
MAX_MAP = 2**22
"""Values of a feature map, of which a batch has dozens: 16 MiB in float32."""


@dataclass(frozen=True)
class ClassifierConfig:
    """The architecture, as ``config.json`` keeps it.

    Raises:
        ValueError: a field of another type or out of its range.
    """

    image_size: Annotated[int, Range(8, 512)] = 64
    """Side of the pictures in pixels, a multiple of 8."""
    channels: Annotated[tuple[int, int, int], Range(2, 1024)] = (32, 64, 96)
    """Of the maps at 1/2, 1/4 and 1/8 of the picture's side."""
    width: Annotated[int, Range(1, 8192)] = 256
    """Number of features, D."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.image_size % 8:
            raise ValueError(f"image_size must be a multiple of 8, not {self.image_size}")
        if max(self.channels) * self.image_size**2 > MAX_MAP:
            raise ValueError(
                f"{max(self.channels)} channels are too many for image_size {self.image_size}"
            )


class ClassifierNetwork(nn.Module):
    """A plain residual network (He et al., arXiv 1512.03385) with BatchNorm and no attention.

    Cartoon faces all stand in the same place, so the last map is flattened, not averaged: where a
    brow is matters as much as what it looks like.
    """

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        fine, middle, coarse = config.channels
        # Brows differ by fractions of a pixel: the first layer looks at every pixel before halving.
        self.stem = nn.Sequential(
            _conv(4, fine // 2, 3),
            nn.BatchNorm2d(fine // 2),
            nn.ReLU(),
            _conv(fine // 2, fine, 3, stride=2),
            nn.BatchNorm2d(fine),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential(
            ResidualBlock(fine, fine),
            ResidualBlock(fine, middle, stride=2),
            ResidualBlock(middle, coarse, stride=2),
        )
        side = min(GRID, config.image_size // 8)
        self.neck = nn.Sequential(
            nn.AdaptiveAvgPool2d(side),
            nn.Flatten(),
            nn.Linear(coarse * side * side, config.width, bias=False),
            nn.BatchNorm1d(config.width),
            nn.ReLU(),
        )
        self.head = nn.Linear(config.width, ONE_HOT_SIZE)

    def features(self, x: Tensor) -> Tensor:
        """What the logits are a linear function of: float32 [N, 4, H, W] in [-1, 1] -> [N, D]."""
        x = self.stem(x)  # [N, C, H/2, W/2]
        x = self.blocks(x)  # [N, C', H/8, W/8]
        features: Tensor = self.neck(x)  # [N, D]
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Logits of all values: float32 [N, 4, H, W], premultiplied in [-1, 1] -> [N, 217]."""
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
