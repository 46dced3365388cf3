"""What people see of a run while it trains: the progress bar, log.csv and TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from train.loop.run_folder import RunFolder

TERMINAL = "to the terminal"
_SHOWN = ("loss", "learning_rate", "grad_norm", "bad_gradients", "images_per_second")


class Progress:
    """Tells of a run; in all processes but the main one it does nothing.

    Args:
        folder: of the run.
        steps: in all.
        batch_size: images per step.
        silent: for the other processes.
    """

    def __init__(self, folder: RunFolder, steps: int, batch_size: int, silent: bool) -> None:
        self.folder, self.steps, self.batch_size = folder, steps, batch_size
        self.silent = silent
        self.board: SummaryWriter | None = None
        self._failed: set[str] = set()
        self._logged = (time.monotonic(), 0)

    def start(self, step: int) -> None:
        """Begin at ``step``; what was logged after it is forgotten."""
        self.bar = tqdm(
            total=self.steps, initial=step, unit="step", dynamic_ncols=True, disable=self.silent
        )
        if not self.silent:
            with self._may_fail("TensorBoard's files"):
                path = self.folder.path / "tensorboard"
                self.board = SummaryWriter(path, purge_step=step + 1)
        self.went_back(step)

    def step(self, step: int) -> None:
        """Move the bar to ``step``."""
        with self._may_fail(TERMINAL):
            self.bar.update(step - self.bar.n)

    def interval(self, step: int, row: dict[str, Any]) -> None:
        """Log the interval that ends at ``step``; the rate is added to ``row``."""
        now = time.monotonic()
        rate = (step - self._logged[1]) * self.batch_size / (now - self._logged[0])
        self._logged = (now, step)
        if self.silent:
            return
        with self._may_fail(TERMINAL):
            self.bar.set_postfix({"loss": f"{row['loss']:.4f}", "images/s": f"{rate:.0f}"})
        row = {"step": step, **row, "images_per_second": round(rate, 1)}
        with self._may_fail(str(self.folder.log.path)):
            self.folder.log.append(row)
        for name in _SHOWN:
            self._to_board("add_scalar", f"train/{name}", row[name], step)

    def went_back(self, step: int) -> None:
        """Forget what was logged after ``step``, which is trained again."""
        self._logged = (time.monotonic(), step)
        if not self.silent:
            with self._may_fail(str(self.folder.log.path)):
                self.folder.log.cut(step)

    def say(self, step: int, message: str) -> None:
        """A line above the bar, and an event in TensorBoard."""
        if not self.silent:
            with self._may_fail(TERMINAL):
                self.bar.write(message)
            self._to_board("add_text", "events", message, step)

    def drawing(self, total: int) -> tqdm[NoReturn]:
        """A bar of its own for the ``total`` parts of a checkpoint's pictures."""
        about = "drawing its pictures (a second Ctrl+C skips them)"
        return tqdm(total=total, desc=about, leave=False, disable=self.silent, delay=2)

    def validation(self, step: int, psnr: float) -> None:
        """The score of a checkpoint."""
        self._to_board("add_scalar", "validation/psnr_db", psnr, step)
        self._to_board("flush")

    def picture(self, step: int, rgb: np.ndarray) -> None:
        """Its pairs, uint8 [H, W, 3]."""
        self._to_board("add_image", "validation/pairs", rgb, step, dataformats="HWC")

    def paused(self, seconds: float) -> None:
        """Time that was not spent on training does not count in the rate."""
        self._logged = (self._logged[0] + seconds, self._logged[1])

    def close(self) -> None:
        """At the end of the run."""
        with self._may_fail(TERMINAL):
            self.bar.close()
        self._to_board("close")

    def _to_board(self, method: str, *values: Any, **named: Any) -> None:
        if self.board is not None:
            with self._may_fail("TensorBoard's files"):
                getattr(self.board, method)(*values, **named)

    @contextmanager
    def _may_fail(self, what: str) -> Iterator[None]:
        """A run goes on without what only tells of it; that is said once."""
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            if what not in self._failed:
                self._failed.add(what)
                with suppress(OSError, ValueError):
                    self.bar.write(f"cannot write {what}: {error}; training goes on without it")
