"""Where the classifier looks at every pixel: at what is small, found from the data."""

from __future__ import annotations

import numpy as np

from avatar_model.attributes import ATTRIBUTES
from train.data.dataset import PackedSet
from train.data.explained_variance import explained_variance

SMALL = ("Eyes", "Eyebrows")
"""Groups of attributes that can hardly be told apart in a picture of 64 pixels."""
MARGIN = 0.005
"""Share of what is seen of an attribute that may lie outside on each side: chance misleads."""


def find_window(data: PackedSet, rows: np.ndarray, multiple: int) -> tuple[int, ...]:
    """The smallest part of the pictures that shows eyes and brows: top, left, height and width.

    Args:
        rows: those that are trained on.
        multiple: height and width are multiples of it, as the network halves them.

    Returns:
        in pixels; empty if eyes and brows are nowhere seen.
    """
    small = [a.group in SMALL for a in ATTRIBUTES]
    explained = explained_variance(data, rows)[small].numpy()  # [A, h, w]
    explained = explained[explained.sum(axis=(1, 2)) > 0]
    if not len(explained):
        return ()
    side, cell = data.images.shape[1], data.images.shape[1] / explained.shape[1]
    spans = []
    for other in (2, 1):  # rows, then columns
        seen = explained.sum(axis=other)
        share = (seen / seen.sum(axis=1, keepdims=True)).cumsum(axis=1)
        first = (share <= MARGIN).sum(axis=1).min()
        last = (share < 1 - MARGIN).sum(axis=1).max()
        start, end = int(first * cell), int(np.ceil((last + 1) * cell))
        length = min(-(-(end - start) // multiple) * multiple, side)
        start -= (length - (end - start)) // 2
        spans.append((min(max(start, 0), side - length), length))
    (top, height), (left, width) = spans
    return top, left, height, width
