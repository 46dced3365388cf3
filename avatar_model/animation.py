"""Frames to an animated GIF or WebP that repeats for ever."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from .arguments import choice, whole
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
    choice("format", format, FORMATS)
    scale = whole("scale", scale, 1, 64)
    if not isinstance(milliseconds, Sequence) or isinstance(milliseconds, str):
        milliseconds = [milliseconds] * len(frames)
    if len(milliseconds) != len(frames):
        raise ValueError(f"{len(milliseconds)} milliseconds for {len(frames)} frames")
    shown = [whole("milliseconds", m, 20, 60_000) for m in milliseconds]
    frames = [frame.convert("RGBA") for frame in frames]
    if background is not None:
        paper = Image.new("RGBA", frames[0].size, colour(background))
        frames = [Image.alpha_composite(paper, frame) for frame in frames]
    if format == "gif":
        frames = _with_palettes(np.stack(frames), shared_palette)
    frames = [enlarge(frame, scale) for frame in frames]
    if ping_pong:
        frames, shown = frames + frames[-2:0:-1], shown + shown[-2:0:-1]
    return _gif(frames, shown) if format == "gif" else _webp(frames, shown, lossless)


def _webp(frames: list[Image.Image], milliseconds: list[int], lossless: bool) -> bytes:
    file = io.BytesIO()
    frames[0].save(
        file,
        "WEBP",
        save_all=True,
        append_images=frames[1:],
        duration=milliseconds,
        loop=0,
        **({"lossless": True} if lossless else {"quality": 80, "method": 2}),
    )
    return file.getvalue()


def _gif(frames: list[Image.Image], milliseconds: list[int]) -> bytes:
    file = io.BytesIO()
    transparent = any(frame.getextrema()[1] == _TRANSPARENT for frame in frames)
    palettes = {bytes(frame.getpalette()) for frame in frames}
    frames[0].save(
        file,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[round(m, -1) for m in milliseconds],
        loop=0,
        optimize=False,  # it would reorder the palettes
        # Without this Pillow writes the one palette again with every frame, 768 bytes.
        palette=palettes.pop() if len(palettes) == 1 else None,
        # A transparent pixel shows what was there before, unless that is wiped away first.
        **({"disposal": 2, "transparency": _TRANSPARENT} if transparent else {}),
    )
    return file.getvalue()


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
        palette[: 3 * _TRANSPARENT] = (reduced.getpalette() + palette)[: 3 * _TRANSPARENT]
        packed = colours[0].astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
        _, first, counts = np.unique(packed, return_index=True, return_counts=True)
        commonest = first[counts.argmax()]  # a pixel
        place = 3 * int(found[commonest])
        palette[place : place + 3] = colours[0, commonest].tolist()
    picture = Image.fromarray(indices)
    picture.putpalette(palette)  # and so mode P
    return picture
