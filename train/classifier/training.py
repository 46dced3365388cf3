"""Training the classifier that reads the 18 attributes from an avatar, and measuring it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import PureWindowsPath

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import binom
from torch import Tensor
from tqdm import tqdm

from avatar_model.attributes import NAMES, OFFSETS, SIZES
from avatar_model.classifier import (
    AttributeClassifier,
    AvatarClassifier,
    Reading,
    allowed_values,
    log_probabilities,
)
from avatar_model.device import choose_device
from avatar_model.images import to_model
from train.data.batches import batch_rows
from train.data.cartoon_set import DatasetError
from train.data.packed import HELD_OUT, PackedSet
from train.loop.optimizer import Muon

BATCH_SIZE = 64
MUON_RATE, ADAM_RATE = 0.05, 0.005
WARMUP = 0.1
WEIGHT_DECAY = 0.3
"""On Muon's weights. Without it the brows are learned by heart. On the eye region alone, 8 epochs,
unseen combinations: 0.911 with none, 0.926 with 0.1, 0.933 with 0.3; dropout 0.3 alone gave 0.907,
mixup on top of decay 0.1 gave 0.904."""

SHIFTED, MAX_SHIFT = 0.1, 2
SOFTENED, MAX_BLUR, MAX_NOISE = 0.5, 0.5, 0.03

MIN_IMAGES = 10
SIGNIFICANCE = 0.01
BINS = 10


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Some pictures shifted by 1 or 2 pixels, some slightly blurred and noisy; never other colours.

    Most stay in place: avatars stand where the data's do, and brows differ by less than a pixel.
    Shifting all by up to 1 pixel took the eye region from 0.926 to 0.877.

    Args:
        x: float32 [N, 4, H, W] in [-1, 1], on the CPU.

    Returns:
        the same shape.
    """
    n, channels, height, width = x.shape

    def some(share: float) -> Tensor:
        """[N, 1, 1, 1]: 0 for most, uniform in 0..1 for this share of the pictures."""
        drawn = torch.rand(n, 1, 1, 1, generator=generator)
        return (1 - drawn / share).clamp(min=0)

    padded = F.pad(x, (MAX_SHIFT,) * 4, value=-1.0)  # -1 is transparent
    offsets = torch.randint(0, 2 * MAX_SHIFT + 1, (n, 2), generator=generator)
    offsets[some(SHIFTED).flatten() == 0] = MAX_SHIFT
    moved = zip(padded, offsets.tolist(), strict=True)
    x = torch.stack([p[:, top : top + height, left : left + width] for p, (top, left) in moved])
    row = torch.tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(row, row).expand(channels, 1, 3, 3)
    blurred = F.conv2d(F.pad(x, (1,) * 4, mode="replicate"), kernel, groups=channels)
    x = torch.lerp(x, blurred, some(SOFTENED) * MAX_BLUR)
    x = x + some(SOFTENED) * MAX_NOISE * torch.randn(x.shape, generator=generator)
    return x.clamp(-1, 1)


def train_network(
    data: PackedSet,
    epochs: float,
    minutes: float | None,
    seed: int,
    device: str | torch.device | None,
) -> AttributeClassifier:
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
    network = AttributeClassifier(data.images.shape[1])
    network.to(device, memory_format=torch.channels_last).train()
    allowed = allowed_values(data.vocabulary).to(device)
    labels = torch.from_numpy(data.attributes.astype(np.int64)) + torch.tensor(OFFSETS)
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
            for group in optimizer.param_groups:
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


def _optimizers(network: AttributeClassifier) -> list[tuple[torch.optim.Optimizer, float, float]]:
    """Muon for hidden weights, Adam for the rest; each with its peak rate and weight decay."""
    hidden, rest = [], []
    for name, p in network.named_parameters():
        inner = p.ndim >= 2 and not name.startswith(("stem", "head"))
        (hidden if inner else rest).append(p)
    return [
        (Muon(hidden, lr=MUON_RATE, momentum=0.9), MUON_RATE, WEIGHT_DECAY),
        (torch.optim.Adam(rest, lr=ADAM_RATE, betas=(0.9, 0.99)), ADAM_RATE, 0.0),
    ]


@torch.no_grad()
def calibrate(classifier: AvatarClassifier, data: PackedSet) -> dict[str, float]:
    """Divide each attribute's logits by the temperature that suits held-out images best.

    Where an attribute is hidden, the classifier does not ask its logits; such images do not count.

    Temperature scaling (Guo et al., arXiv 1706.04599, section 4.2): no reading changes, only how
    sure it is. The last layer absorbs the temperatures, so nothing else has to know of them.

    Args:
        data: validation images.

    Returns:
        the temperatures, by attribute.
    """
    head = classifier.network.head
    features = torch.from_numpy(classifier(data.images).features).to(classifier.device)
    logits = head(features)
    allowed = allowed_values(classifier.vocabulary).to(logits.device)
    labels = torch.from_numpy(data.attributes.astype(np.int64)).to(logits.device)
    # Not below 0.5: for what is always read right, any further sharpening would suit.
    candidates = np.geomspace(0.5, 4, 61).tolist()
    columns = labels + torch.tensor(OFFSETS, device=logits.device)
    # Only values that training had: another's probability is 0 at any temperature.
    known = allowed[columns] & torch.from_numpy(classifier.visible(data.attributes)).to(
        labels.device
    )
    gains = []
    for temperature in candidates:
        log_p = log_probabilities(logits / temperature, allowed).gather(1, columns)
        gains.append(log_p.masked_fill(~known, 0).sum(dim=0))
    best = torch.stack(gains).argmax(dim=0).tolist()
    temperatures = {name: candidates[i] for name, i in zip(NAMES, best, strict=True)}
    for name, offset, size in zip(NAMES, OFFSETS, SIZES, strict=True):
        head.weight[offset : offset + size] /= temperatures[name]
        head.bias[offset : offset + size] /= temperatures[name]
    return temperatures


