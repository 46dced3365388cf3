"""A run folder on disk: its config, its log and its checkpoints.

    runs/name/
        config.json                 the resolved TrainConfig, and how it changed
        log.csv                     one line per log interval
        checkpoints/step-00001000/  config.json, model.safetensors (the averaged weights, usable
                                    as they are), README.md, samples.png, metrics.json, and
                                    state.pt, which resuming needs besides
        samples/                    what every checkpoint drew, for train/figures/learning_gif.py
        tensorboard/
        run.lock                    held by the process that trains

A checkpoint is written under a temporary name and renamed when it is whole, so whatever
``step-*`` folder exists is complete, even after a kill; its pictures and its score come later.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from avatar_model.atomic import TEMPORARY, write_atomically
from avatar_model.errors import AvatarError
from avatar_model.training_run import CHECKPOINTS_FOLDER, best_checkpoint, checkpoints
from train.data.packing import check_space
from train.loop.csv_log import CsvLog

CONFIG_FILE = "config.json"
DEFINES_RUN = frozenset({"batch_size", "seed", "optimizer", "model"})
"""Fields of TrainConfig that cannot change when a run is resumed. Data may move: its identity
counts, not its path."""


class RunError(AvatarError):
    """A run folder that cannot be used as asked; the message says why and what to do."""


class RunFolder:
    """Reads and writes one run folder.

    Args:
        path: of the folder, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints_path = path / CHECKPOINTS_FOLDER
        self.config_path = path / CONFIG_FILE
        self.log = CsvLog(path / "log.csv")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Within it, no other process trains in this folder. The system frees a dead one's.

        Raises:
            RunError: another process does, or the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # A singleton, so that within this process it can be held twice.
            lock = FileLock(self.path / "run.lock", timeout=0, is_singleton=True).acquire()
        except Timeout:
            raise RunError(
                f"another process is training in {self.path} now; stop it first, or choose another "
                "--run folder"
            ) from None
        except OSError as error:
            raise RunError(f"cannot write the run folder {self.path}: {error.strerror}") from error
        with lock:
            yield

    def open(self, config: dict[str, Any]) -> list[str]:
        """Write the config of this start, after comparing it with that of the last.

        Args:
            config: plain types; a ``TrainConfig`` and whatever else defines the run.

        Returns:
            what changed since, a sentence each; config.json keeps it as its history.

        Raises:
            RunError: the folder cannot be written, or holds a different run.
        """
        config = json.loads(json.dumps(config))
        history: list[Any] = []
        changed: dict[str, Any] = {}
        try:
            self.checkpoints_path.mkdir(parents=True, exist_ok=True)
            self._clean_up()
            step = self.newest_step()
            if step is not None:
                before = read_config(self.path) or {}
                changed = self._changes(before, config)
                kept = before.get("history")
                history = kept if isinstance(kept, list) else []
            if changed:
                history = [*history, {"step": step, "changed": changed}]
            text = json.dumps({**config, "history": history}, indent=1) + "\n"
            write_atomically(self.config_path, text)
        except OSError as error:
            raise RunError(f"cannot write the run folder {self.path}: {error.strerror}") from error
        return [f"{name}: {old} -> {new}, from step {step}" for name, (old, new) in changed.items()]

    def checkpoints(self) -> list[Path]:
        """Whole checkpoints, oldest first."""
        return checkpoints(self.path)

    def newest_step(self) -> int | None:
        """The step of the newest whole checkpoint."""
        newest = self.checkpoints()[-1:]
        return int(newest[0].name.removeprefix("step-")) if newest else None

    def check_space(self, needed: int) -> None:
        """RunError unless so many bytes are free."""
        try:
            check_space(self.path, needed)
        except OSError as error:
            raise RunError(f"there is no room for a checkpoint in {self.path}: {error}") from error

    def write_checkpoint(self, step: int, write: Callable[[Path], None]) -> Path:
        """Make the checkpoint of ``step`` with ``write(folder)``.

        Raises:
            RunError: it could not be written, as on a full disk; older checkpoints are untouched.
        """
        target = self.checkpoints_path / f"step-{step:08d}"
        temporary = target.with_name(f"{target.name}-{time.time_ns()}.tmp")
        try:
            temporary.mkdir()
            write(temporary)
            before = _renamed(target) if target.exists() else None
            temporary.rename(target)
            if before is not None:
                shutil.rmtree(before, ignore_errors=True)
        except (OSError, RuntimeError) as error:  # torch.save raises RuntimeError on a full disk
            shutil.rmtree(temporary, ignore_errors=True)
            free = ""
            with suppress(OSError):  # the folder itself may be gone
                free = f" ({shutil.disk_usage(self.path).free / 1e6:,.0f} MB are free there)"
            raise RunError(f"cannot write the checkpoint {target}: {error}{free}") from error
        return target

    def drop_old(self, keep: int) -> list[str]:
        """Remove all checkpoints but the newest ``keep`` and the best one.

        Returns:
            a sentence for each that cannot be removed; it is tried again the next time.
        """
        problems, best = [], best_checkpoint(self.path)
        for old in self.checkpoints()[:-keep]:
            if old != best:
                try:
                    # First under another name: what is removed in part is no checkpoint any more.
                    shutil.rmtree(_renamed(old), ignore_errors=True)
                except OSError as error:
                    problems.append(f"cannot remove the old checkpoint {old}: {error}")
        return problems

    def set_aside(self, checkpoint: Path) -> Path:
        """Rename a damaged checkpoint, so that it is not taken for one again; returns the path."""
        aside = checkpoint.with_name(f"damaged-{checkpoint.name}")
        with suppress(OSError):
            shutil.rmtree(aside, ignore_errors=True)
            return checkpoint.rename(aside)
        return checkpoint

    def _clean_up(self) -> None:
        """Remove what was being written when the process was killed, as far as it can be."""
        for left_over in self.checkpoints_path.glob("*.tmp"):
            shutil.rmtree(left_over, ignore_errors=True)
            with suppress(OSError):  # it may be a file
                left_over.unlink()
        for folder in (self.path, self.path / "samples"):
            for left_over in folder.glob(f"{TEMPORARY}*"):
                with suppress(OSError):
                    left_over.unlink()

    def _changes(self, before: dict[str, Any], config: dict[str, Any]) -> dict[str, list[Any]]:
        """Dotted name -> [before, now] of the fields that differ; RunError for another run."""
        changed = {}
        for name, old, new in differences(before, config):
            if name == "data_id":
                raise RunError(
                    f"{self.path} holds a run on other data than {config['data']}; choose another "
                    "--run folder, or the old data to resume"
                )
            if name.split(".")[0] in DEFINES_RUN:
                raise RunError(
                    f"{self.path} holds a run with {name} = {old!r}, not {new!r}; choose another "
                    "--run folder, or the old value to resume"
                )
            if name not in ("run", "history"):
                changed[name] = [old, new]
        return changed


def read_config(run: Path) -> dict[str, Any] | None:
    """What config.json of a run folder says; None if there is none.

    Raises:
        RunError: it cannot be read.
    """
    path = run / CONFIG_FILE
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        config = str(error)
    if not isinstance(config, dict):
        raise RunError(f"{path} cannot be read ({config}); remove it, and give all flags again")
    return config


def _renamed(checkpoint: Path) -> Path:
    """A checkpoint under a name of its own that is none of a checkpoint, and is cleared away."""
    return checkpoint.rename(checkpoint.with_name(f"{checkpoint.name}-{time.time_ns()}.tmp"))


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
