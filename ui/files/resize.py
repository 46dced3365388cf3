"""An avatar with more pixels or fewer."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageFilter

from avatar_model.images import to_pil

WHOLE = (0.0, 0.0, 1.0)


def resize(
    image: Image.Image,
    size: int,
    style: str = "smooth",
    window: tuple[float, float, float] = WHOLE,
) -> Image.Image:
    """A square RGBA picture at ``size`` x ``size`` pixels, mode RGBA.

    Enlarged "crisp", every pixel is a square. Otherwise it is bicubic, antialiased where the
    picture becomes smaller. Where it becomes larger it is sharpened by an unsharp mask about as
    wide as one old pixel: plain bicubic and Lanczos look out of focus beyond 4x, and cartoons have
    no texture that sharpening could harm (docs/api.md has the PSNR). All in premultiplied alpha, so
    that transparent pixels lend no colour to the edge.

    Args:
        window: the part of the picture that is wanted: left, top and side, in sides of the picture.
            Outside of the picture it is transparent.
    """
    scale = size / (image.width * window[2])
    if scale == 1 and window == WHOLE:
        return image.copy()
    picture, (left, top, side) = image.convert("RGBa"), (part * image.width for part in window)
    if side > image.width:
        x, y, around = math.floor(left), math.floor(top), math.ceil(side) + 1
        picture = picture.crop((x, y, x + around, y + around))
        left, top = left - x, top - y
    kernel = Image.Resampling.BICUBIC
    if crisp := style == "crisp" and scale > 1:
        # Squares of whole pixels, a little too large: made smaller, all are as wide.
        times, kernel = math.ceil(scale), Image.Resampling.BOX
        picture = picture.resize((times * picture.width,) * 2, Image.Resampling.NEAREST)
        left, top, side = times * left, times * top, times * side
    resized = picture.resize((size, size), kernel, (left, top, left + side, top + side))
    if scale > 1 and not crisp:
        percent = round(min(100, 25 * scale))  # the less it was enlarged, the less it has lost
        sharpen = ImageFilter.UnsharpMask(radius=0.6 * scale, percent=percent, threshold=0)
        # Pillow filters no "RGBa" as a whole.
        channels = [channel.filter(sharpen) for channel in resized.split()]
        resized = Image.merge("RGBa", channels)
    return to_pil(np.asarray(resized))
