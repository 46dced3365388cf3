"""Reading pictures back."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def opened(content: bytes) -> Image.Image:
    """A picture file, all of it read."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def same(a: Image.Image, b: Image.Image) -> bool:
    """Whether two avatars are the same; in another batch a sum may be rounded otherwise."""
    if a.size != b.size:
        return False
    levels = [np.asarray(image.convert("RGBA").convert("RGBa"), dtype=int) for image in (a, b)]
    return bool(abs(levels[0] - levels[1]).max() <= 1)


def png(image: Image.Image) -> bytes:
    """The content of a PNG file."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
