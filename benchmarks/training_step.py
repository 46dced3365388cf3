"""The trainer's own step on pictures of noise, to be timed: no data set and no file is needed."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from avatar_model import AvatarPipeline, Vocabulary
from avatar_model.attributes import SIZES
from avatar_model.network import AvatarNetwork
from train import presets
from train.data.dataset import PackedSet
from train.loop.config import TrainConfig
from train.loop.low_res import LowRes
from train.loop.trainer import Trainer
from train.memory.estimate import training_loss
from train.memory.trace import make_fake

from .measure import count_macs

TRAINED = {"default": 256, "upscaler": 128, "blog-7-final": 128}
"""What is timed: presets and their batches, of which the first two fill a GPU, not a CPU."""
SHRINK = 4
"""What sides and channels are divided by to rehearse a network."""


class Speed(NamedTuple):
    """How fast training is, in seconds per step: all of it, and of these, waiting for pictures."""

    step: float
    waiting: float


def config_of(preset: str, device: str, batch_size: int, tiny: bool = False) -> TrainConfig:
    """A preset's run on a device, in bfloat16 if that is a GPU.

    Args:
        tiny: a 16th of the picture, a quarter of the channels, and batches of 4.
    """
    config = presets.load(preset)
    if tiny:
        model = config.model
        model = replace(
            model,
            image_size=model.image_size // SHRINK,
            low_res_size=model.low_res_size // SHRINK,
            channels=tuple(c // SHRINK for c in model.channels),
        )
        config, batch_size = replace(config, model=model), 4
    return replace(
        config,
        batch_size=batch_size,
        device=device,
        mixed_precision="bf16" if device.startswith("cuda") else "no",
    )


def make_trainer(config: TrainConfig, folder: Path) -> Trainer:
    """A trainer of ``config`` on so many pictures of noise that no batch has one twice."""
    count = 4 * config.batch_size
    rng = np.random.default_rng(0)

    def noise(side: int) -> np.ndarray:
        return rng.integers(0, 256, (count, side, side, 4), dtype=np.uint8)

    model = config.model
    data = PackedSet(
        images=noise(model.image_size),
        attributes=np.stack([rng.integers(0, SIZES) for _ in range(count)]).astype(np.uint8),
        ids=[str(i) for i in range(count)],
        vocabulary=Vocabulary.numbered(),
        crop=model.crop,
    )
    low_res = None
    if side := model.low_res_size:
        base = AvatarPipeline(AvatarNetwork(presets.load("default").model), data.vocabulary)
        low_res = LowRes(base, noise(side), noise(side))
    return Trainer(replace(config, run=folder), data, low_res=low_res)


def time_steps(config: TrainConfig, steps: int, warm_up: int = 3) -> Speed:
    """Train for some steps after some that are not counted."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(config, Path(folder))
        waited = 0.0
        read = trainer.training_data.batch

        def timed(step: int) -> object:
            nonlocal waited
            started = time.perf_counter()
            batch = read(step)
            waited += time.perf_counter() - started
            return batch

        with mock.patch.object(trainer.training_data, "batch", timed):
            run(trainer, warm_up)
            waited, started = 0.0, time.perf_counter()
            run(trainer, steps)
            return Speed((time.perf_counter() - started) / steps, waited / steps)


def run(trainer: Trainer, steps: int) -> None:
    """Make steps, without what the trainer does around them, and wait for the device."""
    for _ in range(steps):
        trainer._train_step()
    if trainer.device.type == "cuda":
        torch.cuda.synchronize(trainer.device)


def macs_per_image(config: TrainConfig) -> float:
    """Multiply-accumulates of the forward and backward pass of one image, in millions."""
    with torch.device("meta"):
        network = AvatarNetwork(config.model)
    with FakeTensorMode():
        make_fake(network)
        return count_macs(lambda: training_loss(network, config, 1).backward())
