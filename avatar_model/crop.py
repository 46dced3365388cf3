"""Cropping: which part of a Cartoon Set picture is kept, and at which size."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageOps

from .images import clean
from .open_picture import to_rgba

SOURCE_SIZE = 500
"""Side of a Cartoon Set picture, in pixels; ``crop`` is given on this scale."""

DEFAULT_CROP = 360
"""What of a 500x500 picture others keep, and what checkpoints keep that say nothing of it."""


def load_avatar(image: Image.Image, size: int = 64, crop: int = DEFAULT_CROP) -> np.ndarray:
    """A picture as the pixels that are stored and trained on.

    Args:
        image: a square picture of any mode, see ``to_rgba``; one without transparency comes out
            opaque. The picture in a file: ``open_picture``.
        size: side of the result, in pixels.
        crop: side of the centre square that is kept, on a 500x500 picture; scaled in proportion
            for a picture of another size.

    Returns:
        uint8 [size, size, 4], premultiplied RGBA.

    Raises:
        ValueError: the picture is not square.
    """
    width, height = image.size
    if width != height:
        raise ValueError(f"the picture is {width}x{height}; it must be square")
    if image.mode != "RGBa":
        image = to_rgba(image).convert("RGBa")
    return _centre(image, size, crop / SOURCE_SIZE)


def recrop(pixels: np.ndarray, crop: int, to_crop: int, size: int) -> np.ndarray:
    """Stored pixels as :func:`load_avatar` would have made them of another crop, nearly.

    uint8 [N, H, H, 4] -> uint8 [N, size, size, 4]; the same if neither crop nor size changes.

    Args:
        crop: what of a 500x500 picture they show.
        to_crop: what of it is wanted. What they do not show of a larger one is transparent.
        size: side of the result. From ``H * to_crop / crop`` on it is blurred.
    """
    share = to_crop / crop
    margin = max(0, math.ceil(pixels.shape[1] * (share - 1) / 2))
    made = np.empty((len(pixels), size, size, 4), dtype=np.uint8)
    for row, picture in zip(made, pixels, strict=True):
        image = ImageOps.expand(Image.fromarray(picture, "RGBa"), margin)
        row[:] = _centre(image, size, share * len(picture) / image.width)
    return made


def resize(pixels: np.ndarray, size: int) -> np.ndarray:
    """Stored pixels larger or smaller, bicubic: uint8 [N, H, H, 4] -> uint8 [N, size, size, 4]."""
    return recrop(pixels, SOURCE_SIZE, SOURCE_SIZE, size)


def _centre(image: Image.Image, size: int, share: float) -> np.ndarray:
    """The centre square with this share of the side of a square RGBa picture, resized."""
    margin = image.width * (1 - share) / 2
    box = (margin, margin, image.width - margin, image.width - margin)
    # Pillow's bicubic widens with the scale, so it is antialiased when it shrinks a picture.
    resized = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    return clean(np.array(resized))
