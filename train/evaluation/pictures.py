"""The pictures of a report: what the numbers look like, and what they look like at their worst."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from avatar_model.contact_sheet import contact_sheet
from avatar_model.images import on_white
from train.evaluation.measure import Generated
from train.figures.pairs import save_pairs
from train.figures.picture import PAPER, save_png

PAIRS = 40
WORST = 20
COPIES = 12


def save_pictures(
    folder: Path,
    generated: Generated,
    real: np.ndarray,
    small_real: np.ndarray,
    train: np.ndarray,
) -> None:
    """Write ``pairs.png``, ``worst.png`` and ``copies.png``.

    Args:
        real, small_real: the true images at full size and at the base's, uint8 [N, H, W, 4].
        train: training images at the base's size, uint8 [M, h, w, 4].
    """
    images = generated.images
    save_pairs(folder / "pairs.png", real[:PAIRS], images[:PAIRS], max_pixels=None)
    worst = generated.errors.psnr.argsort()[:WORST]
    save_pairs(folder / "worst.png", real[worst], images[worst], pairs_per_row=5, max_pixels=None)
    # Triples of true image, avatar and nearest training image, the most suspicious first.
    rows = (-generated.copies.ratio).argsort()[:COPIES]
    sides = (small_real[rows], generated.small[rows], train[generated.copies.nearest[rows]])
    triples = np.concatenate([on_white(side) for side in sides], axis=2)  # [N, h, 3 * w, 3]
    tiles = [Image.fromarray(triple) for triple in triples]
    sheet = contact_sheet(tiles, columns=4, scale=2, gap=12, background=PAPER)
    save_png(folder / "copies.png", sheet)
