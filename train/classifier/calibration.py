"""How sure the classifier is: temperatures that make it honest, and how honest it is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from avatar_model.attributes import NAMES, OFFSETS, SIZES
from avatar_model.classifier import AvatarClassifier
from avatar_model.classifier_network import allowed_values, log_probabilities
from train.data.dataset import PackedSet

BINS = 10

Reliability = list[tuple[int, float, float]]
"""(readings, mean confidence, accuracy) in each tenth of confidence that occurs."""


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
    head, device = classifier.network.head, classifier.device
    logits = head(torch.from_numpy(classifier(data.images).features).to(device))
    allowed = allowed_values(classifier.vocabulary).to(device)
    columns = torch.from_numpy(data.attributes + np.array(OFFSETS)).to(device)
    # Only values that training had: another's probability is 0 at any temperature.
    known = allowed[columns] & torch.from_numpy(classifier.visible(data.attributes)).to(device)

    def log_likelihood(temperature: float) -> Tensor:
        log_p = log_probabilities(logits / temperature, allowed).gather(1, columns)
        return log_p.masked_fill(~known, 0).sum(dim=0)

    # Not below 0.5: for what is always read right, any further sharpening would suit.
    candidates = np.geomspace(0.5, 4, 61).tolist()
    best = torch.stack([log_likelihood(t) for t in candidates]).argmax(dim=0).tolist()
    temperatures = {name: candidates[i] for name, i in zip(NAMES, best, strict=True)}
    for name, offset, size in zip(NAMES, OFFSETS, SIZES, strict=True):
        head.weight[offset : offset + size] /= temperatures[name]
        head.bias[offset : offset + size] /= temperatures[name]
    return temperatures


def reliability(sure: np.ndarray, right: np.ndarray) -> Reliability:
    """How often readings of each confidence are right.

    Args:
        sure: float [M], in 0..1.
        right: bool [M].
    """
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    parts = (bins == i for i in range(BINS))
    return [(int(p.sum()), float(sure[p].mean()), float(right[p].mean())) for p in parts if p.any()]


def calibration_error(table: Reliability) -> float:
    """ECE (Guo et al., eq. 3): mean distance of confidence from accuracy, weighted by readings."""
    total = sum(count for count, _, _ in table)
    return sum(count * abs(sure - share) for count, sure, share in table) / max(total, 1)
