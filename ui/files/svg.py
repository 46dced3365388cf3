"""Outlines: an avatar as the paths of an SVG, one for every area of one colour."""

from __future__ import annotations

import io
import re

import numpy as np
import vtracer
from PIL import Image

from ui.files.resize import resize

TRACE_SIDE = 320
"""Outlines are found in the avatar enlarged to about this, and at least to twice its size: finer
makes bigger files, coarser kinks. Means of 24 true pictures: of 64 pixels 29 kB, of 256 24 kB."""
SPECKLE = 4
"""Nothing smaller than a square of this side is an area, and nothing smaller than a pixel of the
avatar."""
MAX_CHANGES = 60_000
"""Of colour from pixel to pixel; of 30 avatars the most was 37,000."""
PALETTE_SIDE = 64
"""As many pixels a side tell the colours: to compare all with all takes this to the 4th power."""
PALETTE_SIZE = 24
SAME_COLOUR = 10
DISTINCT_COLOUR = 36
"""Distances in RGB, 0..441: up to the first, colours are one fill and its noise; a fill nearer to
a more common one than the second would only make bands along edges."""


def trace(image: Image.Image) -> tuple[int, list[str]]:
    """The avatar's areas of one colour.

    vtracer alone merges skin and hair or, told not to, writes 200 kB of bands where antialiasing
    mixed two colours. So it is given few colours, each of them flat and far from the others.

    Args:
        image: square, mode RGBA.

    Returns:
        the side of the picture in the units of the paths, and ``<path>`` elements, the lowest
        first.
    """
    scale = max(2, TRACE_SIDE // image.width)
    side = scale * image.width
    palette = _palette(image)
    if not len(palette):
        return side, []
    flat = _flat(image, side, palette)
    if (changes := _changes(flat)) > MAX_CHANGES and image.width > 32:
        # What has no areas, such as noise, would take seconds, in which nobody else is served.
        half = resize(image, max(32, round(image.width * (MAX_CHANGES / changes) / 2)))
        return trace(half)
    png = io.BytesIO()
    Image.fromarray(flat).save(png, "PNG", compress_level=1)
    traced = vtracer.convert_raw_image_to_svg(
        png.getvalue(),
        img_format="png",
        colormode="color",
        hierarchical="stacked",  # areas lie on each other, so no gaps show between them
        mode="polygon",  # at this scale as smooth as splines, in half the bytes
        filter_speckle=max(SPECKLE, scale),
        color_precision=8,
        layer_difference=0,
        path_precision=0,
    )
    border = re.compile(r"translate\((-?\d+),(-?\d+)\)")
    return side, [
        border.sub(lambda m: f"translate({int(m[1]) - 1},{int(m[2]) - 1})", path).replace(" L", " ")
        for path in re.findall(r"<path[^>]*>", traced)
    ]


def _flat(image: Image.Image, side: int, palette: np.ndarray) -> np.ndarray:
    """The picture at another size in few colours: uint8 [side + 2, side + 2, 4]."""
    large = np.asarray(resize(image, side)).astype(np.float32)
    opaque = large[..., 3] >= 128  # an outline is either there or not
    nearest = _distances(large[..., :3][opaque], palette).argmin(axis=1)
    # vtracer only heeds transparency when enough of the picture has it: a border always does.
    flat = np.zeros((side + 2, side + 2, 4), dtype=np.uint8)
    flat[1:-1, 1:-1][opaque, :3] = palette.round()[nearest]
    flat[1:-1, 1:-1, 3] = np.where(opaque, 255, 0)
    return flat


def _changes(flat: np.ndarray) -> int:
    """How many pixels have another colour than the one beside or above them."""
    colours = flat.view(np.uint32)[..., 0]
    beside = (colours[:, 1:] != colours[:, :-1]).sum()
    return int(beside + (colours[1:] != colours[:-1]).sum())


def _palette(image: Image.Image) -> np.ndarray:
    """The fills of an avatar, the most common first: float32 [K, 3], K <= ``PALETTE_SIZE``."""
    if image.width > PALETTE_SIDE:
        # Single pixels: a mean of several is a colour that is nowhere, such as grey for teeth.
        image = image.resize((PALETTE_SIDE, PALETTE_SIDE), Image.Resampling.NEAREST)
    pixels = np.asarray(image).reshape(-1, 4)
    colours = pixels[pixels[:, 3] >= 128, :3].astype(np.float32)
    distances = _distances(colours, colours)
    alike = distances < SAME_COLOUR**2
    left, popularity = np.ones(len(colours), dtype=bool), alike.sum(axis=1)
    palette: list[np.ndarray] = []
    while left.any() and len(palette) < PALETTE_SIZE:
        best = int((popularity * left).argmax())
        palette.append(colours[alike[best]].mean(axis=0))
        left &= distances[best] >= DISTINCT_COLOUR**2
    return np.array(palette, dtype=np.float32).reshape(-1, 3)


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared, of float32 [N, 3] and [M, 3]: [N, M]."""
    return (a**2).sum(axis=1)[:, None] - 2 * a @ b.T + (b**2).sum(axis=1)
