"""Pictures to look at: generated avatars beside the real ones with the same attributes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from avatar_model.contact_sheet import contact_sheet
from avatar_model.images import on_white

MAX_PIXELS = 2_400_000
"""Of the avatars on a checkpoint's sheet: 16 pairs of 256 pixels or 8 of 384, less than 2 MB."""
ENLARGED = 128
"""Avatars up to this side are shown at twice their size."""


def save_pairs(
    path: Path,
    real: np.ndarray,
    generated: np.ndarray,
    pairs_per_row: int = 4,
    max_pixels: int | None = MAX_PIXELS,
) -> None:
    """A PNG of pairs on white: the real avatar left, the generated one right of it.

    Args:
        real, generated: uint8 premultiplied RGBA [N, H, W, 4], the same person at the same index.
        pairs_per_row: columns of pairs.
        max_pixels: whole rows of pairs are left out at the end, but for the first row, until the
            avatars have no more pixels than this; None for all of them.
    """
    if max_pixels is not None:
        rows = max(1, max_pixels // (2 * real[0, ..., 0].size * pairs_per_row))
        shown = slice(rows * pairs_per_row)
        real, generated = real[shown], generated[shown]
    pairs = np.concatenate([on_white(real), on_white(generated)], axis=2)  # [N, H, 2 * W, 3]
    tiles = [Image.fromarray(pair) for pair in pairs]
    scale = 2 if real.shape[2] <= ENLARGED else 1
    sheet = contact_sheet(tiles, pairs_per_row, scale, gap=12, background="#d8dce2")
    sheet.save(path, "PNG", optimize=True)
