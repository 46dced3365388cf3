"""What people see of a run while it trains: the progress bar, log.csv and TensorBoard."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from train.loop.run_folder import RunFolder

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
        self._logged = (time.monotonic(), 0)

    def start(self, step: int) -> None:
        """Begin at ``step``; what was logged after it is forgotten."""
        self.bar = tqdm(
            total=self.steps, initial=step, unit="step", dynamic_ncols=True, disable=self.silent
        )
        if not self.silent:
            self.board = SummaryWriter(self.folder.path / "tensorboard", purge_step=step + 1)
        self.went_back(step)

    def step(self, step: int) -> None:
        """Move the bar to ``step``."""
        self.bar.update(step - self.bar.n)

    def interval(self, step: int, row: dict[str, Any]) -> None:
        """Log the interval that ends at ``step``; the rate is added to ``row``."""
        now = time.monotonic()
        rate = (step - self._logged[1]) * self.batch_size / (now - self._logged[0])
        self._logged = (now, step)
        if self.silent:
            return
        self.bar.set_postfix({"loss": f"{row['loss']:.4f}", "images/s": f"{rate:.0f}"})
        row = {"step": step, **row, "images_per_second": round(rate, 1)}
        self.folder.log(row)
        for name in _SHOWN:
            self.board.add_scalar(f"train/{name}", row[name], step)

    def went_back(self, step: int) -> None:
        """Forget what was logged after ``step``, which is trained again."""
        self._logged = (time.monotonic(), step)
        if not self.silent:
            self.folder.cut_log(step)

    def say(self, step: int, message: str) -> None:
        """A line above the bar, and an event in TensorBoard."""
        if not self.silent:
            self.bar.write(message)
            self.board.add_text("events", message, step)

    def validation(self, step: int, psnr: float) -> None:
        """The score of a checkpoint."""
        self.board.add_scalar("validation/psnr_db", psnr, step)
        self.board.flush()

    def picture(self, step: int, rgb: np.ndarray) -> None:
        """Its pairs, uint8 [H, W, 3]."""
        self.board.add_image("validation/pairs", rgb, step, dataformats="HWC")

    def paused(self, seconds: float) -> None:
        """Time that was not spent on training does not count in the rate."""
        self._logged = (self._logged[0] + seconds, self._logged[1])

    def close(self) -> None:
        """At the end of the run."""
        self.bar.close()
        if not self.silent:
            self.board.close()
