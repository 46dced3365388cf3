"""What the tools that draw pictures share: enlarging, captions, GIFs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "white"
INK = "#1f2430"
MUTED = "#6b7280"
ACCENT = "#2563eb"


class FigureError(Exception):
    """A picture that cannot be made or written; the message says why."""


def enlarge(rgb: np.ndarray, scale: int) -> Image.Image:
    """uint8 RGB [H, W, 3] as a picture in which every pixel is ``scale`` pixels wide and high."""
    return Image.fromarray(rgb.repeat(scale, axis=0).repeat(scale, axis=1))


@cache
def font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Pillow's own font, so that pictures are the same on every machine."""
    return ImageFont.load_default(size)


def caption(
    picture: Image.Image,
    xy: tuple[float, float],
    text: str,
    size: int = 15,
    anchor: str = "lm",
    fill: str = INK,
) -> None:
    """Write ``text`` on ``picture``; ``anchor`` says which point of it lies at ``xy`` (Pillow)."""
    ImageDraw.Draw(picture).text(xy, text, fill=fill, font=font(size), anchor=anchor)


def progress_bar(picture: Image.Image, box: tuple[int, int, int, int], share: float) -> None:
    """A thin bar in ``box`` (left, top, right, bottom) of which ``share`` in 0..1 is filled."""
    left, top, right, bottom = box
    draw = ImageDraw.Draw(picture)
    draw.rectangle((left, top, right - 1, bottom - 1), fill="#e5e7eb")
    if filled := round((right - left) * share):
        draw.rectangle((left, top, left + filled - 1, bottom - 1), fill=ACCENT)


def grid(tiles: np.ndarray, columns: int, gap: int = 0) -> np.ndarray:
    """Lay equal pictures out in rows, on white.

    Args:
        tiles: uint8 RGB [N, H, W, 3]; places that stay empty are white.
        gap: white pixels between neighbours.

    Returns:
        uint8 [rows * (H + gap) - gap, columns * (W + gap) - gap, 3].
    """
    count, height, width, _ = tiles.shape
    rows = -(-count // columns)
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, 3)
    sheet = np.full(shape, 255, dtype=np.uint8)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def save_png(path: Path, picture: Image.Image, **options: object) -> None:
    """Write a PNG; whoever reads ``path`` meanwhile sees the old picture or the new one, whole.

    Raises:
        FigureError: another kind of file is asked for, or it cannot be written.
    """
    _save(path, ".png", lambda file: picture.save(file, "PNG", optimize=True, **options))


def save_gif(
    path: Path,
    frames: Sequence[Image.Image],
    milliseconds: Sequence[int],
    shared_palette: bool = False,
) -> None:
    """Write a GIF that repeats for ever.

    Args:
        frames: RGB pictures of one size, with ``PAPER`` in the upper left corner.
        milliseconds: how long each is shown, in steps of 10.
        shared_palette: all frames share 256 colours, so what stands still costs no space; otherwise
            each has its own, which noise needs.

    Raises:
        FigureError: another kind of file is asked for, or it cannot be written.
    """
    if shared_palette:
        width, height = frames[0].size
        film = _with_palette(Image.fromarray(np.concatenate([np.asarray(f) for f in frames])))
        tops = range(0, film.height, height)
        first, *others = [film.crop((0, top, width, top + height)) for top in tops]
    else:
        first, *others = map(_with_palette, frames)
    _save(
        path,
        ".gif",
        lambda file: first.save(
            file,
            "GIF",
            save_all=True,
            append_images=others,
            duration=list(milliseconds),
            loop=0,
            optimize=False,
        ),
    )


def evenly(count: int, wanted: int) -> list[int]:
    """At most ``wanted`` of 0..count-1, evenly spaced, with the first and the last."""
    return sorted(set(np.linspace(0, count - 1, min(count, wanted)).round().astype(int).tolist()))


def _with_palette(picture: Image.Image) -> Image.Image:
    """256 colours and no dithering, so that flat areas stay flat.

    Of Pillow's ways to choose the colours this one keeps small spots best, such as blue eyes, but
    it mixes the paper with its neighbours, which is put right afterwards.
    """
    reduced = picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    paper, palette = 3 * reduced.getpixel((0, 0)), reduced.getpalette()
    palette[paper : paper + 3] = ImageColor.getrgb(PAPER)
    reduced.putpalette(palette)
    return reduced


def save_figure(path: Path, figure: Figure) -> None:
    """Write a matplotlib figure as a PNG; see ``save_png``."""
    _save(path, ".png", lambda file: figure.savefig(file, format="png"))


def check_output(path: Path, suffix: str) -> None:
    """Refuse a name that says another kind of file, before any work is done.

    Raises:
        FigureError: ``path`` does not end in ``suffix``, or is a folder.
    """
    if path.suffix.lower() != suffix:
        raise FigureError(f"{path} must end in {suffix}")
    if path.is_dir():
        raise FigureError(f"{path} is a folder, not a file")


def _save(path: Path, suffix: str, save: Callable[[Path], None]) -> None:
    check_output(path, suffix)
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(temporary)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FigureError(f"cannot write {path}: {error.strerror or error}") from error
