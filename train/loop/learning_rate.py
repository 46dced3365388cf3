"""How fast to learn: a schedule over the steps, and cuts when the loss asks for them."""

from __future__ import annotations

import math
from typing import Any

from train.loop.config import TrainConfig


class LearningRate:
    """The learning rate as a share of its peak.

    ``factor(step)`` is a schedule that depends on the step alone, times a scale that starts at 1
    and is only ever cut: on a plateau (``lr_schedule="plateau"``) and after a loss spike.

    Args:
        config: its ``lr_*``, ``warmup_steps`` and ``steps``.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.scale = 1.0
        self.best_loss = math.inf
        self.checks_since_best = 0

    def factor(self, step: int) -> float:
        """Share of the peak for the step after ``step`` finished ones: warm-up, then schedule."""
        c = self.config
        warmup = min((step + 1) / max(c.warmup_steps, 1), 1.0)
        done = min(step / c.steps, 1.0)
        schedule = {
            "linear": 1 - done,
            "cosine": (1 + math.cos(math.pi * done)) / 2,
            "constant": 1.0,
            "plateau": 1.0,
            "step": c.lr_cut ** (step // c.lr_step_size),
        }[c.lr_schedule]
        return warmup * schedule * self.scale

    def observe(self, loss: float) -> bool:
        """Take in the mean loss of a log interval; True if a plateau has just cut the rate.

        A plateau is ``plateau_patience`` intervals in a row without a new best, where a new best
        is at least 1 % lower than the last.
        """
        if loss < self.best_loss * 0.99:
            self.best_loss, self.checks_since_best = loss, 0
            return False
        self.checks_since_best += 1
        patience = self.config.plateau_patience
        if self.config.lr_schedule != "plateau" or self.checks_since_best < patience:
            return False
        self.checks_since_best = 0
        self.cut()
        return True

    def cut(self) -> None:
        """Multiply the rate by ``lr_cut``, for good."""
        self.scale *= self.config.lr_cut

    def state_dict(self) -> dict[str, Any]:
        """What changes during a run."""
        return {name: value for name, value in vars(self).items() if name != "config"}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of ``state_dict``."""
        vars(self).update(state)
