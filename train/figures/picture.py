"""What the tools that draw pictures share: enlarging, captions, GIFs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from avatar_model import contact_sheet
from avatar_model.animation import animate
from avatar_model.errors import AvatarError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "white"
INK = "#1f2430"
MUTED = "#6b7280"
ACCENT = "#2563eb"


class FigureError(AvatarError):
    """A picture that cannot be made or written; the message says why."""


def enlarge(rgb: np.ndarray, scale: int) -> Image.Image:
    """uint8 RGB [H, W, 3] as a picture in which every pixel is ``scale`` pixels wide and high."""
    return contact_sheet.enlarge(Image.fromarray(rgb), scale)


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
        frames, milliseconds, shared_palette: see ``animate``.

    Raises:
        FigureError: another kind of file is asked for, or it cannot be written.
    """
    data = animate(frames, milliseconds=milliseconds, shared_palette=shared_palette)
    _save(path, ".gif", lambda file: file.write_bytes(data))


def evenly(count: int, wanted: int) -> list[int]:
    """At most ``wanted`` of 0..count-1, evenly spaced, with the first and the last."""
    return sorted(set(np.linspace(0, count - 1, min(count, wanted)).round().astype(int).tolist()))


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


def _save(path: Path, suffix: str, save: Callable[[Path], object]) -> None:
    check_output(path, suffix)
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(temporary)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FigureError(f"cannot write {path}: {error.strerror or error}") from error