def find_hidden(truth: np.ndarray, right: np.ndarray) -> dict[str, dict[str, tuple[int, ...]]]:
    """Which values of which attributes cover others; the rule is stated at ``AvatarClassifier``.

    "Chance would not explain it" is a binomial test against the accuracy on all other images, at
    1 % over all tests together (Bonferroni): there are thousands of pairs to be misled by.

    Args:
        truth: integers [N, 18], the attributes of held-out images.
        right: bool [N, 18], whether they are read right.
    """
    cases = []
    for b, other in enumerate(NAMES):
        for value, count in enumerate(np.bincount(truth[:, b], minlength=SIZES[b]).tolist()):
            if min(count, len(truth) - count) >= MIN_IMAGES:
                cases += [(a, name, b, other, value) for a, name in enumerate(NAMES) if a != b]
    hidden: dict[str, dict[str, tuple[int, ...]]] = {}
    for a, name, b, other, value in cases:
        inside = truth[:, b] == value
        hits, count = int(right[inside, a].sum()), int(inside.sum())
        elsewhere = right[~inside, a].mean()
        guessing = np.bincount(truth[:, a]).max() / len(truth)
        if hits / count > (guessing + elsewhere) / 2:
            continue
        if binom.cdf(hits, count, elsewhere) * len(cases) < SIGNIFICANCE:
            values = hidden.setdefault(name, {})
            values[other] = (*values.get(other, ()), value)
    return hidden


def accuracies(right: np.ndarray, visible: np.ndarray) -> dict[str, float]:
    """The share read right where visible, per attribute; over all images if it never is.

    Args:
        right, visible: bool [N, 18].
    """
    shown = np.where(visible.any(axis=0), visible, True)
    means = (right & shown).sum(axis=0) / shown.sum(axis=0)
    return dict(zip(NAMES, means.tolist(), strict=True))


def confidence(reading: Reading) -> np.ndarray:
    """The probability of each value read: float32 [N, 18]."""
    rows = np.arange(len(reading.values))[:, None]
    return reading.probabilities[rows, reading.values + np.array(OFFSETS)]


def reliability(sure: np.ndarray, right: np.ndarray) -> list[tuple[int, float, float]]:
    """(readings, mean confidence, accuracy) in each tenth of confidence that occurs.

    Args:
        sure: float [M], in 0..1.
        right: bool [M].
    """
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    parts = (bins == i for i in range(BINS))
    return [(int(p.sum()), float(sure[p].mean()), float(right[p].mean())) for p in parts if p.any()]


def calibration_error(table: list[tuple[int, float, float]]) -> float:
    """ECE (Guo et al., eq. 3): mean distance of confidence from accuracy, weighted by readings."""
    total = sum(count for count, _, _ in table)
    return sum(count * abs(sure - share) for count, sure, share in table) / max(total, 1)


def train(
    data: PackedSet,
    name: str,
    epochs: float = 18,
    minutes: float | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
) -> tuple[AvatarClassifier, list[tuple[int, float, float]]]:
    """Train, calibrate and measure. Returns the classifier and its reliability on test images.

    Raises:
        DatasetError: too few images to train on, or none held out.
    """
    splits = {split: data.take(data.split(split)) for split in ("train", "validation", "test")}
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
    return measure(classifier, splits)


def measure(
    classifier: AvatarClassifier, splits: Mapping[str, PackedSet]
) -> tuple[AvatarClassifier, list[tuple[int, float, float]]]:
    """Fill in all that held-out images tell of a trained network, its temperatures included.

    Args:
        splits: "train", "validation" and "test".

    Returns:
        the classifier, and its reliability on test images.
    """
    validation = splits["validation"]
    truth = validation.attributes.astype(np.int64)
    classifier.hidden = {}
    classifier.hidden = find_hidden(truth, classifier(validation.images).values == truth)
    temperatures = calibrate(classifier, validation)
    right = classifier(validation.images).values == truth
    classifier.accuracy = accuracies(right, classifier.visible(truth))
    classifier.training |= {
        "held_out": HELD_OUT,
        **{f"{split}_images": len(part) for split, part in splits.items()},
        "temperatures": {name: round(t, 3) for name, t in temperatures.items()},
    }
    table = _test(classifier, splits["test"])
    return classifier, table


def _test(classifier: AvatarClassifier, data: PackedSet) -> list[tuple[int, float, float]]:
    """Measure on images that chose nothing; the numbers join ``classifier.training``."""
    reading, truth = classifier(data.images), data.attributes.astype(np.int64)
    right, visible, sure = reading.values == truth, classifier.visible(truth), confidence(reading)
    if len(data):
        classifier.training["test_accuracy"] = accuracies(right, visible)
    for what, part in (("visible", visible), ("hidden", ~visible)):
        if part.any():
            error = calibration_error(reliability(sure[part], right[part]))
            classifier.training[f"test_calibration_error_{what}"] = error
    return reliability(sure.ravel(), right.ravel())
