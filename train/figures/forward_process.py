"""What noise schedules do to an avatar, as a figure: strips at ten times, and log-SNR curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from avatar_model.schedule_check import Diagnosis, diagnose
from avatar_model.schedules import Schedule, make_schedule

SCALE = 2  # side of an image pixel in the picture
_LOWEST, _HIGHEST = -14.0, 10.0  # of the log-SNR that is shown


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
            options[option.strip()] = int(value) if value.strip().isdecimal() else float(value)
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


def noising_figure(schedules: dict[str, Schedule], rgb: np.ndarray, num_times: int) -> Figure:
    """The strips of all schedules above their log-SNR curves; tiles stand at their t on the axis.

    Args:
        schedules: what each is called in the picture.
        rgb: uint8 [H, W, 3], the avatar on white.
    """
    dpi, gap, margin, title, curves = 100, 6, 70, 40, 300
    tile = rgb.shape[0] * SCALE
    width = num_times * tile + (num_times - 1) * gap + margin + 20
    height = len(schedules) * (tile + title) + curves + 80
    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor="white")
    times = np.linspace(0, 1, num_times).tolist()
    below = height
    for row, (label, schedule) in enumerate(schedules.items()):
        below -= title
        at = (below + 8) / height
        figure.text(margin / width, at, label, color=f"C{row}", weight="bold", size=12)
        verdict = _verdict(diagnose(schedule, rgb.shape[0]))
        figure.text(1 - 20 / width, at, verdict, color="#b91c1c", ha="right", size=11)
        below -= tile
        for i, picture in enumerate(noising_strip(schedule, rgb, times)):
            big = picture.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
            figure.figimage(big, margin + i * (tile + gap), below, origin="upper")

    left, right = margin + tile / 2, width - 20 - tile / 2  # t = 0 and 1, below the tiles
    box = (left / width, 50 / height, (right - left) / width, (below - 80) / height)
    _log_snr_curves(figure.add_axes(box), schedules, times, rgb.shape[0])
    return figure


def _verdict(found: Diagnosis) -> str:
    parts = []
    if found.too_noisy:
        parts.append(f"too noisy: nothing is left in {found.lost_share:.0%} of the steps")
    if found.ends_too_clean:
        parts.append(f"ends at alpha = {found.end_alpha:.2f}")
    return ", ".join(parts)


def _log_snr_curves(
    axes: Axes, schedules: dict[str, Schedule], times: Sequence[float], image_size: int
) -> None:
    t = torch.linspace(0, 1, 2001, dtype=torch.float64)[1:]
    for label, schedule in schedules.items():
        axes.plot(t, schedule.log_snr(t).clamp(_LOWEST - 9), label=label, linewidth=2)
    threshold = diagnose(next(iter(schedules.values())), image_size).threshold
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
