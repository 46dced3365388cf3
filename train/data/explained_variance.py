"""Where in the pictures of a data set which attribute is seen."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import f
from torch import Tensor

from avatar_model.attributes import OFFSETS, ONE_HOT_SIZE, SIZES, one_hot
from avatar_model.images import to_model
from train.data.dataset import PackedSet

MAX_IMAGES = 4096
"""More would hardly change the means."""
GRID = 64
"""Side at which larger pictures are looked at: it takes seconds, not minutes."""
SIGNIFICANCE = 1e-6
"""There are hundreds of thousands of pixels for chance to mislead in."""
TOO_FAINT = 1e-6
"""Variance in the model's range of -1..1; a level of 255 has 60 times that."""
_CHUNK = 64


def explained_variance(data: PackedSet, rows: np.ndarray) -> Tensor:
    """How much of the variance at each pixel each attribute explains, summed over the channels.

    The variance between the values' means where chance would not explain it (analysis of variance,
    the F test). Without that, hair with its 111 values would be seen everywhere, and what a brow
    decides would be lost among what it seems to decide of the hair.

    Args:
        rows: evenly spread, ``MAX_IMAGES`` of them are looked at.

    Returns:
        float32 [18, h, w] on a grid of at most ``GRID``, in the model's range of pixels.
    """
    rows = rows[:: -(-len(rows) // MAX_IMAGES)]
    asked = torch.from_numpy(one_hot(data.attributes[rows]))  # [N, 217]
    side, channels = min(GRID, data.images.shape[1]), data.images.shape[-1]
    pixels = channels * side**2
    of_value, of_all = torch.zeros(ONE_HOT_SIZE, pixels), torch.zeros(2, pixels)
    for start in range(0, len(rows), _CHUNK):
        some = slice(start, start + _CHUNK)
        x = F.adaptive_avg_pool2d(to_model(data.images[rows[some]]), side).flatten(1)
        of_value += asked[some].T @ x
        of_all += torch.stack([x.sum(0), x.square().sum(0)])
    mean, square = of_all / len(rows)
    variance, counts = square - mean**2, asked.sum(0)
    maps = []
    for offset, size in zip(OFFSETS, SIZES, strict=True):
        part = slice(offset, offset + size)
        share = counts[part, None] / len(rows)
        means = of_value[part] / counts[part, None].clamp(min=1)
        between = (share * (means - mean) ** 2).sum(0)
        values = int((share > 0).sum())
        free = max(1, values - 1), max(1, len(rows) - values)
        by_chance = free[0] / free[1] * (variance - between)
        seen = (between > float(f.isf(SIGNIFICANCE, *free)) * by_chance) & (between > TOO_FAINT)
        maps.append(torch.where(seen, between, 0.0))
    return torch.stack(maps).unflatten(1, (channels, side, side)).sum(1)
