"""What a run generated at every checkpoint, kept as pictures and joined into a GIF.

    runs/mine/samples/real.png              the real avatars with these attributes
    runs/mine/samples/step-00001000.png     what the averaged weights generated after 1000 steps

There may be hundreds of them, so large avatars are kept at 128 pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from avatar_model.contact_sheet import contact_sheet
from avatar_model.crop import resize
from avatar_model.images import on_white
from train.figures.picture import (
    PAPER,
    FigureError,
    caption,
    enlarge,
    evenly,
    progress_bar,
    save_gif,
    save_png,
)

SAMPLES = "samples"
COLUMNS = 4
FRAME_MS, HOLD_MS = 400, 3000
MAX_FRAMES = 60
MARGIN, HEADER = 12, 40
MAX_SIDE = 128
"""Of a kept avatar, in pixels."""
FRAME_WIDTH = 1200
"""Pixels of the GIF that the avatars fill at most, unless a scale is given."""
_PSNR = "psnr_db"


class Sample(NamedTuple):
    """One checkpoint: the step, a sheet of what it generated, and PSNR in dB if known."""

    step: int
    sheet: np.ndarray
    psnr_db: float | None


def save_samples(
    run: Path, step: int, generated: np.ndarray, real: np.ndarray, psnr_db: float | None = None
) -> Path:
    """Keep what a checkpoint generated, as a file that needs no other to be understood.

    Args:
        run: the run folder.
        generated, real: uint8 premultiplied RGBA [N, H, W, 4], the same attributes at the same
            index and at every step.

    Returns:
        the file.

    Raises:
        FigureError: it cannot be written.
    """
    folder = run / SAMPLES
    if not (folder / "real.png").exists():
        save_png(folder / "real.png", _sheet(real))
    about = PngInfo()
    if psnr_db is not None:
        about.add_text(_PSNR, f"{psnr_db:.3f}")
    path = folder / f"step-{step:08d}.png"
    save_png(path, _sheet(generated), about)
    return path


def _sheet(avatars: np.ndarray) -> Image.Image:
    """uint8 premultiplied RGBA [N, H, W, 4] side by side on white, mode RGB."""
    if avatars.shape[1] > MAX_SIDE:
        avatars = resize(avatars, MAX_SIDE)
    tiles = [Image.fromarray(avatar) for avatar in on_white(avatars)]
    return contact_sheet(tiles, COLUMNS, gap=0, background=PAPER)


def load_samples(run: Path) -> tuple[np.ndarray, list[Sample]]:
    """The sheet of real avatars, and all samples of a run, oldest first.

    Raises:
        FigureError: there are none, or one is damaged or does not belong to the others.
    """
    folder = run / SAMPLES
    paths = sorted(folder.glob("step-????????.png"))
    if not paths:
        raise FigureError(
            f"there is no {folder / 'step-*.png'}; training writes one at every checkpoint"
        )
    real, _ = _read(folder / "real.png")
    samples = []
    for path in paths:
        sheet, about = _read(path)
        if sheet.shape != real.shape:
            raise FigureError(f"{path} is not the size of real.png beside it; is it another run's?")
        psnr_db = float(about[_PSNR]) if _PSNR in about else None
        samples.append(Sample(int(path.stem.removeprefix("step-")), sheet, psnr_db))
    return real, samples


def _read(path: Path) -> tuple[np.ndarray, dict[Any, Any]]:
    """A sheet, uint8 RGB [H, W, 3], and the texts in the file."""
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            return np.array(picture.convert("RGB")), picture.info
    except FileNotFoundError:
        raise FigureError(f"there is no {path}") from None
    except Exception as error:  # Pillow raises a dozen kinds
        raise FigureError(f"{path} is damaged ({error}); delete it") from error


def render_frame(sample: Sample, real: np.ndarray, last_step: int, scale: int) -> Image.Image:
    """One moment of a run: what was generated on the left, the real avatars on the right."""
    height, width = (side * scale for side in real.shape[:2])
    second = 2 * MARGIN + width
    frame = Image.new("RGB", (second + width + MARGIN, HEADER + height + MARGIN), PAPER)
    frame.paste(enlarge(sample.sheet, scale), (MARGIN, HEADER))
    frame.paste(enlarge(real, scale), (second, HEADER))
    size = 11 if width < 250 else 15
    caption(frame, (MARGIN, 14), f"step {sample.step:,}", size)
    if sample.psnr_db is not None:
        caption(frame, (MARGIN + width, 14), f"{sample.psnr_db:.1f} dB PSNR", size, anchor="rm")
    caption(frame, (second, 14), "the real avatars", size)
    progress_bar(frame, (MARGIN, 26, MARGIN + width, 30), sample.step / max(last_step, 1))
    return frame


def join(run: Path, out: Path, scale: int | None = None) -> int:
    """Join a run's samples into a GIF; returns the number of frames.

    Long runs are thinned out evenly to ``MAX_FRAMES``. The last frame stays for a while.

    Args:
        scale: side of an avatar's pixel; by default 2, or 1 if the GIF would become too wide.

    Raises:
        FigureError: no samples, damaged ones, or ``out`` cannot be written.
    """
    real, samples = load_samples(run)
    if scale is None:
        scale = 2 if 4 * real.shape[1] <= FRAME_WIDTH else 1
    shown = [samples[i] for i in evenly(len(samples), MAX_FRAMES)]
    frames = [render_frame(sample, real, samples[-1].step, scale) for sample in shown]
    save_gif(out, frames, FRAME_MS, HOLD_MS, shared_palette=True)
    return len(frames)
