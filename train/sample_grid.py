"""Pictures to look at: drawn avatars beside the real ones with the same attributes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from avatar_model.contact_sheet import contact_sheet
from avatar_model.images import on_white


def save_pairs(
    path: Path, real: np.ndarray, drawn: np.ndarray, pairs_per_row: int = 4, scale: int = 2
) -> None:
    """A PNG of pairs on white: the real avatar left, the drawn one right of it.

    Args:
        real, drawn: uint8 premultiplied RGBA [N, H, W, 4], the same person at the same index.
        pairs_per_row: columns of pairs.
        scale: side of a pixel of the avatars in the picture.
    """
    pairs = np.concatenate([on_white(real), on_white(drawn)], axis=2)  # [N, H, 2 * W, 3]
    tiles = [Image.fromarray(pair) for pair in pairs]
    sheet = contact_sheet(tiles, pairs_per_row, scale, gap=12, background="#d8dce2")
    sheet.save(path, optimize=True)
