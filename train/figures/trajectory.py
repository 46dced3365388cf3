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
        output: what the pipeline returned, with ``images`` as premultiplied RGBA uint8.
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
    times = [state.t for state in states]
    alphas, _ = pipeline.denoiser.schedule(torch.tensor(times[:-1]))
    span, final = pipeline.network.config.pixel_range, on_white(output.images)
    return Trajectory(
        times=times,
        noisy=np.stack(
            [
                *(
                    _noisy_on_white(s.x, a, span)
                    for s, a in zip(states, alphas.tolist(), strict=False)
                ),
                final,
            ]
        ),
        estimates=np.stack([on_white(to_pixels(s.x0, span)) for s in states]),
        output=output,
    )


def _noisy_on_white(x: Tensor, alpha: float, pixel_range: tuple[float, float]) -> np.ndarray:
    """x_t as it looks on white: [N, 4, H, W] -> uint8 RGB [N, H, W, 3].

    A premultiplied picture looks like colour - opacity + white. That is linear, so the noised
    channels give the noised look, in which alpha has scaled white as well.
    """
    low, high = pixel_range
    levels = (x[:, :3] - x[:, 3:] + alpha * high - low) * (255 / (high - low))
    levels = levels.round().clamp(0, 255).movedim(1, -1)
    return np.ascontiguousarray(levels.byte().cpu().numpy())


def draw_frame(trajectory: Trajectory, step: int, scale: int) -> Image.Image:
    """The state after ``step`` steps: x_t above, the estimate of x_0 below, a column per avatar."""
    count, size = trajectory.noisy.shape[1:3]
    side, steps = size * scale, len(trajectory.times) - 1
    width = TITLES + count * (side + GAP) - GAP + MARGIN
    sheet = Image.new("RGB", (width, HEADER + 2 * (side + GAP) - GAP + MARGIN), PAPER)
    caption(sheet, (MARGIN, 14), f"step {step} of {steps}")
    caption(sheet, (width - MARGIN, 14), f"t = {trajectory.times[step]:.2f}", anchor="rm")
    progress_bar(sheet, (TITLES, 26, width - MARGIN, 30), step / steps)
    parts = (trajectory.noisy[step], trajectory.estimates[step])
    for row, (tiles, lines) in enumerate(zip(parts, ROW_TITLES, strict=True)):
        top = HEADER + row * (side + GAP)
        for i, tile in enumerate(tiles):
            sheet.paste(enlarge(tile, scale), (TITLES + i * (side + GAP), top))
        caption(sheet, (MARGIN, top + side / 2 - 10), lines[0])
        caption(sheet, (MARGIN, top + side / 2 + 10), lines[1], fill=MUTED)
    return sheet


def draw_strip(trajectory: Trajectory, columns: int, scale: int) -> Image.Image:
    """A few states from noise (left) to avatar (right); two rows for each avatar, as in a frame."""
    count, size = trajectory.noisy.shape[1:3]
    side, shown = size * scale, evenly(len(trajectory.times), columns)
    pair = 2 * (side + GAP) + 2 * GAP
    width = TITLES + len(shown) * (side + GAP) - GAP + MARGIN
    sheet = Image.new("RGB", (width, HEADER + count * pair - 3 * GAP + MARGIN), PAPER)
    for column, step in enumerate(shown):
        left = TITLES + column * (side + GAP)
        label = f"t = {trajectory.times[step]:.2f}"
        caption(sheet, (left + side / 2, HEADER / 2), label, anchor="mm")
        for i in range(count):
            for row, part in enumerate((trajectory.noisy, trajectory.estimates)):
                top = HEADER + i * pair + row * (side + GAP)
                sheet.paste(enlarge(part[step, i], scale), (left, top))
    for i in range(count):
        for row, lines in enumerate(ROW_TITLES):
            middle = HEADER + i * pair + row * (side + GAP) + side / 2
            caption(sheet, (MARGIN, middle - 10), lines[0])
            caption(sheet, (MARGIN, middle + 10), lines[1], fill=MUTED)
    return sheet


def write_gif(path: Path, trajectory: Trajectory, scale: int) -> int:
    """Write the GIF; the finished avatars stay for a while. Returns the number of frames."""
    steps = evenly(len(trajectory.times), MAX_FRAMES)
    frames = [draw_frame(trajectory, step, scale) for step in steps]
    each = max(40, min(300, round(MOTION_MS / len(frames), -1)))
    save_gif(path, frames, [each] * (len(frames) - 1) + [HOLD_MS])
    return len(frames)
