"""The pictures of a report: what the numbers look like, and what they look like at their worst."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from avatar_model import AvatarPipeline
from avatar_model.contact_sheet import contact_sheet
from avatar_model.crop import resize
from avatar_model.guidance import GUIDANCE_METHODS
from avatar_model.images import on_white
from train.evaluation.generate import generate_avatars
from train.evaluation.measure import Generated
from train.figures.pairs import save_pairs
from train.figures.picture import PAPER, caption, save_png

PAIRS = 40
WORST = 20
COPIES = 12
STRIP_AVATARS, STRIP_SIDE, GAP, HEADER = 10, 96, 4, 28
STRIP_SCALES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 9.0)


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


def save_guidance_strips(folder: Path, pipeline: AvatarPipeline, attributes: np.ndarray) -> None:
    """Write ``guidance-<method>.png``: avatars side by side at the scales ``STRIP_SCALES``.

    Args:
        attributes: integers [N, 18], of which the first are drawn.
    """
    for method in GUIDANCE_METHODS:
        columns = []
        for scale in STRIP_SCALES:
            options: dict[str, Any] = {"guidance_method": method, "guidance_scale": scale}
            images, _ = generate_avatars(pipeline, attributes[:STRIP_AVATARS], **options)
            columns.append([Image.fromarray(rgb) for rgb in on_white(resize(images, STRIP_SIDE))])
        tiles = [tile for avatar in zip(*columns, strict=True) for tile in avatar]
        sheet = contact_sheet(tiles, len(STRIP_SCALES), gap=GAP, background=PAPER)
        strip = Image.new("RGB", (sheet.width, sheet.height + HEADER), PAPER)
        strip.paste(sheet, (0, HEADER))
        for i, scale in enumerate(STRIP_SCALES):
            middle = GAP + i * (STRIP_SIDE + GAP) + STRIP_SIDE / 2
            caption(strip, (middle, HEADER / 2), f"{scale:g}", anchor="mm")
        save_png(folder / f"guidance-{method}.png", strip.quantize(256))
