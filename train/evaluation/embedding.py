"""A second pair of eyes: what a picture looks like, in numbers that nothing was trained for.

A classifier sees what it was taught and may share blind spots with the model it judges. Edges and
colours by fixed formulas share none with either, so an improvement that shows in both is real.
"""

from __future__ import annotations

import numpy as np
from skimage.color import rgb2lab
from skimage.feature import hog

from avatar_model.images import on_white

GRID = 8
"""Cells along a side, of the edges as of the colours; an avatar's eye is about one cell."""

ORIENTATIONS = 9
_BLOCK = 2
_CHUNK = 256

VISIBLE_EDGE = 0.02
"""The mean gradient of lightness (0..1, per pixel) in a block at which its edges count half. Plain
HOG divides every block by its own contrast, so one level of noise on a flat cheek would look like
a texture as strong as hair."""

COLOUR_WEIGHT = 2.65
"""Chosen so that edges and colours vary equally over Cartoon Set (summed variance over the 7,899
training images of 64x64). Fixed, so that numbers can be compared between runs."""

_SKIMAGE_EPS = 1e-5
"""What skimage's ``hog`` adds to a block's contrast; it has no argument for it."""


def shape_and_colour(images: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients of the lightness, and a small colour thumbnail.

    Lightness and colours are CIELAB's, on a white page. Edges: 8x8 cells of 9 unsigned
    orientations in overlapping blocks of 2x2 cells, each block v divided by sqrt(|v|^2 + e^2)
    (Dalal & Triggs 2005, section 6.4, "L2-norm"), e = ``VISIBLE_EDGE``. Colours: the mean L*, a*
    and b* of each of 8x8 cells.

    Args:
        images: uint8 premultiplied RGBA [N, H, H, 4]; H a multiple of 8, at least 16.

    Returns:
        float32 [N, 1956]: 1764 numbers of edges in 0..1/7, then 192 of colours (L*, a* and b* of
        each cell by rows, in hundredths, times ``COLOUR_WEIGHT`` / 8).

    Raises:
        ValueError: another type or shape.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 4:
        raise ValueError(f"needs uint8 [N, H, W, 4], not {images.dtype} {list(images.shape)}")
    side = images.shape[1]
    if images.shape[2] != side or side % GRID or side < 2 * GRID:
        raise ValueError(f"pictures are {side}x{images.shape[2]}; needs squares of 16, 24, 32, ...")
    chunks = [_embed(images[i : i + _CHUNK]) for i in range(0, len(images), _CHUNK)]
    return np.concatenate(chunks) if chunks else _embed(images)


def _embed(images: np.ndarray) -> np.ndarray:
    side = images.shape[1]
    cell = side // GRID
    lab = rgb2lab(on_white(images).astype(np.float32) / 255) / 100  # [n, H, H, 3]
    blocks = (GRID - _BLOCK + 1) ** 2
    # A larger eps is the same as a fainter picture: the division by contrast undoes the factor.
    faint = lab[..., 0].astype(np.float64) * (_SKIMAGE_EPS / VISIBLE_EDGE)
    edges = np.empty((len(images), blocks * _BLOCK**2 * ORIENTATIONS), dtype=np.float32)
    for row, lightness in zip(edges, faint, strict=True):
        row[:] = hog(
            lightness,
            orientations=ORIENTATIONS,
            pixels_per_cell=(cell, cell),
            cells_per_block=(_BLOCK, _BLOCK),
            block_norm="L2",
        )
    cells = lab.reshape(len(images), GRID, cell, GRID, cell, 3)
    thumbnail = cells.mean(axis=(2, 4)).reshape(len(images), GRID * GRID * 3)
    # Divided so, squared distances are means over blocks and over cells, whatever their number.
    colours = thumbnail * (COLOUR_WEIGHT / GRID)
    return np.concatenate([edges / np.sqrt(np.float32(blocks)), colours], axis=1)
