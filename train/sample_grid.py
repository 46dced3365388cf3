"""Pictures to look at: drawn avatars beside the real ones with the same attributes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

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
    gap = 6
    size = real.shape[1] * scale
    rows = -(-len(real) // pairs_per_row)
    sheet = Image.new(
        "RGB", (pairs_per_row * (2 * size + 3 * gap) + gap, rows * (size + gap) + gap), "#d8dce2"
    )
    for i, pair in enumerate(zip(on_white(real), on_white(drawn), strict=True)):
        row, column = divmod(i, pairs_per_row)
        for side, picture in enumerate(pair):
            x = gap + column * (2 * size + 3 * gap) + side * size
            tile = Image.fromarray(picture).resize((size, size), Image.Resampling.NEAREST)
            sheet.paste(tile, (x, gap + row * (size + gap)))
    sheet.save(path, optimize=True)
