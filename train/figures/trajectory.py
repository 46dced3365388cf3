"""A sampler on its way from noise to avatars, as a GIF and as a film strip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from avatar_model import AvatarPipeline, film
from avatar_model.images import on_white, to_pixels
from avatar_model.pipeline import AvatarOutput
from train.figures.picture import (
    MUTED,
    PAPER,
    caption,
    enlarge,
    evenly,
    progress_bar,
    save_gif,
)

MAX_FRAMES = 60
MOTION_MS, HOLD_MS = 4000, 2500
GAP, MARGIN, HEADER = 4, 14, 40
TITLES = 140  # width of the row titles
ROW_TITLES = (("noisy image", "x_t"), ("the model's", "estimate of x_0"))


@dataclass(frozen=True)
class Trajectory:
    """All states of a sampler, from pure noise to the finished avatars.

    Attributes:
        times: S + 1 times from 1 to 0 for S steps.
        noisy: x_t at each, uint8 RGB [S + 1, N, H, W, 3].
        estimates: what the model took that x_t for; for the last one, the finished avatar.
        output: what the pipeline returned, with images as for "np".
    """

    times: list[float]
    noisy: np.ndarray
    estimates: np.ndarray
    output: AvatarOutput


def record(
    pipeline: AvatarPipeline,
    attributes: Mapping[str, object] | Sequence[Mapping[str, object]] | None = None,
    **options: object,
) -> Trajectory:
    """Run the pipeline's base and keep every step.

    Args:
        attributes, options: for the pipeline, such as ``num_images`` and ``seed``.

    Raises:
        ValueError: as the pipeline does.
    """
    states, output = film.record(pipeline, attributes, size=pipeline.sizes[0], **options)
    times, pixel_range = [s.t for s in states], pipeline.network.config.pixel_range
    alphas, _ = pipeline.denoiser.schedule(torch.tensor(times[:-1]))
    estimates = np.stack([on_white(to_pixels(s.x0, pixel_range)) for s in states])
    noisy = [
        _noisy_on_white(s.x, alpha, pixel_range)
        for s, alpha in zip(states[:-1], alphas.tolist(), strict=True)
    ]
    return Trajectory(times, np.stack([*noisy, estimates[-1]]), estimates, output)


def _noisy_on_white(x: Tensor, alpha: float, pixel_range: tuple[float, float]) -> np.ndarray:
    """x_t as it looks on white: [N, C, H, W] -> uint8 RGB [N, H, W, 3].

    A premultiplied picture looks like colour - opacity + white. That is linear, so the noised
    channels give the noised look, in which alpha has scaled white as well. RGB is on white.
    """
    low, high = pixel_range
    seen = x[:, :3] - x[:, 3:] + alpha * high if x.shape[1] == 4 else x
    levels = (seen - low) * (255 / (high - low))
    levels = levels.round().clamp(0, 255).movedim(1, -1)
    return np.ascontiguousarray(levels.byte().cpu().numpy())


def render_frame(trajectory: Trajectory, step: int, scale: int) -> Image.Image:
    """The state after ``step`` steps: x_t above, the estimate of x_0 below, a column per avatar."""
    steps = len(trajectory.times) - 1
    sheet = _rows(np.stack([trajectory.noisy[step], trajectory.estimates[step]])[None], scale)
    right = sheet.width - MARGIN
    caption(sheet, (MARGIN, 14), f"step {step} of {steps}")
    caption(sheet, (right, 14), f"t = {trajectory.times[step]:.2f}", anchor="rm")
    progress_bar(sheet, (TITLES, 26, right, 30), step / steps)
    return sheet


def render_strip(trajectory: Trajectory, columns: int, scale: int) -> Image.Image:
    """A few states from noise (left) to avatar (right); two rows for each avatar, as in a frame."""
    shown = evenly(len(trajectory.times), columns)
    states = np.stack([trajectory.noisy[shown], trajectory.estimates[shown]])  # [2, S, N, H, W, 3]
    sheet = _rows(states.transpose(2, 0, 1, 3, 4, 5), scale)
    side = states.shape[3] * scale
    for column, step in enumerate(shown):
        middle = TITLES + column * (side + GAP) + side / 2
        label = f"t = {trajectory.times[step]:.2f}"
        caption(sheet, (middle, HEADER / 2), label, anchor="mm")
    return sheet


def _rows(pairs: np.ndarray, scale: int) -> Image.Image:
    """P pairs of rows of C pictures, x_t above the estimates, with their titles.

    Args:
        pairs: uint8 RGB [P, 2, C, H, W, 3].
    """
    count, _, columns, size = pairs.shape[:4]
    step = size * scale + GAP
    width = TITLES + columns * step - GAP + MARGIN
    height = HEADER + count * 2 * (step + GAP) - 3 * GAP + MARGIN
    sheet = Image.new("RGB", (width, height), PAPER)
    for i, pair in enumerate(pairs):
        for row, (tiles, (title, symbol)) in enumerate(zip(pair, ROW_TITLES, strict=True)):
            top = HEADER + i * 2 * (step + GAP) + row * step
            for column, tile in enumerate(tiles):
                sheet.paste(enlarge(tile, scale), (TITLES + column * step, top))
            middle = top + size * scale / 2
            caption(sheet, (MARGIN, middle - 10), title)
            caption(sheet, (MARGIN, middle + 10), symbol, fill=MUTED)
    return sheet


def write_gif(path: Path, trajectory: Trajectory, scale: int) -> int:
    """Write the GIF; the finished avatars stay for a while. Returns the number of frames."""
    steps = evenly(len(trajectory.times), MAX_FRAMES)
    frames = [render_frame(trajectory, step, scale) for step in steps]
    each = max(40, min(300, round(MOTION_MS / len(frames) / 10) * 10))
    save_gif(path, frames, each, HOLD_MS, shared_palette=False)
    return len(frames)
