"""See what a noise schedule does to an avatar before training on it, and be warned.

    python -m train.forward_process linear linear:num_steps=500,beta_end=0.2 flow --out forward.png

draws, for each schedule, one avatar at ten times from clean to noisiest, and all log-SNR curves
below. A schedule is written name or name:option=value,option=value (avatar_model/schedules.py).
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
import tyro

from avatar_model.arguments import whole
from avatar_model.images import DEFAULT_CROP, SOURCE_SIZE, on_white
from avatar_model.schedules import Schedule, make_schedule

from .cartoon_set import DatasetError
from .figures import FigureError, check_output, save_figure
from .packed import open_dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOO_NOISY_SHARE = 0.5
_GRID = 1000
_LOWEST, _HIGHEST = -14.0, 10.0  # of the log-SNR that is drawn


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a schedule, in numbers; see ``diagnose``.

    Attributes:
        threshold: the log-SNR below which nothing of the image is left.
        lost_share: share of t in [0, 1] that lies below it.
        end_alpha, end_log_snr: at t = 1.
    """

    threshold: float
    lost_share: float
    end_alpha: float
    end_log_snr: float

    @property
    def too_noisy(self) -> bool:
        """Most time steps hold nothing to learn from."""
        return self.lost_share > TOO_NOISY_SHARE

    @property
    def ends_too_clean(self) -> bool:
        """The noisiest image can be told from the pure noise that samplers start from."""
        return self.end_log_snr > self.threshold


def diagnose(schedule: Schedule, image_size: int = 64) -> Diagnosis:
    """Measure a schedule against the log-SNR below which nothing of an image is left.

    That threshold is ``-log(image_size^2)``, -8.3 for 64 pixels. What survives noise longest is the
    average colour: over N pixels the noise averages down to variance sigma^2 / N, while the average
    of an image keeps alpha times at most 1, for pixels in [-1, 1]. Its signal-to-noise ratio is
    therefore at most N alpha^2 / sigma^2, which falls below 1 where log-SNR = -log N. (The same
    argument makes noise schedules shift with image size: Hoogeboom et al., arXiv 2301.11093,
    section 3.1.) The average colour is also what Lin et al. (arXiv 2305.08891, section 3.1) see
    leak through a last step that is not pure noise: Stable Diffusion's log-SNR ends at -5.4, well
    above the threshold of its 64 x 64 latents, and it cannot draw very dark or bright images.

    Raises:
        ValueError: alpha and sigma are no schedule, such as with a beta above 1.
    """
    # Middles of equal steps; float64 because alpha^2 underflows early in float32.
    t = (torch.arange(_GRID, dtype=torch.float64) + 0.5) / _GRID
    try:
        log_snr = schedule.log_snr(t)
        falls = bool(log_snr.isfinite().all() and (log_snr.diff() < 0).all())
    except (ArithmeticError, TypeError, RuntimeError):  # options that torch or math choke on
        falls = False
    if not falls:
        raise ValueError(
            f"schedule {schedule.name!r} with these options does not add more and more noise; "
            "its log-SNR must fall from t = 0 to 1"
        )
    one = torch.ones(1, dtype=torch.float64)
    threshold = -2 * math.log(image_size)
    return Diagnosis(
        threshold=threshold,
        lost_share=float((log_snr < threshold).double().mean()),
        end_alpha=float(schedule(one)[0]),
        end_log_snr=float(schedule.log_snr(one)),
    )


def schedule_warnings(schedule: Schedule, image_size: int = 64) -> list[str]:
    """What is wrong with a noise schedule: no, one or two sentences.

    Args:
        image_size: side of the images it is used for, in pixels; bigger images stand more noise.

    Raises:
        ValueError: see ``diagnose``.
    """
    found = diagnose(schedule, image_size)
    warnings = []
    if found.too_noisy:
        warnings.append(
            f"schedule {schedule.name!r} is too noisy: in {found.lost_share:.0%} of the time steps "
            f"log-SNR is below {found.threshold:.1f}, where not even the average colour of a "
            f"{image_size}x{image_size} image is left; training spends them on pure noise"
        )
    if found.ends_too_clean:
        warnings.append(
            f"schedule {schedule.name!r} does not end in noise: at t = 1 the image is still there "
            f"with alpha = {found.end_alpha:.2g} (log-SNR {found.end_log_snr:.1f}), but sampling "
            "starts from pure noise, which the model then never saw (arXiv 2305.08891)"
        )
    return warnings


def parse_schedule(text: str) -> Schedule:
    """``"flow"`` or ``"linear:num_steps=500,beta_end=0.2"`` as a schedule.

    Raises:
        ValueError: not of this form, or an unknown name or option.
    """
    name, _, rest = text.partition(":")
    options: dict[str, float] = {}
    for part in filter(None, rest.split(",")):
        option, _, value = part.partition("=")
        try:
            options[option.strip()] = (
                int(value) if re.fullmatch(r" *\d+ *", value) else float(value)
            )
        except ValueError:
            raise ValueError(
                f"cannot read {part!r} in schedule {text!r}; write name:option=number,option=number"
            ) from None
    return make_schedule(name.strip(), **options)


