"""Makes the runs and measures them, one after the other; started again, it goes on.

work/
    plan.json           what was asked for, and the budget that came of it
    reference.json      what the numbers are to be seen against
    runs/NAME/          a run folder of the trainer
    results/NAME.json   what was measured, and NAME.npy, the avatars that were drawn
"""

from __future__ import annotations

import csv
import datetime
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avatar_model import AvatarPipeline
from avatar_model.checkpoint import write_atomically
from avatar_model.network import AvatarNetwork
from train.data.packed import PackedSet
from train.findings.measures import Measures, Reference, draw, validation_loss
from train.findings.plan import Plan, Say, for_trainer
from train.findings.results import Point, Result, load_result, save_result
from train.findings.runs import POINTS, Run, all_runs, refuse_change
from train.loop.loss_guard import DivergedError
from train.loop.run_folder import RunError, RunFolder
from train.loop.trainer import STATE_FILE, Trainer


class StoppedError(Exception):
    """Ctrl+C during training; the run was saved."""


def load_results(plan: Plan, runs: dict[str, Run], work: Path) -> dict[str, Result]:
    """Of the runs that have one.

    Raises:
        RunError: a result is damaged, or of a run with other settings.
    """
    found = {}
    for name, run in runs.items():
        if result := load_result(work / "results", name):
            path = work / "results" / f"{name}.json"
            refuse_change(str(path), result.settings, settings(run, plan))
            found[name] = result
    return found


def study(
    plan: Plan, data: PackedSet, work: Path, names: Sequence[str], device: str | None, say: Say
) -> None:
    """Make and measure the runs called ``names`` that have no result yet.

    Raises:
        RunError: a folder holds something else, or cannot be written.
        StoppedError: Ctrl+C while training.
    """
    runs = all_runs(plan.size, plan.images, plan.data, work, device)
    done = load_results(plan, runs, work)
    missing = [name for name in names if name not in done]
    if not missing:
        return
    say("learning from the training images where hair and faces are, and their colours")
    measures = Measures(data, plan.drawn_at_end)
    write_atomically(work / "reference.json", json.dumps(measures.reference().to_dict()) + "\n")
    shown = for_trainer(data)
    for i, name in enumerate(missing):
        run = runs[name]
        say(f"\nrun {i + 1} of {len(missing)}: {name} ({run.about})")
        failure = _train(run, shown)
        started = time.monotonic()
        result = _measure(run, plan, measures, failure)
        save_result(work / "results", name, result)
        for state in run.config.run.glob(f"checkpoints/*/{STATE_FILE}"):
            state.unlink()  # large, and only there to resume the run, which is finished
        say(f"{_line(result)}; measured in {time.monotonic() - started:.0f} s")


def load_reference(work: Path) -> Reference:
    """What ``study`` found out about the data set.

    Raises:
        RunError: there is no such file, or it is damaged.
    """
    try:
        return Reference(**json.loads((work / "reference.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{work / 'reference.json'} cannot be read: {error}") from error


def settings(run: Run, plan: Plan) -> dict[str, Any]:
    """Everything that decides the result of a run, in plain JSON types."""
    looks = {"drawn": plan.drawn, "drawn_at_end": plan.drawn_at_end, "points": POINTS}
    return {**_what(run.config.to_dict()), **looks}


def _train(run: Run, data: PackedSet) -> str | None:
    """Train to the end unless that is done; why it failed, if it did."""
    config = run.config
    folder = RunFolder(config.run)
    if folder.checkpoints():
        before = json.loads((config.run / "config.json").read_text("utf-8"))
        refuse_change(str(config.run), _what(before), _what(config.to_dict()))
        if folder.checkpoints()[-1] == _checkpoint(run, config.steps):
            return None
    trainer = Trainer(config, data)
    try:
        trainer.train()
    except DivergedError as error:
        return str(error)
    if trainer.step < config.steps:
        raise StoppedError
    return None


def _what(config: dict[str, Any]) -> dict[str, Any]:
    """A config without where it is run, in plain JSON types."""
    return json.loads(json.dumps({k: v for k, v in config.items() if k not in ("run", "device")}))


def _checkpoint(run: Run, step: int) -> Path:
    return RunFolder(run.config.run).checkpoints_path / f"step-{step:08d}"


def _measure(run: Run, plan: Plan, measures: Measures, failure: str | None) -> Result:
    """Look at every checkpoint of a run."""
    steps, truth = run.config.steps, measures.truth
    log = _read_log(run.config.run / "log.csv")
    points: list[Point] = []
    drawn, kernel, previous = truth.images[:0], None, 0
    for step in range(steps // POINTS, steps + 1, steps // POINTS):
        folder = _checkpoint(run, step)
        if failure and not folder.exists():
            break
        pipeline = AvatarPipeline.from_pretrained(folder, device=run.config.device)
        count = plan.drawn_at_end if step == steps else plan.drawn
        drawn = draw(pipeline, truth, count)
        per_image = {"loss": validation_loss(pipeline, truth, count), **measures.per_image(drawn)}
        since = [row for row in log if previous < row["step"] <= step]
        train_loss = float(np.mean([row["loss"] for row in since])) if since else float("nan")
        points.append(Point(step, pipeline.training["seconds"], train_loss, per_image))
        previous = step
    if points and points[-1].step == steps:
        kernel = measures.compare(drawn)
    with torch.device("meta"):
        parameters = AvatarNetwork(run.config.model).num_parameters()
    today = datetime.date.today().isoformat()
    return Result(settings(run, plan), parameters, points, kernel, failure, today, drawn)


def _read_log(path: Path) -> list[dict[str, float]]:
    if not path.exists():  # of a run that diverged at once
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: float(row[k]) for k in ("step", "loss")} for row in csv.DictReader(file)]


def _line(result: Result) -> str:
    if not result.finished:
        return f"stopped early: {result.failure}"
    last = result.last
    return (
        f"loss {last.mean('loss'):.4f}, PSNR {last.mean('psnr'):.2f} dB, hair colour "
        f"{last.mean('hair'):.0%}, face colour {last.mean('face'):.0%}, {last.seconds:.0f} s"
    )
