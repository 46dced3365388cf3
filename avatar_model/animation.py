"""Frames to an animated GIF or WebP that repeats for ever."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from .arguments import one_of, whole
from .contact_sheet import colour, common_size, enlarge

FORMATS = ("gif", "webp")
OPAQUE = 128
"""Of a pixel that is not transparent in a GIF, which knows nothing between."""
PALETTE_PIXELS = 2**16
"""So many tell the colours of a palette: as good as all, in a tenth of the time where frames have
256 pixels a side."""
_TRANSPARENT = 255  # its place in a palette


def animate(
    frames: Sequence[Image.Image],
    format: str = "gif",
    *,
    scale: int = 1,
    milliseconds: int | Sequence[int] = 80,
    ping_pong: bool = False,
    background: str | None = None,
    shared_palette: bool = True,
    lossless: bool = True,
) -> bytes:
    """Encode an animation.

    In a GIF a pixel is there or not, so alpha from ``OPAQUE`` on becomes full
    and the rest nothing: the outline keeps its own colour and has no halo on any page, but stairs.
    With a ``background`` edges are smooth in both.

    Args:
        frames: at least one, of one size and any mode.
        format: "gif" or "webp".
        scale: side of a picture's pixel in the animation, 1..64.
        milliseconds: how long a frame is shown, 20..60000; one number, or one for each frame. GIF
            counts in steps of 10.
        ping_pong: after the last frame go back to the first, instead of jumping there.
        background: a colour as Pillow reads it, behind all frames; None is transparent.
        shared_palette: of a GIF, whether all frames share 255 colours, so what stands still costs
            no space and does not flicker; otherwise each has its own, which noise needs.
        lossless: of a WebP, whether pixels stay what they are. Not so, smooth frames of 256 pixels
            take a third of the space.

    Returns:
        the file. Equal neighbours may have become one frame that is shown longer.

    Raises:
        ValueError: an argument out of range; the message names it.
    """
    common_size("frames", frames)
    one_of("format", format, FORMATS)
    scale = whole("scale", scale, 1, 64)
    if not isinstance(milliseconds, Sequence) or isinstance(milliseconds, str):
        milliseconds = [milliseconds] * len(frames)
    if len(milliseconds) != len(frames):
        raise ValueError(f"{len(milliseconds)} milliseconds for {len(frames)} frames")
    shown = [whole("milliseconds", m, 20, 60_000) for m in milliseconds]
    pictures = [frame.convert("RGBA") for frame in frames]
    if background is not None:
        paper = Image.new("RGBA", pictures[0].size, colour(background))
        pictures = [Image.alpha_composite(paper, picture) for picture in pictures]
    options: dict[str, Any] = {"quality": 80, "method": 2}
    if format == "gif":
        pictures = _with_palettes(np.stack([np.asarray(p) for p in pictures]), shared_palette)
        options = _gif_options(pictures)
        shown = [round(m, -1) for m in shown]
    elif lossless:
        options = {"lossless": True}
    pictures = [enlarge(picture, scale) for picture in pictures]
    if ping_pong:
        pictures, shown = pictures + pictures[-2:0:-1], shown + shown[-2:0:-1]
    file = io.BytesIO()
    first, *others = pictures
    first.save(file, format, save_all=True, append_images=others, duration=shown, loop=0, **options)
    return file.getvalue()


def _gif_options(frames: list[Image.Image]) -> dict[str, Any]:
    """How Pillow is to write frames of mode P."""
    options: dict[str, Any] = {"optimize": False}  # it would reorder the palettes
    palettes = {bytes(frame.getpalette() or ()) for frame in frames}
    if len(palettes) == 1:
        # Without this Pillow writes the one palette again with every frame, 768 bytes.
        options["palette"] = palettes.pop()
    if any(_TRANSPARENT in np.asarray(frame) for frame in frames):
        # A transparent pixel shows what was there before, unless that is wiped away first.
        options |= {"disposal": 2, "transparency": _TRANSPARENT}
    return options


def _with_palettes(frames: np.ndarray, shared: bool) -> list[Image.Image]:
    """uint8 RGBA [N, H, W, 4] -> mode P, with ``_TRANSPARENT`` where there is nothing."""
    if shared:
        n, height, width, _ = frames.shape
        film = _with_palette(frames.reshape(n * height, width, 4))
        return [film.crop((0, i * height, width, (i + 1) * height)) for i in range(n)]
    return [_with_palette(frame) for frame in frames]


def _with_palette(rgba: np.ndarray) -> Image.Image:
    """255 colours and no dithering, so that flat areas stay flat; uint8 RGBA [H, W, 4] -> mode P.

    Of Pillow's ways to choose the colours this one keeps small spots best, such as blue eyes, but
    it mixes the commonest colour, a page, with its neighbours, which is put right afterwards.
    """
    there = rgba[..., 3] >= OPAQUE
    indices = np.full(there.shape, _TRANSPARENT, dtype=np.uint8)
    palette = [0] * 768
    if there.any():
        colours = rgba[there][None, :, :3]  # [1, K, 3]: what is not there takes no colours
        every = math.ceil(colours.shape[1] / PALETTE_PIXELS)
        reduced = Image.fromarray(np.ascontiguousarray(colours[:, ::every])).quantize(
            _TRANSPARENT, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE
        )
        if every > 1:
            all_of_them = Image.fromarray(np.ascontiguousarray(colours))
            reduced = all_of_them.quantize(palette=reduced, dither=Image.Dither.NONE)
        found = np.asarray(reduced)[0]
        indices[there] = found
        palette[: 3 * _TRANSPARENT] = ((reduced.getpalette() or []) + palette)[: 3 * _TRANSPARENT]
        packed = colours[0].astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
        _, first, counts = np.unique(packed, return_index=True, return_counts=True)
        commonest = first[counts.argmax()]  # a pixel
        place = 3 * int(found[commonest])
        palette[place : place + 3] = colours[0, commonest].tolist()
    picture = Image.fromarray(indices)
    picture.putpalette(palette)  # and so mode P
    return picture
