"""See what a noise schedule does to an avatar before training on it, and be warned.

    python -m train.forward_process linear linear:num_steps=500,beta_end=0.2 flow --out forward.png

draws, for each schedule, one avatar at ten times from clean to noisiest, and all log-SNR curves
below. A schedule is written name or name:option=value,option=value (avatar_model/schedules.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from avatar_model.crop import DEFAULT_CROP, SOURCE_SIZE
from avatar_model.field_checks import Range, checked
from avatar_model.images import on_white
from avatar_model.schedule_check import schedule_warnings
from train.command import command
from train.data.dataset import open_dataset
from train.figures.forward_process import noising_figure, parse_schedule
from train.figures.picture import check_output, save_figure


@checked
def main(
    schedules: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SCHEDULE")
    ] = ("linear:num_steps=500,beta_end=0.2", "linear:num_steps=300,beta_end=0.008", "flow"),
    data: str = "drawn:64",
    avatar: int = 0,
    image_size: Annotated[int, Range(2, 1024)] = 64,
    crop: Annotated[int, Range(1, SOURCE_SIZE)] = DEFAULT_CROP,
    times: Annotated[int, Range(2, 1000)] = 10,
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
    parsed = {text: parse_schedule(text) for text in schedules}
    messages = {text: schedule_warnings(s, image_size) for text, s in parsed.items()}
    dataset = open_dataset(data, image_size, crop=crop)
    if not 0 <= avatar < len(dataset):
        raise ValueError(f"avatar must be from 0 to {len(dataset) - 1}, not {avatar}")
    figure = noising_figure(parsed, on_white(dataset.images[avatar]), times)
    save_figure(out, figure)
    for text, warnings in messages.items():
        for warning in warnings:
            print(f"warning: {text}: {warning}")
    print(f"wrote {out}")


cli = command(main, __doc__)

if __name__ == "__main__":
    cli()
