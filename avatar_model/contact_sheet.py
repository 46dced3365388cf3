"""Equal pictures laid out in rows on one sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageColor

from .arguments import whole

MAX_SIDE = 8192
"""Of a sheet, in pixels; an RGBA sheet of this side takes 256 MiB."""


def contact_sheet(
    images: Sequence[Image.Image],
    columns: int | None = None,
    scale: int = 1,
    gap: int = 8,
    background: str | None = None,
) -> Image.Image:
    """Lay pictures out from left to right and from top to bottom.

    Args:
        images: at least one, of one size and any mode.
        columns: 1 or more. Default: as many as rows, or one more.
        scale: side of a picture's pixel on the sheet, 1..64; edges stay crisp.
        gap: 0..1024 pixels of the sheet between neighbours and around them all.
        background: a colour as Pillow reads it, such as "white" or "#d8dce2"; None is transparent.

    Returns:
        mode RGBA without a background, RGB with one. Places that stay empty show the background.

    Raises:
        ValueError: an argument out of range, or a sheet of more than ``MAX_SIDE``; the message
            names it.
    """
    width, height = common_size("images", images)
    if columns is None:
        columns = math.ceil(math.sqrt(len(images)))
    columns = whole("columns", columns, 1, MAX_SIDE)
    scale, gap = whole("scale", scale, 1, 64), whole("gap", gap, 0, 1024)
    across, down = scale * width + gap, scale * height + gap
    size = (gap + columns * across, gap + math.ceil(len(images) / columns) * down)
    if max(size) > MAX_SIDE:
        raise ValueError(
            f"the sheet would be {size[0]}x{size[1]} pixels, at most {MAX_SIDE} a side can be "
            "drawn; choose a smaller scale, gap or number of columns"
        )
    sheet = Image.new("RGBA", size, (0, 0, 0, 0) if background is None else colour(background))
    for i, image in enumerate(images):
        tile = enlarge(image.convert("RGBA"), scale)
        sheet.alpha_composite(tile, (gap + i % columns * across, gap + i // columns * down))
    return sheet if background is None else sheet.convert("RGB")


def enlarge(image: Image.Image, scale: int) -> Image.Image:
    """The same picture in which every pixel is ``scale`` pixels wide and high."""
    width, height = image.size
    return image.resize((width * scale, height * scale), Image.Resampling.NEAREST)


def common_size(name: str, images: Sequence[Image.Image]) -> tuple[int, int]:
    """Width and height of every picture; ValueError calls them ``name`` if there is no such."""
    sizes = {image.size for image in images}
    if len(sizes) != 1:
        what = f"have {len(sizes)} sizes" if sizes else "are none"
        raise ValueError(f"{name} must be pictures of one size, at least one; these {what}")
    return sizes.pop()


def colour(name: str) -> tuple[int, int, int]:
    """A colour as Pillow reads it, opaque; ValueError for anything else."""
    try:
        return ImageColor.getrgb(name)[:3]
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"background must be a colour such as #d8dce2, not {name!r:.60}") from None
