"""How much each pixel counts in the loss, so that small attributes are not drowned by large ones.

Most of what differs between two Cartoon Set pictures is hair, and brows are a few pixels: in a
plain mean a brow that is drawn wrongly hardly costs anything (docs/training.md).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from train.data.dataset import PackedSet
from train.data.explained_variance import explained_variance


def attribute_weights(data: PackedSet, rows: np.ndarray, balance: float = 1.0) -> Tensor:
    """Weights of the pixels with which attributes count far more alike than by their pixels.

    With V_a(p) what attribute a explains of the variance at pixel p, and S_a its sum over all
    pixels, the weight is sum_a V_a / S_a divided by sum_a V_a: where one attribute alone decides
    what is seen, 1 / S_a, so that all its pixels together count 1. A further "attribute", which
    explains as much as the mean of the others and that everywhere alike, keeps the empty margin
    from being divided by nothing.

    Args:
        rows: those that are trained on.
        balance: 0..1, the share of such weights; the rest is 1 everywhere.

    Returns:
        float32 [H, W], 1 in the mean; all 1 if no attribute explains anything.
    """
    side = data.images.shape[1]
    explained = explained_variance(data, rows)  # [18, h, w]
    size = explained.sum(dim=(1, 2))
    seen = size > 0
    if not seen.any():
        return torch.ones(side, side)
    explained, size = explained[seen], size[seen]
    pixels = explained[0].numel()
    equal = (explained / size[:, None, None]).sum(0) + 1 / pixels
    weights = equal / (explained.sum(0) + size.mean() / pixels)
    weights = F.interpolate(weights[None, None], side, mode="bilinear")[0, 0]
    return torch.lerp(torch.ones(side, side), weights / weights.mean(), balance)
