"""The pictures of a report: what the numbers look like at their worst."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from avatar_model.contact_sheet import contact_sheet
from avatar_model.images import on_white
from train.evaluation.memorisation import Memorisation
from train.evaluation.paired import PairedErrors
from train.figures.pairs import save_pairs
from train.figures.picture import PAPER, save_png

WORST = 20
COPIES = 12


def save_worst(path: Path, drawn: np.ndarray, real: np.ndarray, errors: PairedErrors) -> None:
    """The 20 pairs with the lowest PSNR, the worst first; uint8 [N, H, W, 4] each."""
    rows = errors.psnr.argsort()[:WORST]
    save_pairs(path, real[rows], drawn[rows], pairs_per_row=5, max_pixels=None)


def save_copies(
    path: Path, drawn: np.ndarray, real: np.ndarray, train: np.ndarray, memory: Memorisation
) -> None:
    """Triples of true image, drawn avatar and nearest training image, the most suspicious first."""
    rows = (-memory.ratio).argsort()[:COPIES]
    sides = (on_white(images) for images in (real[rows], drawn[rows], train[memory.nearest[rows]]))
    triples = np.concatenate(list(sides), axis=2)  # [N, H, 3 * W, 3]
    tiles = [Image.fromarray(triple) for triple in triples]
    save_png(path, contact_sheet(tiles, columns=4, scale=2, gap=12, background=PAPER))
