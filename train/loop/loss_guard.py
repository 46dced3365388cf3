"""Watches for the two ways a run goes wrong: the loss jumps, or gradients are not numbers."""

from __future__ import annotations

import math
import statistics
from collections import deque
from typing import Any

from avatar_model.errors import AvatarError

HISTORY = 20
ENOUGH = 5


class DivergedError(AvatarError):
    """Training cannot go on; the message says what was seen and what to try."""


class LossGuard:
    """Tells a loss spike from noise, and counts gradients that are not finite.

    Args:
        spike_factor: a log interval whose mean loss is more than this many times the median of the
            last 20 intervals is a spike; 0 switches the check off.
        max_bad_gradients: how many steps with non-finite gradients a run may skip.
        max_spikes: how many times a run may go back after a spike.
    """

    def __init__(self, spike_factor: float, max_bad_gradients: int, max_spikes: int) -> None:
        self.spike_factor = spike_factor
        self.max_bad_gradients = max_bad_gradients
        self.max_spikes = max_spikes
        self.losses: deque[float] = deque(maxlen=HISTORY)
        self.bad_gradients = 0
        self.spikes = 0
        self.skipped_in_a_row = 0

    def is_spike(self, loss: float) -> bool:
        """Take in the mean loss of a log interval. A spike does not enter the history."""
        if not math.isfinite(loss):
            return bool(self.spike_factor)
        armed = self.spike_factor and len(self.losses) >= ENOUGH
        if armed and loss > self.spike_factor * statistics.median(self.losses):
            return True
        self.losses.append(loss)
        return False

    def skip_bad_gradient(self, step: int) -> None:
        """Count a step whose gradient is NaN or infinite.

        Raises:
            DivergedError: there were more of them than ``max_bad_gradients``.
        """
        self.bad_gradients += 1
        self.skipped_in_a_row += 1
        if self.bad_gradients > self.max_bad_gradients:
            raise DivergedError(
                f"{self.bad_gradients} gradients were NaN or infinite by step {step}, more than "
                f"max_bad_gradients = {self.max_bad_gradients}; resume with a lower "
                "--learning-rate, or without mixed precision"
            )

    def count_spike(self, step: int, loss: float) -> None:
        """Count a spike after which the run goes back.

        Raises:
            DivergedError: there were more of them than ``max_spikes``.
        """
        self.spikes += 1
        if self.spikes > self.max_spikes:
            raise DivergedError(
                f"the loss jumped {self.spikes} times, at last to {loss:.4g} at step {step}, more "
                f"than max_spikes = {self.max_spikes}; resume with a lower --learning-rate"
            )

    def refuse_wreck(self) -> None:
        """DivergedError if the last steps of a run that ends were skipped: it learns no more."""
        if self.skipped_in_a_row > 1:
            raise DivergedError(
                f"the gradients of the last {self.skipped_in_a_row} steps were NaN or infinite: "
                "nothing is learned any more; resume with a lower --learning-rate"
            )

    def went_back(self, before: LossGuard) -> None:
        """Take over the counts of the guard before the run went back, or they had no limit."""
        self.bad_gradients, self.spikes = before.bad_gradients, before.spikes

    def state_dict(self) -> dict[str, Any]:
        """What changes during a run."""
        return {
            "losses": list(self.losses),
            "bad_gradients": self.bad_gradients,
            "spikes": self.spikes,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of ``state_dict``."""
        self.losses = deque(state["losses"], maxlen=HISTORY)
        self.bad_gradients = state["bad_gradients"]
        self.spikes = state.get("spikes", 0)  # younger than some checkpoints