def noising_strip(schedule: Schedule, rgb: np.ndarray, times: Sequence[float]) -> np.ndarray:
    """One picture at several times of the forward process, with the same noise at each.

    Args:
        rgb: uint8 [H, W, 3], as seen on white. (Training noises premultiplied RGBA with the same
            alpha and sigma; noise on transparency is left out because it cannot be seen.)
        times: in [0, 1].

    Returns:
        uint8 [len(times), H, W, 3].
    """
    x0 = torch.from_numpy(rgb).double() / 127.5 - 1
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    alpha, sigma = schedule(torch.tensor(times, dtype=torch.float64))
    x = alpha.view(-1, 1, 1, 1) * x0 + sigma.view(-1, 1, 1, 1) * eps
    return ((x + 1) * 127.5).round().clamp(0, 255).byte().numpy()


def draw(
    schedules: dict[str, Schedule], rgb: np.ndarray, num_times: int = 10, scale: int = 2
) -> Figure:
    """The strips of all schedules above their log-SNR curves; tiles stand at their t on the axis.

    Args:
        schedules: what each is called in the picture.
        rgb: uint8 [H, W, 3], the avatar on white.
        scale: side of an image pixel in the picture.
    """
    from matplotlib.figure import Figure  # heavy, and only needed here

    dpi, gap, margin, title, curves = 100, 6, 70, 40, 300
    tile = rgb.shape[0] * scale
    width = num_times * tile + (num_times - 1) * gap + margin + 20
    height = len(schedules) * (tile + title) + curves + 80
    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor="white")
    times = np.linspace(0, 1, num_times)
    below = height
    for row, (label, schedule) in enumerate(schedules.items()):
        below -= title
        found = diagnose(schedule, rgb.shape[0])
        verdict = [
            *(
                [f"too noisy: nothing is left in {found.lost_share:.0%} of the steps"]
                if found.too_noisy
                else []
            ),
            *([f"ends at alpha = {found.end_alpha:.2f}"] if found.ends_too_clean else []),
        ]
        at = (below + 8) / height
        figure.text(margin / width, at, label, color=f"C{row}", weight="bold", size=12)
        figure.text(1 - 20 / width, at, ", ".join(verdict), color="#b91c1c", ha="right", size=11)
        below -= tile
        for i, picture in enumerate(noising_strip(schedule, rgb, times)):
            big = picture.repeat(scale, axis=0).repeat(scale, axis=1)
            figure.figimage(big, margin + i * (tile + gap), below, origin="upper")

    left, right = margin + tile / 2, width - 20 - tile / 2  # t = 0 and 1, below the tiles
    axes = figure.add_axes(
        (left / width, 50 / height, (right - left) / width, (below - 80) / height)
    )
    t = torch.linspace(0, 1, 2001, dtype=torch.float64)[1:]
    for label, schedule in schedules.items():
        axes.plot(t, schedule.log_snr(t).clamp(_LOWEST - 9), label=label, linewidth=2)
    threshold = diagnose(next(iter(schedules.values())), rgb.shape[0]).threshold
    axes.axhspan(_LOWEST, threshold, color="#e5e7eb", zorder=0)
    axes.text(0.005, threshold - 0.4, "nothing of the image is left", va="top", color="#4b5563")
    axes.axhline(0, color="#9ca3af", linewidth=0.8, zorder=0)
    axes.set(
        xlim=(0, 1),
        ylim=(_LOWEST, _HIGHEST),
        xlabel="time t",
        ylabel=r"log-SNR  $\log\,\alpha^2/\sigma^2$",
    )
    axes.set_xticks(times, [f"{x:.2f}" for x in times])
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper right")
    return figure


def main(
    schedules: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SCHEDULE")
    ] = ("linear:num_steps=500,beta_end=0.2", "linear:num_steps=300,beta_end=0.008", "flow"),
    data: str = "drawn:64",
    avatar: int = 0,
    image_size: int = 64,
    crop: int = DEFAULT_CROP,
    times: int = 10,
    out: Path = Path("forward.png"),
) -> None:
    """Draw the noising strips and log-SNR curves, and print what is wrong with the schedules.

    Args:
        schedules: the schedules to compare. The default is the blog's comparison, and this
            project's own schedule.
        data: where the avatar comes from; as for train/run.py.
        avatar: which one, counted from 0.
        image_size: side of the avatar in pixels.
        crop: side of the centre square of a 500x500 picture that is kept.
        times: how many times the strip shows.
        out: the picture, a .png file.
    """
    check_output(out, ".png")
    for name, value in (("times", times), ("image_size", image_size)):
        if value < 2:
            raise ValueError(f"{name} must be at least 2, not {value}")
    parsed = {text: parse_schedule(text) for text in schedules}
    messages = {text: schedule_warnings(s, image_size) for text, s in parsed.items()}
    crop = whole("crop", crop, 1, SOURCE_SIZE)
    dataset = open_dataset(data, image_size, crop=crop)
    if not 0 <= avatar < len(dataset):
        raise ValueError(f"avatar must be from 0 to {len(dataset) - 1}, not {avatar}")
    figure = draw(parsed, on_white(dataset.images[avatar]), times)
    save_figure(out, figure)
    for text, warnings in messages.items():
        for warning in warnings:
            print(f"warning: {text}: {warning}")
    print(f"wrote {out}")


if __name__ == "__main__":
    try:
        tyro.cli(main, description=__doc__)
    except (DatasetError, FigureError, ValueError) as error:
        sys.exit(f"error: {error}")
