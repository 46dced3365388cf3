"""Makes the runs and measures them, one after the other; started again, it goes on.

work/
    plan.json           what was asked for, and the budget that came of it
    reference.json      what the numbers are to be seen against
    runs/NAME/          a run folder of the trainer
    results/NAME.json   what was measured, and NAME.npz, of every image
"""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from avatar_model import AvatarPipeline
from avatar_model.atomic import moved_into_place, write_atomically
from avatar_model.network import AvatarNetwork
from train.data.dataset import PackedSet
from train.evaluation.generate import generate_avatars
from train.findings.compare import Evidence, known_mean
from train.findings.measures import PER_IMAGE, GroundTruth, restoration, validation_loss
from train.findings.plan import BASE, PEOPLE, POINTS, Run, all_runs, budget_unit
from train.loop.checkpoints import STATE_FILE
from train.loop.loss_guard import DivergedError
from train.loop.run_folder import RunError, RunFolder, differences, read_config
from train.loop.trainer import Trainer

MIN_VALIDATION = 32
SHOWN_BY_TRAINER = 16
RATE_SECONDS = 20.0


@dataclass(frozen=True)
class Plan:
    """What a study is, decided once for its folder."""

    data: str  # the name of the data set, without its folder
    rows: int  # how many images it has
    size: str  # of plan.SIZES
    minutes: float | None  # asked for per run; None if the number of images was given
    images: int  # training images of each run
    drawn: int  # avatars that each check generates, but the last
    drawn_at_end: int  # avatars that the last check generates
    machine: str  # where it ran
    command: str  # how to do it again


def load_plan(work: Path, data: str) -> Plan | None:
    """The plan of the folder, if any; RunError if it cannot be read, or is for other ``data``."""
    if not (work / "plan.json").exists():
        return None
    plan = _read(work / "plan.json", Plan)
    refuse_change(f"the study in {work}", {"data": plan.data}, {"data": data})
    return plan


def settle(
    asked: Plan, before: Plan | None, data: PackedSet, work: Path, device: str | None
) -> Plan:
    """The plan ``before`` that the folder has, or ``asked``, completed and written down.

    In ``minutes``, it gets as many images as blog-4 trains in them on this machine, now.

    Raises:
        RunError: the folder has another plan.
        ValueError: a budget of no step, or too few unseen combinations.
    """
    unseen, unit, images = len(data.split("validation")), budget_unit(asked.size), asked.images
    if unseen < MIN_VALIDATION:
        raise ValueError(
            f"the validation split of {asked.data} has {unseen} combinations, too few to tell "
            f"runs apart; at least {MIN_VALIDATION} are needed, 6 % of the data set"
        )
    if asked.minutes is None and images < unit:
        raise ValueError(f"images must be at least {unit} for size {asked.size}: {images}")
    if asked.minutes is not None and before:
        images = before.images
    elif asked.minutes is not None:
        rate = measure_rate(asked, data, device)
        images = max(int(rate * 60 * asked.minutes) // unit, 1) * unit
        print(f"this machine trains {BASE} on {rate:.0f} images/s: {images:,} images in each run")
    images, at_end = images // unit * unit, min(asked.drawn_at_end, unseen)
    plan = replace(asked, images=images, drawn=min(asked.drawn, at_end), drawn_at_end=at_end)
    if before:
        now = replace(plan, machine=before.machine, command=before.command)
        refuse_change(f"the study in {work}", asdict(before), asdict(now))
        return before
    work.mkdir(parents=True, exist_ok=True)
    write_atomically(work / "plan.json", json.dumps(asdict(plan), indent=1) + "\n")
    return plan


def measure_rate(asked: Plan, data: PackedSet, device: str | None) -> float:
    """Training images per second of blog-4 here and now: up to 20 seconds of it."""
    with TemporaryDirectory() as folder:
        config = replace(
            all_runs(asked.size, 10**9, "", Path(folder), device)[BASE].config,
            max_minutes=min((asked.minutes or 1) / 4, RATE_SECONDS / 60),
            num_inference_steps=1,
            checkpoint_minutes=None,
        )
        trainer = Trainer(config, for_trainer(data))
        trainer.train()
    return trainer.state.step * config.batch_size / max(trainer.state.seconds, 1e-3)


def make_runs(
    plan: Plan, runs: dict[str, Run], data: PackedSet, work: Path, names: Iterable[str]
) -> None:
    """Make and measure the runs called ``names`` that have no result yet.

    Raises:
        RunError: a folder holds something else.
        KeyboardInterrupt: Ctrl+C, while it trains too.
    """
    done = load_results(runs, work)
    missing = [name for name in names if name not in done]
    if not missing:
        return
    print("learning from the training images where hair and faces are, and their colours")
    truth, known = GroundTruth(data, plan.drawn_at_end), for_trainer(data)
    write_atomically(work / "reference.json", json.dumps(truth.reference()) + "\n")
    for i, name in enumerate(missing):
        run = runs[name]
        print(f"\nrun {i + 1} of {len(missing)}: {name} ({run.about})")
        failure = _train(run, known)
        started = time.monotonic()
        result = measure(run, plan.drawn, truth, failure)
        save_result(work / "results" / f"{name}.json", result)
        for state in run.config.run.glob(f"checkpoints/*/{STATE_FILE}"):
            state.unlink()  # large, and only there to resume the run, which is finished
        means = ", ".join(f"{key} {known_mean(result[key][-1]):.4g}" for key in PER_IMAGE)
        why = f"stopped early: {failure}" if failure else means
        print(f"{why}; measured in {time.monotonic() - started:.0f} s")


def load_evidence(runs: dict[str, Run], work: Path) -> Evidence:
    """All that was ever measured in the folder; RunError if it is damaged, or of other settings."""
    return Evidence(runs, load_results(runs, work), _read(work / "reference.json"))


def load_results(runs: dict[str, Run], work: Path) -> dict[str, dict[str, Any]]:
    """Those there are, as ``measure`` returned them; RunError as of ``load_evidence``."""
    found = {}
    for name, run in runs.items():
        path = work / "results" / f"{name}.json"
        if path.exists():
            found[name] = _read(path)
            refuse_change(str(path), found[name]["settings"], run.settings)
            found[name] |= np.load(path.with_suffix(".npz"))
    return found


def save_result(path: Path, result: dict[str, Any]) -> None:
    """Write the arrays, then ``path``, a .json file with the rest, which makes the result count."""
    arrays: dict[str, Any] = {k: v for k, v in result.items() if isinstance(v, np.ndarray)}
    rest = {key: value for key, value in result.items() if key not in arrays}
    path.parent.mkdir(parents=True, exist_ok=True)
    with moved_into_place(path.with_suffix(".npz")) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    write_atomically(path, json.dumps(rest) + "\n")


def refuse_change(what: str, before: dict[str, Any], now: dict[str, Any]) -> None:
    """RunError for the first setting of ``before``, which ``what`` was made with, that differs."""
    for name, old, new in differences(before, now):
        raise RunError(
            f"{what} was made with {name.split('.')[-1]} = {old!r}, not {new!r}; choose another "
            "--work folder, or the old value to continue"
        )


def _read(path: Path, kind: Callable[..., Any] = dict) -> Any:
    try:
        return kind(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error}); delete it to measure again") from error


