"""Training the classifier that reads the 18 attributes from an avatar."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PureWindowsPath

import numpy as np
import torch
from tqdm import tqdm

from avatar_model.attributes import OFFSETS
from avatar_model.classifier import AvatarClassifier
from avatar_model.classifier_network import (
    ClassifierConfig,
    ClassifierNetwork,
    allowed_values,
    log_probabilities,
)
from avatar_model.device import choose_device
from avatar_model.images import to_model
from train.classifier.augmentation import augment
from train.classifier.calibration import Reliability
from train.classifier.measuring import measure
from train.classifier.window import find_window
from train.data.batches import batch_rows
from train.data.dataset import PackedSet
from train.data.errors import DatasetError
from train.data.splits import SPLITS
from train.loop.optimizer import Muon

CHANNELS, BLOCKS = (32, 64, 96, 128), 2
OVERVIEW = 64
BATCH_SIZE = 64
MUON_RATE, ADAM_RATE = 0.05, 0.005
WARMUP = 0.1
WEIGHT_DECAY = 0.3
"""On Muon's weights. Without it the brows are learned by heart (docs/evaluation.md)."""


def train(
    data: PackedSet,
    name: str,
    epochs: float = 18,
    minutes: float | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
) -> tuple[AvatarClassifier, Reliability]:
    """Train, calibrate and measure. Returns the classifier and its reliability on test images.

    Raises:
        DatasetError: too few images to train on, or none held out.
    """
    splits = {split: data.take(data.split(split)) for split in reversed(SPLITS)}
    if len(splits["train"]) < 2 or not len(splits["validation"]):
        raise DatasetError(
            f"{name} is too small: of {len(data)} images, {len(splits['train'])} are trained on "
            f"and {len(splits['validation'])} are left for validation"
        )
    started = time.monotonic()
    network = train_network(data, epochs, minutes, seed, device)
    facts = {
        "data": PureWindowsPath(name).name,
        "epochs": epochs,
        "minutes": round((time.monotonic() - started) / 60, 1),
        "seed": seed,
    }
    classifier = AvatarClassifier(network, data.vocabulary, training=facts, crop=data.crop)
    return classifier, measure(classifier, splits)


def architecture(image_size: int) -> ClassifierConfig:
    """The network for pictures of this side, still without a window; large ones it sees shrunk.

    Raises:
        ValueError: not a multiple of 16, or of ``OVERVIEW`` if at least twice that.
    """
    large = image_size >= 2 * OVERVIEW
    if large and image_size % OVERVIEW:
        raise ValueError(f"image_size must be a multiple of {OVERVIEW}, not {image_size}")
    return ClassifierConfig(image_size, CHANNELS, BLOCKS, overview_size=OVERVIEW if large else None)


def train_network(
    data: PackedSet,
    epochs: float,
    minutes: float | None,
    seed: int,
    device: str | torch.device | None,
) -> ClassifierNetwork:
    """Train on the train split, with all labels.

    A covered attribute, such as the eyes behind sunglasses, has a label that the pixels do not
    show, so the network learns to be unsure there.

    Args:
        epochs: passes over the split.
        minutes: stop after so many, with a learning rate that reaches 0 by then.
    """
    device = choose_device(device)
    rows = data.split("train")
    size = min(BATCH_SIZE, len(rows))
    torch.manual_seed(seed)
    config = architecture(data.images.shape[1])
    if config.overview_size:
        config = replace(config, window=find_window(data, rows, config.reduction))
    network = ClassifierNetwork(config)
    network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    allowed = allowed_values(data.vocabulary).to(device)
    labels = torch.from_numpy(data.attributes + np.array(OFFSETS))
    optimizers = _optimizers(network)
    generator = torch.Generator().manual_seed(seed)
    for step, done in _progress(max(1, round(epochs * len(rows) / size)), minutes):
        batch = rows[batch_rows(step, size, len(rows), seed)]
        x = augment(to_model(data.images[batch]), generator).to(device)
        logits = network(x.contiguous(memory_format=torch.channels_last))
        log_p = log_probabilities(logits, allowed)
        loss = -log_p.gather(1, labels[batch].to(device)).sum(dim=1).mean()
        loss.backward()
        factor = min(done / WARMUP, (1 - done) / (1 - WARMUP))
        for optimizer, peak, decay in optimizers:
            [group] = optimizer.param_groups
            group["lr"] = peak * factor
            with torch.no_grad():
                torch._foreach_mul_(group["params"], 1 - peak * factor * decay)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return network.eval()


def _progress(steps: int, minutes: float | None) -> Iterator[tuple[int, float]]:
    """(step, share of the run that is done, in 0..1) until the steps or the minutes are used up."""
    started = time.monotonic()
    for step in tqdm(range(steps), "training", unit="step", dynamic_ncols=True):
        spent = (time.monotonic() - started) / (60 * minutes) if minutes else 0.0
        if spent >= 1:
            return
        yield step, max((step + 0.5) / steps, spent)


def _optimizers(network: ClassifierNetwork) -> list[tuple[torch.optim.Optimizer, float, float]]:
    """Muon for hidden weights, Adam for the rest; each with its peak rate and weight decay."""
    hidden: list[torch.nn.Parameter] = []
    rest: list[torch.nn.Parameter] = []
    for name, p in network.named_parameters():
        inner = p.ndim >= 2 and "stem" not in name and "head" not in name
        (hidden if inner else rest).append(p)
    return [
        (Muon(hidden, lr=MUON_RATE, momentum=0.9), MUON_RATE, WEIGHT_DECAY),
        (torch.optim.Adam(rest, lr=ADAM_RATE, betas=(0.9, 0.99)), ADAM_RATE, 0.0),
    ]
