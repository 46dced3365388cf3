"""Check the blog's findings: train its presets for equal budgets, measure them, write a page.

    python -m train.findings --data ~/cartoonset10k.tgz --minutes 3

makes about 14 runs, one after the other, and writes docs/findings.md with its pictures. Stop it
with Ctrl+C, start the same command again and it goes on.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import tyro

from avatar_model import CheckpointError
from avatar_model.attributes import did_you_mean
from avatar_model.device import choose_device
from train.data.cartoon_set import DatasetError
from train.data.packed import open_dataset
from train.figures.picture import FigureError
from train.findings.evidence import Evidence
from train.findings.plan import Plan, load_plan, machine, settle
from train.findings.report import write_findings
from train.findings.runs import all_runs, refuse_change
from train.findings.study import StoppedError, load_reference, load_results, study
from train.loop.run_folder import RunError

DRAWN, DRAWN_AT_END = 64, 256


def main(
    data: str = "cartoonset10k",
    minutes: float = 3.0,
    images: int | None = None,
    out: Path = Path("docs/findings.md"),
    work: Path = Path("runs/findings"),
    size: Literal["auto", "real", "reduced", "tiny"] = "auto",
    only: tuple[str, ...] = (),
    report_only: bool = False,
    device: str | None = None,
    drawn: int = DRAWN,
    drawn_at_end: int = DRAWN_AT_END,
) -> None:
    """Train, measure and judge.

    Args:
        data: as for train/run.py.
        minutes: how long blog-4 trains on this machine; every run gets as many images.
        images: training images of each run, instead of minutes.
        out: the page, a .md file; its pictures are written beside it.
        work: where runs and measurements are kept.
        size: real, the presets as they are; reduced, half the image side and an eighth of the
            channels; tiny, to try the command; auto is real on a GPU, else reduced.
        only: make only these runs, such as blog-4 blog-6; the page covers all that were ever made.
        report_only: make no run, only write the page.
        device: cpu, cuda or cuda:1; by default a GPU if there is one.
        drawn: avatars that each check but the last draws.
        drawn_at_end: avatars that the last check of a run draws.
    """
    if out.suffix != ".md":
        raise FigureError(f"{out} must end in .md")
    for flag, value in (("minutes", minutes), ("drawn", drawn), ("drawn_at_end", drawn_at_end)):
        if value <= 0:
            raise ValueError(f"{flag} must be more than 0, not {value}")
    gpu = choose_device(device).type == "cuda"
    name, before = Path(data).name, load_plan(work)
    if before:  # said before a data set is downloaded for nothing
        refuse_change(f"the study in {work}", {"data": before.data}, {"data": name})
    if report_only:
        if before is None:
            raise RunError(f"there is no study in {work} to report on")
        size = before.size
    elif size == "auto":
        size = "real" if gpu else "reduced"
    known = list(all_runs(size, 10**6, "", work))
    for run in only:
        if run not in known:
            raise ValueError(
                f"there is no run {run!r}{did_you_mean(run, known)}; there are {', '.join(known)}"
            )
    side = next(iter(all_runs(size, 10**6, "", work).values())).config.model.image_size
    dataset = open_dataset(data, side)
    plan = before
    if not report_only:
        asked = Plan(
            data=name,
            rows=len(dataset),
            size=size,
            minutes=None if images else minutes,
            images=images or 0,
            drawn=drawn,
            drawn_at_end=drawn_at_end,
            machine=machine(device),
            command="",
        )
        asked = replace(asked, command=_command(asked))
        plan = settle(asked, dataset, work, device, print)
        study(plan, dataset, work, only or known, device, print)
    runs = all_runs(plan.size, plan.images, plan.data, work, device)
    evidence = Evidence(runs, load_results(plan, runs, work), load_reference(work))
    for path in write_findings(out, plan, evidence, dataset):
        print(f"wrote {path}")


def _command(plan: Plan) -> str:
    """What others type to do it again: without this machine's folders."""
    budget = {"minutes": plan.minutes} if plan.minutes else {"images": plan.images}
    flags = {"data": plan.data, **budget, "size": plan.size}
    for flag, default in (("drawn", DRAWN), ("drawn_at_end", DRAWN_AT_END)):
        if getattr(plan, flag) != default:
            flags[flag] = getattr(plan, flag)
    words = [f"--{flag.replace('_', '-')} {shlex.quote(str(x))}" for flag, x in flags.items()]
    return f"python -m train.findings {' '.join(words)}"


if __name__ == "__main__":
    try:
        tyro.cli(main, description=__doc__)
    except StoppedError:
        sys.exit("stopped; start the same command again to go on")
    except KeyboardInterrupt:
        sys.exit("stopped while measuring; start the same command again to go on")
    except (CheckpointError, DatasetError, FigureError, RunError, ValueError) as error:
        sys.exit(f"error: {error}")
