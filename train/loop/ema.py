"""An average of the weights over the last part of the run: what is saved and used."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from avatar_model.network import AvatarNetwork

GAMMA = 16.97
"""Larger is shorter; this one has a relative width of 0.05 of the run."""


class PowerEma:
    """Power-function EMA (Karras et al., arXiv 2312.02696, section 3.1 and eq. 7).

    The window grows with the run, so it warms up by itself and suits any length: at every moment
    the average reaches back over about the same *share* of the steps so far. A fixed decay such as
    0.9999 would average over the untrained weights of a short run.

    Args:
        source: whose parameters are followed.

    Attributes:
        network: with the averaged weights.
    """

    def __init__(self, source: AvatarNetwork) -> None:
        self.source = list(source.parameters())
        # Not torch's AveragedModel: it sends its counter to the GPU, and waits, in every step.
        self.network = copy.deepcopy(source)
        self.average = [p.detach() for p in self.network.parameters()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after ``step`` steps, counted from 1."""
        decay = (1 - 1 / step) ** (GAMMA + 1)
        torch._foreach_lerp_(self.average, [p.detach() for p in self.source], 1 - decay)

    def state_dict(self) -> list[Tensor]:
        """The averages, in the order of the network's parameters."""
        return self.average

    def load_state_dict(self, state: list[Tensor]) -> None:
        """The inverse of ``state_dict``."""
        for average, value in zip(self.average, state, strict=True):
            average.copy_(value)
