"""The network of ``AvatarClassifier``: pictures in, logits of all attribute values out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attributes import NAMES, ONE_HOT_SIZE, SIZES, Vocabulary

GRID = 8
"""Side of the map that is flattened, at most."""


class ClassifierConfig(TypedDict):
    """The arguments of ``ClassifierNetwork``, as ``config.json`` keeps them."""

    image_size: int
    channels: list[int]
    width: int


class ClassifierNetwork(nn.Module):
    """A plain residual network (He et al., arXiv 1512.03385) with BatchNorm and no attention.

    Cartoon faces all stand in the same place, so the last map is flattened, not averaged: where a
    brow is matters as much as what it looks like.

    Args:
        image_size: side of the pictures in pixels, a multiple of 8.
        channels: of the maps at 1/2, 1/4 and 1/8 of the picture's side.
        width: number of features, D.

    Raises:
        ValueError: ``image_size`` is not a multiple of 8.
    """

    def __init__(
        self,
        image_size: int = 64,
        channels: Sequence[int] = (32, 64, 96),
        width: int = 256,
    ) -> None:
        super().__init__()
        if image_size < 8 or image_size % 8:
            raise ValueError(f"image_size must be a multiple of 8, not {image_size}")
        self.config = ClassifierConfig(image_size=image_size, channels=list(channels), width=width)
        fine, middle, coarse = channels
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
        side = min(GRID, image_size // 8)
        self.neck = nn.Sequential(
            nn.AdaptiveAvgPool2d(side),
            nn.Flatten(),
            nn.Linear(coarse * side * side, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        )
        self.head = nn.Linear(width, ONE_HOT_SIZE)

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
