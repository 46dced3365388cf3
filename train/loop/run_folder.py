"""A run folder on disk: its config, its log and its checkpoints.

    runs/name/
        config.json                 the resolved TrainConfig
        log.csv                     one line per log interval
        checkpoints/step-00001000/  config.json, model.safetensors (the averaged weights, usable
                                    as they are), README.md, samples.png, metrics.json, and
                                    state.pt, which resuming needs besides
        samples/                    what every checkpoint drew, for train/figures/learning_gif.py
        tensorboard/

A checkpoint is written under a temporary name and renamed when it is whole, so whatever
``step-*`` folder exists is complete, even after a kill.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from avatar_model.atomic import TEMPORARY, write_atomically
from avatar_model.errors import AvatarError

DEFINES_RUN = frozenset({"data", "batch_size", "seed", "optimizer", "model", "base"})
"""Fields of TrainConfig that cannot change when a run is resumed."""

METRICS_FILE = "metrics.json"
SCORE = "psnr_db"
"""The metric, higher is better, that decides which checkpoint is the best."""


class RunError(AvatarError):
    """A run folder that cannot be used as asked; the message says why and what to do."""


class RunFolder:
    """Reads and writes one run folder.

    Args:
        path: of the folder, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints_path = path / "checkpoints"
        self.log_path = path / "log.csv"

    def open(self, config: dict[str, Any]) -> None:
        """Make the folder and write the config of this start, after comparing it with the first.

        Raises:
            RunError: the folder cannot be written, or holds a different run.
        """
        config = json.loads(json.dumps(config))
        try:
            self.checkpoints_path.mkdir(parents=True, exist_ok=True)
            for left_over in self.checkpoints_path.glob("*.tmp"):  # of a start that was killed
                shutil.rmtree(left_over)
            for folder in (self.path, self.path / "samples"):
                for left_over in folder.glob(f"{TEMPORARY}*"):
                    left_over.unlink()
            if self.checkpoints():
                self._refuse_other_run(config)
            write_atomically(self.path / "config.json", json.dumps(config, indent=1) + "\n")
        except OSError as error:
            raise RunError(f"cannot write the run folder {self.path}: {error.strerror}") from error

    def checkpoints(self) -> list[Path]:
        """Whole checkpoints, oldest first."""
        return sorted(self.checkpoints_path.glob("step-" + "[0-9]" * 8))

    def newest_step(self) -> int | None:
        """The step of the newest whole checkpoint."""
        newest = self.checkpoints()[-1:]
        return int(newest[0].name.removeprefix("step-")) if newest else None

    def best(self) -> Path | None:
        """The checkpoint with the highest score, if any has one."""
        scored = [(score(path), path) for path in self.checkpoints()]
        return max(((s, p) for s, p in scored if s is not None), default=(None, None))[1]

    def write_checkpoint(self, step: int, write: Callable[[Path], None], keep: int) -> Path:
        """Make the checkpoint of ``step`` with ``write(folder)``.

        Afterwards the newest ``keep`` checkpoints and the best one stay.

        Raises:
            RunError: it could not be written, as on a full disk; older checkpoints are untouched.
        """
        target = self.checkpoints_path / f"step-{step:08d}"
        temporary = target.with_name(f"{target.name}.tmp")
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            write(temporary)
            if target.exists():
                shutil.rmtree(target)
            temporary.rename(target)
        except (OSError, RuntimeError) as error:  # torch.save raises RuntimeError on a full disk
            shutil.rmtree(temporary, ignore_errors=True)
            raise RunError(f"cannot write the checkpoint {target}: {error}") from error
        best = self.best()
        for old in self.checkpoints()[:-keep]:
            if old != best:
                shutil.rmtree(old)
        return target

    def set_aside(self, checkpoint: Path) -> Path:
        """Rename a damaged checkpoint, so that it is not taken for one again; returns the path."""
        aside = checkpoint.with_name(f"damaged-{checkpoint.name}")
        shutil.rmtree(aside, ignore_errors=True)
        return checkpoint.rename(aside)

    def log(self, row: dict[str, Any]) -> None:
        """Append a line to log.csv; the first line names the columns."""
        new = not self.log_path.exists()
        with self.log_path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row.keys())
            if new:
                writer.writeheader()
            writer.writerow(row)

    def cut_log(self, step: int) -> None:
        """Drop the lines after ``step``, which a resumed run is about to write again."""
        if not self.log_path.exists():
            return
        header, *lines = self.log_path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and int(line.split(",")[0]) <= step]
        write_atomically(self.log_path, "".join([header, *kept]))

    def _refuse_other_run(self, config: dict[str, Any]) -> None:
        path = self.path / "config.json"
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RunError(f"{path} cannot be read: {error}") from error
        for name, old, new in differences(before, config):
            if name.split(".")[0] in DEFINES_RUN:
                raise RunError(
                    f"{self.path} holds a run with {name} = {old!r}, not {new!r}; choose another "
                    "--run folder, or the old value to resume"
                )


def score(checkpoint: Path) -> float | None:
    """The score in the checkpoint's metrics.json, if it has one."""
    try:
        return json.loads((checkpoint / METRICS_FILE).read_text(encoding="utf-8")).get(SCORE)
    except (OSError, ValueError):
        return None


def differences(
    before: dict[str, Any], now: dict[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """(dotted name, before, now) of every field that differs."""
    for key, old in before.items():  # a field that is younger than the run has its default
        new = now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from differences(old, new, f"{prefix}{key}.")
        elif old != new:
            yield prefix + key, old, new
