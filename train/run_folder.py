"""A run folder on disk: its config, its log and its checkpoints.

    runs/name/
        config.json                 the resolved TrainConfig
        log.csv                     one line per log interval
        checkpoints/step-00001000/  config.json, model.safetensors (the EMA weights, usable as they
                                    are), samples.png, state.pt (what resuming needs besides)

A checkpoint is written under a temporary name and renamed when it is whole, so whatever
``step-*`` folder exists is complete, even after a kill.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from avatar_model.checkpoint import write_atomically

MAY_CHANGE = frozenset(
    {
        "run",
        "steps",
        "max_minutes",
        "learning_rate",
        "warmup_steps",
        "grad_clip",
        "checkpoint_minutes",
        "keep_checkpoints",
        "device",
        "terminal_share",
        "condition_dropout",
    }
)
"""Fields of TrainConfig that a resumed run may be given anew; the others define what it is."""


class RunError(Exception):
    """A run folder that cannot be used as asked; the message says why and what to do."""


class RunFolder:
    """Reads and writes one run folder.

    Args:
        path: made if it does not exist.
        config: the resolved config of this start; compared with that of the first start.

    Raises:
        RunError: the folder holds a different run.
    """

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path = path
        self.checkpoints_path = path / "checkpoints"
        try:
            self.checkpoints_path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot make the run folder {path}: {error.strerror}") from error
        for left_over in self.checkpoints_path.glob("*.tmp"):  # of a start that was killed
            shutil.rmtree(left_over)
        config = json.loads(json.dumps(config))
        if self.checkpoints():
            self._refuse_other_run(config)
        write_atomically(path / "config.json", json.dumps(config, indent=1) + "\n")

    def checkpoints(self) -> list[Path]:
        """Whole checkpoints, oldest first."""
        return sorted(
            p for p in self.checkpoints_path.glob("step-*") if p.is_dir() and p.suffix != ".tmp"
        )

    def write_checkpoint(self, step: int, write: Callable[[Path], None], keep: int) -> Path:
        """Make the checkpoint of ``step`` with ``write(folder)``, then drop all but ``keep``."""
        target = self.checkpoints_path / f"step-{step:08d}"
        temporary = target.with_name(f"{target.name}.tmp")
        temporary.mkdir()
        try:
            write(temporary)
            if target.exists():
                shutil.rmtree(target)
            temporary.rename(target)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise RunError(f"cannot write the checkpoint {target}: {error}") from error
        for old in self.checkpoints()[:-keep]:
            shutil.rmtree(old)
        return target

    def log(self, row: dict[str, float]) -> None:
        """Append a line to log.csv; the first line names the columns."""
        path = self.path / "log.csv"
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row.keys())
            if new:
                writer.writeheader()
            writer.writerow(row)

    def _refuse_other_run(self, config: dict[str, Any]) -> None:
        path = self.path / "config.json"
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{path} cannot be read: {error}") from error
        for name, old, new in _differences(before, config):
            if name not in MAY_CHANGE:
                raise RunError(
                    f"{self.path} holds a run with {name} = {old!r}, not {new!r}; choose another "
                    "--run folder, or the old value to resume"
                )


def _differences(
    before: dict[str, Any], now: dict[str, Any], prefix: str = ""
) -> list[tuple[str, Any, Any]]:
    """(dotted name, before, now) of every field that differs."""
    found = []
    for key in {**before, **now}:
        if key not in before:  # a field that is younger than the run
            continue
        old, new = before[key], now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append((prefix + key, old, new))
    return found
