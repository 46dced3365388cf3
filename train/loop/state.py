"""All that changes while a run trains: what ``state.pt`` of a checkpoint keeps."""

from __future__ import annotations

from typing import Any

from avatar_model.network import AvatarNetwork
from train.loop.config import TrainConfig
from train.loop.ema import PowerEma
from train.loop.learning_rate import LearningRate
from train.loop.loss_guard import LossGuard
from train.loop.optimizer import make_optimizers


class TrainingState:
    """A run at one moment, at first as at step 0.

    Args:
        network: to be trained, on its device.

    Attributes:
        step: optimizer steps so far.
        seconds: spent in them.
        losses: of the log interval that is not complete yet.
    """

    def __init__(self, config: TrainConfig, network: AvatarNetwork) -> None:
        self.network = network.train()
        self.network.unet.activation_checkpointing = config.activation_checkpointing
        self.ema = PowerEma(network) if config.ema else None
        self.optimizers = make_optimizers(network, config.optimizer, config.learning_rate)
        self.peak_rates = [optimizer.defaults["lr"] for optimizer in self.optimizers]
        self.learning_rate = LearningRate(config)
        self.guard = LossGuard(config.spike_factor, config.max_bad_gradients, config.max_spikes)
        self.step = 0
        self.seconds = 0.0
        self.losses: list[float] = []

    def update(self) -> None:
        """Change the weights by their gradients, and the average by the weights."""
        factor = self.learning_rate.factor(self.step)
        for optimizer, peak in zip(self.optimizers, self.peak_rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * factor
            optimizer.step()
        if self.ema is not None:
            self.ema.update(self.step + 1)

    @property
    def final_network(self) -> AvatarNetwork:
        """What is saved and generates: the averaged weights, or the last ones without an EMA."""
        return self.network if self.ema is None else self.ema.network

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain types alone, to be read with ``weights_only=True``."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "losses": self.losses,
            "network": self.network.state_dict(),
            "ema": None if self.ema is None else self.ema.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "learning_rate": self.learning_rate.state_dict(),
            "guard": self.guard.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of ``state_dict``."""
        self.network.load_state_dict(state["network"])
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.learning_rate.load_state_dict(state["learning_rate"])
        self.guard.load_state_dict(state["guard"])
        self.step, self.seconds, self.losses = state["step"], state["seconds"], state["losses"]
