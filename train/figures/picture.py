"""What all figures share: enlarging, captions, bars, and files written whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from avatar_model import contact_sheet
from avatar_model.animation import animate
from avatar_model.atomic import moved_into_place
from avatar_model.errors import AvatarError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "white"
INK = "#1f2430"
MUTED = "#6b7280"
ACCENT = "#2563eb"

_font = cache(ImageFont.load_default)
"""Pillow's own, by its size, so that pictures are the same on every machine."""


class FigureError(AvatarError):
    """A picture that cannot be made or written; the message says why."""


def enlarge(rgb: np.ndarray, scale: int) -> Image.Image:
    """uint8 RGB [H, W, 3] as a picture in which every pixel is ``scale`` pixels wide and high."""
    return contact_sheet.enlarge(Image.fromarray(rgb), scale)


def caption(
    picture: Image.Image,
    xy: tuple[float, float],
    text: str,
    size: int = 15,
    anchor: str = "lm",
    fill: str = INK,
) -> None:
    """Write ``text`` on ``picture``; ``anchor`` says which point of it lies at ``xy`` (Pillow)."""
    ImageDraw.Draw(picture).text(xy, text, fill=fill, font=_font(size), anchor=anchor)


def progress_bar(picture: Image.Image, box: tuple[int, int, int, int], share: float) -> None:
    """A thin bar in ``box`` (left, top, right, bottom) of which ``share`` in 0..1 is filled."""
    left, top, right, bottom = box
    pen = ImageDraw.Draw(picture)
    pen.rectangle((left, top, right - 1, bottom - 1), fill="#e5e7eb")
    if filled := round((right - left) * share):
        pen.rectangle((left, top, left + filled - 1, bottom - 1), fill=ACCENT)


def evenly(count: int, wanted: int) -> list[int]:
    """At most ``wanted`` of 0..count-1, evenly spaced, with the first and the last."""
    return sorted(set(np.linspace(0, count - 1, min(count, wanted)).round().astype(int).tolist()))


def check_output(path: Path, suffix: str) -> None:
    """Refuse a name that says another kind of file, before any work is done.

    Raises:
        FigureError: ``path`` does not end in ``suffix``, or is a folder.
    """
    if path.suffix.lower() != suffix:
        raise FigureError(f"{path} must end in {suffix}")
    if path.is_dir():
        raise FigureError(f"{path} is a folder, not a file")


def save_png(path: Path, picture: Image.Image, pnginfo: PngInfo | None = None) -> None:
    """Write a PNG; whoever reads ``path`` meanwhile sees the old picture or the new one, whole.

    Raises:
        FigureError: it cannot be written.
    """
    _save(path, lambda file: picture.save(file, "PNG", optimize=True, pnginfo=pnginfo))


def save_figure(path: Path, figure: Figure) -> None:
    """Write a matplotlib figure as a PNG; see ``save_png``."""
    _save(path, lambda file: figure.savefig(file, format="png"))


def save_gif(
    path: Path, frames: Sequence[Image.Image], ms: int, last_ms: int, shared_palette: bool
) -> None:
    """Write a GIF that repeats for ever; see ``save_png``.

    Args:
        ms, last_ms: how long a frame is shown, and the last one, in milliseconds.
        shared_palette: see ``animate``.
    """
    milliseconds = [ms] * (len(frames) - 1) + [last_ms]
    data = animate(frames, milliseconds=milliseconds, shared_palette=shared_palette)
    _save(path, lambda file: file.write_bytes(data))


def _save(path: Path, save: Callable[[Path], object]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with moved_into_place(path) as temporary:
            save(temporary)
    except OSError as error:
        raise FigureError(f"cannot write {path}: {error.strerror or error}") from error