def for_trainer(data: PackedSet) -> PackedSet:
    """The training images, in their order, and a few unseen ones to show at every checkpoint."""
    rows = data.split("train"), data.split("validation")[:SHOWN_BY_TRAINER]
    return data.take(np.concatenate(rows))


def _train(run: Run, data: PackedSet) -> str | None:
    """Train to the end unless that is done; why it failed, if it did."""
    config, folder = run.config, RunFolder(run.config.run)
    if folder.checkpoints():
        before = read_config(config.run) or {}
        before = {name: before[name] for name in run.settings if name in before}
        refuse_change(str(config.run), before | {"run": None, "device": None}, run.settings)
        if folder.newest_step() == config.steps:
            return None
    trainer = Trainer(config, data)
    try:
        trainer.train()
    except DivergedError as error:
        return str(error)
    if trainer.state.step < config.steps:
        raise KeyboardInterrupt  # which the trainer took as a wish to save and stop
    return None


def measure(run: Run, drawn: int, truth: GroundTruth, failure: str | None) -> dict[str, Any]:
    """Look at every checkpoint of a run, at ``drawn`` avatars of each but the last.

    Returns:
        arrays: ``images``, the first ``PEOPLE`` of the last check, uint8 premultiplied RGBA
        [N, H, W, 4]; ``PER_IMAGE``, float32 [POINTS, N], NaN where an avatar was not generated or
        cannot be judged. For JSON: ``settings``, all that
        decided it; ``parameters``, how many the network has; ``points``, the checks, each with
        ``step``, the ``seconds`` spent in training so far, and ``train_loss``, the mean since the
        last check; ``kernel``, KD-shape of the last check, None for too few images; ``failure``,
        why it stopped early, or None; ``date`` of the measurement, YYYY-MM-DD.
    """
    config, people, points = run.config, truth.people, []
    images, every = people.images[:0], config.steps // POINTS
    arrays = {key: np.full((POINTS, len(people)), np.nan, "f4") for key in PER_IMAGE}
    for i in range(POINTS):
        step, count = (i + 1) * every, len(people) if i == POINTS - 1 else drawn
        folder = RunFolder(config.run).checkpoints_path / f"step-{step:08d}"
        if failure and not folder.exists():
            break
        pipeline = AvatarPipeline.from_pretrained(folder, device=config.device)
        # Image i has the same noise in every run; all else is the checkpoint's own.
        images, _ = generate_avatars(pipeline, people.attributes[:count])
        measured = truth.per_image(images) | {
            "loss": validation_loss(pipeline, people, count),
            "restored": restoration(pipeline, people, count),
        }
        for key, values in measured.items():
            arrays[key][i, :count] = values
        log = np.atleast_1d(np.genfromtxt(config.run / "log.csv", delimiter=",", names=True))
        since = (log["step"] > step - every) & (log["step"] <= step)
        train_loss, seconds = log["loss"][since].mean(), pipeline.training["seconds"]
        points.append({"step": step, "seconds": seconds, "train_loss": train_loss})
    with torch.device("meta"):
        parameters = AvatarNetwork(config.model).num_parameters()
    return {
        "settings": run.settings,
        "parameters": parameters,
        "points": points,
        "kernel": truth.kernel_distance(images) if len(points) == POINTS else None,
        "failure": failure,
        "date": datetime.date.today().isoformat(),
        "images": images[:PEOPLE],
        **arrays,
    }
