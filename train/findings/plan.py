"""What a study is: its data, its size and its budget, decided once and kept in ``plan.json``."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from avatar_model.checkpoint import write_atomically
from avatar_model.device import choose_device
from train.data.packed import PackedSet
from train.findings.runs import BASE, all_runs, budget_unit, refuse_change
from train.loop.run_folder import RunError
from train.loop.trainer import Trainer

MIN_VALIDATION = 32
SHOWN_BY_TRAINER = 16
MEASURE_SECONDS = 20.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a study is, decided once for its folder.

    Attributes:
        data: the name of the data set, without its folder.
        rows: how many images it has.
        size: of ``runs.SIZES``.
        minutes: asked for per run; None if the number of images was given.
        images: training images of each run.
        drawn: avatars that each check draws, but the last.
        drawn_at_end: avatars that the last check draws.
        machine: where it ran.
        command: how to do it again.
    """

    data: str
    rows: int
    size: str
    minutes: float | None
    images: int
    drawn: int
    drawn_at_end: int
    machine: str
    command: str


def load_plan(work: Path) -> Plan | None:
    """The plan of a folder, or None if it has none.

    Raises:
        RunError: it is damaged.
    """
    try:
        return Plan(**json.loads((work / "plan.json").read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{work / 'plan.json'} cannot be read: {error}") from error


def settle(asked: Plan, data: PackedSet, work: Path, device: str | None, say: Say) -> Plan:
    """The plan that the folder has, or ``asked``, completed and written down.

    Args:
        asked: with 0 images to have as many as blog-4 trains in ``minutes`` on this machine, now.

    Raises:
        RunError: the folder has another plan, or cannot be written.
        ValueError: a budget of no step, or too few unseen combinations.
    """
    available = len(data.split("validation"))
    if available < MIN_VALIDATION:
        raise ValueError(
            f"the validation split of {asked.data} has {available} combinations, too few to tell "
            f"runs apart; at least {MIN_VALIDATION} are needed, 6 % of the data set"
        )
    unit = budget_unit(asked.size)
    if asked.minutes is None and asked.images < unit:
        raise ValueError(f"images must be at least {unit} for size {asked.size}: {asked.images}")
    at_end = min(asked.drawn_at_end, available)
    asked = replace(
        asked,
        images=asked.images // unit * unit,
        drawn=min(asked.drawn, at_end),
        drawn_at_end=at_end,
    )
    if before := load_plan(work):
        if asked.minutes is not None:
            asked = replace(asked, images=before.images)
        refuse_change(f"the study in {work}", _what(before), _what(asked))
        return before
    if asked.minutes is not None:
        rate = measure_rate(data, asked.size, work, asked.minutes, device)
        count = max(int(rate * 60 * asked.minutes) // unit, 1) * unit
        say(f"this machine trains {BASE} on {rate:.0f} images/s: {count:,} images in each run")
        asked = replace(asked, images=count)
    try:
        work.mkdir(parents=True, exist_ok=True)
        write_atomically(work / "plan.json", json.dumps(asdict(asked), indent=1) + "\n")
    except OSError as error:
        raise RunError(f"cannot write {work}: {error.strerror or error}") from error
    return asked


def _what(plan: Plan) -> dict[str, object]:
    """Without where and how."""
    return {k: v for k, v in asdict(plan).items() if k not in ("machine", "command")}


def measure_rate(
    data: PackedSet, size: str, work: Path, minutes: float, device: str | None
) -> float:
    """Training images per second of blog-4 here and now: up to 20 seconds of it."""
    run = all_runs(size, 10**9, "", work, device)[BASE]
    folder = work / "how-fast"
    shutil.rmtree(folder, ignore_errors=True)
    config = replace(
        run.config,
        run=folder,
        max_minutes=min(minutes / 4, MEASURE_SECONDS / 60),
        num_inference_steps=1,
        checkpoint_minutes=None,
    )
    trainer = Trainer(config, for_trainer(data))
    trainer.train()
    shutil.rmtree(folder, ignore_errors=True)
    return trainer.step * config.batch_size / max(trainer.seconds, 1e-3)


def for_trainer(data: PackedSet) -> PackedSet:
    """The training images and a few unseen ones: the trainer draws all it sees at every checkpoint.

    The order of the training images, and so what a step sees, stays.
    """
    rows = data.split("train"), data.split("validation")[:SHOWN_BY_TRAINER]
    return data.take(np.concatenate(rows))


def machine(device: str | None) -> str:
    """The machine in words: processor, number of cores, PyTorch."""
    where = choose_device(device)
    if where.type == "cuda":
        what = torch.cuda.get_device_name(where)
    else:
        affinity = getattr(os, "sched_getaffinity", None)
        cores = len(affinity(0)) if affinity else os.cpu_count()
        threads = torch.get_num_threads()
        what = f"{cores} CPU cores ({_processor()}, {threads} thread{'s' if threads > 1 else ''})"
    return f"{what}, PyTorch {torch.__version__}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(x.split(":", 1)[1].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
