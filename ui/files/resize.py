"""An avatar with more pixels or fewer."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from avatar_model.images import to_pil


def resize(image: Image.Image, size: int, style: str = "smooth") -> Image.Image:
    """A square RGBA picture at ``size`` x ``size`` pixels, mode RGBA.

    Enlarged "crisp", every pixel is a square. Otherwise it is bicubic, antialiased where the
    picture becomes smaller. Where it becomes larger it is sharpened by an unsharp mask about as
    wide as one old pixel: plain bicubic and Lanczos look out of focus beyond 4x, and cartoons have
    no texture that sharpening could harm (docs/api.md has the PSNR). All in premultiplied alpha, so
    that transparent pixels lend no colour to the edge.
    """
    scale = size / image.width
    if scale == 1:
        return image.copy()
    if style == "crisp" and scale > 1:
        return image.resize((size, size), Image.Resampling.NEAREST)
    resized = image.convert("RGBa").resize((size, size), Image.Resampling.BICUBIC)
    if scale > 1:
        percent = round(min(100, 25 * scale))  # the less it was enlarged, the less it has lost
        sharpen = ImageFilter.UnsharpMask(radius=0.6 * scale, percent=percent, threshold=0)
        # Pillow filters no "RGBa" as a whole.
        channels = [channel.filter(sharpen) for channel in resized.split()]
        resized = Image.merge("RGBa", channels)
    return to_pil(np.asarray(resized))
