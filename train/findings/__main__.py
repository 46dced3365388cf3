"""Check the blog's findings: train its presets for equal budgets, measure and judge them.

    python -m train.findings --data ~/cartoonset10k.tgz --minutes 3

makes about 45 runs, one after the other, and writes runs/findings/report.json with every number,
and tables and pictures of them beside it. Stop it with Ctrl+C, start the same command again and it
goes on. Two at once in one --work folder share the work if each has its own --only.
"""

from __future__ import annotations

import platform
import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import torch

from avatar_model.attributes import did_you_mean
from avatar_model.device import choose_device
from avatar_model.field_checks import Range, checked
from train.command import command
from train.data.dataset import open_dataset
from train.figures.picture import check_output
from train.findings.plan import BASE, all_runs
from train.findings.report import write_report
from train.findings.study import Plan, load_evidence, load_plan, make_runs, settle
from train.loop.run_folder import RunError


@checked
def main(
    data: str = "cartoonset10k",
    minutes: Annotated[float, Range(0.001, 1e6)] = 3.0,
    images: Annotated[int | None, Range(1, 10**9)] = None,
    out: Path = Path("runs/findings/report.md"),
    work: Path = Path("runs/findings"),
    size: Literal["auto", "real", "half", "quarter", "tiny"] = "auto",
    only: tuple[str, ...] = (),
    report_only: bool = False,
    device: str | None = None,
    drawn: Annotated[int, Range(1, 10**6)] = 64,
    drawn_at_end: Annotated[int, Range(1, 10**6)] = 256,
) -> None:
    """Train, measure and judge.

    Args:
        data: as for train/run.py.
        minutes: how long blog-4 trains on this machine; every run gets as many images.
        images: training images of each run, instead of minutes.
        out: the tables, a .md file; all numbers, .json, and pictures are written beside it.
        work: where runs and measurements are kept.
        size: real, the presets as they are; half and quarter, so much of the image side and an
            eighth of the channels; tiny, to try the command; auto is real on a GPU, else quarter.
        only: make only these runs, such as blog-4 blog-6; the tables have all that were ever made.
        report_only: make no run, only write what was found.
        device: cpu, cuda or cuda:1; by default a GPU if there is one.
        drawn: avatars that each check but the last draws.
        drawn_at_end: avatars that the last check of a run draws.
    """
    check_output(out, ".md")
    where, name = choose_device(device), Path(data).name
    gpu = torch.cuda.get_device_name(where) if where.type == "cuda" else ""
    before = load_plan(work, name)  # of other data? said before that is downloaded for nothing
    if report_only and not before:
        raise RunError(f"there is no study in {work} to report on")
    scale = before.size if before and report_only else str(size)
    if scale == "auto":
        scale = "real" if gpu else "quarter"
    known = all_runs(scale, 10**6, "", work)
    for run in only:
        if run not in known:
            near = did_you_mean(run, [*known])
            raise ValueError(f"there is no run {run!r}{near}; there are {', '.join(known)}")
    dataset = open_dataset(data, known[BASE].config.model.image_size)
    budget = f"--images {images}" if images else f"--minutes {minutes}"
    sizes = f"--size {scale} --drawn {drawn} --drawn-at-end {drawn_at_end}"
    asked = Plan(
        data=name,
        rows=len(dataset),
        size=scale,
        minutes=None if images else minutes,
        images=images or 0,
        drawn=drawn,
        drawn_at_end=drawn_at_end,
        machine=f"{gpu or platform.machine()}, PyTorch {torch.__version__}",
        command=f"python -m train.findings --data {shlex.quote(name)} {budget} {sizes}",
    )
    plan = before if before and report_only else settle(asked, before, dataset, work, device)
    runs = all_runs(plan.size, plan.images, plan.data, work, device)
    if not report_only:
        try:
            make_runs(plan, runs, dataset, work, only or known)
        except KeyboardInterrupt:
            sys.exit("stopped; start the same command again to go on")
    for path in write_report(out, plan, load_evidence(runs, work), dataset):
        print(f"wrote {path}")


cli = command(main, __doc__)

if __name__ == "__main__":
    cli()
