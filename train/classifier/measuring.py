"""What held-out images tell of a trained classifier: what hides what, accuracy, calibration."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import binom

from avatar_model.attributes import NAMES, SIZES
from avatar_model.classifier import AvatarClassifier
from train.classifier.calibration import (
    Reliability,
    calibrate,
    calibration_error,
    reliability,
)
from train.data.dataset import PackedSet
from train.data.splits import HELD_OUT

MIN_IMAGES = 10
SIGNIFICANCE = 0.01


def measure(classifier: AvatarClassifier, splits: Mapping[str, PackedSet]) -> Reliability:
    """Give a classifier its temperatures, ``hidden``, ``accuracy`` and the rest of ``training``.

    Args:
        splits: "train", "validation" and "test"; test images choose nothing.

    Returns:
        its reliability on test images.
    """
    validation, test = splits["validation"], splits["test"]
    truth = validation.attributes
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
    reading = classifier(test.images)
    right, visible = reading.values == test.attributes, classifier.visible(test.attributes)
    sure = reading.confidence
    if len(test):
        classifier.training["test_accuracy"] = accuracies(right, visible)
    for what, part in (("visible", visible), ("hidden", ~visible)):
        if part.any():
            error = calibration_error(reliability(sure[part], right[part]))
            classifier.training[f"test_calibration_error_{what}"] = error
    return reliability(sure.ravel(), right.ravel())


def find_hidden(truth: np.ndarray, right: np.ndarray) -> dict[str, dict[str, tuple[int, ...]]]:
    """Which values of which attributes cover others, learned from the pixels.

    ``a`` is hidden under value v of ``b`` when, on at least ``MIN_IMAGES`` with b = v, ``a`` is
    read no better than half way between always guessing its most common value and the accuracy on
    all other images, and chance alone would not explain so low an accuracy.
    "Chance would not explain it" is a binomial test against the accuracy on all other images, at
    1 % over all tests together (Bonferroni): there are thousands of pairs to be misled by.

    Args:
        truth: integers [N, 18], the attributes of held-out images.
        right: bool [N, 18], whether they are read right.
    """
    by_value = ((b, v, truth[:, b] == v) for b, size in enumerate(SIZES) for v in range(size))
    cases = [c for c in by_value if MIN_IMAGES <= c[2].sum() <= len(truth) - MIN_IMAGES]
    tests = len(cases) * (len(NAMES) - 1)
    guessing = np.array([np.bincount(column).max() for column in truth.T]) / len(truth)
    hidden: dict[str, dict[str, tuple[int, ...]]] = {}
    for b, value, inside in cases:
        hits, count = right[inside].sum(axis=0), inside.sum()  # of each attribute
        elsewhere = right[~inside].mean(axis=0)
        low = hits / count <= (guessing + elsewhere) / 2
        by_chance = binom.cdf(hits, count, elsewhere) * tests
        for a in np.flatnonzero(low & (by_chance < SIGNIFICANCE)):
            if a != b:
                values = hidden.setdefault(NAMES[a], {})
                values[NAMES[b]] = (*values.get(NAMES[b], ()), value)
    return hidden


def accuracies(right: np.ndarray, visible: np.ndarray) -> dict[str, float]:
    """The share read right where visible, per attribute; over all images if it never is.

    Args:
        right, visible: bool [N, 18].
    """
    shown = np.where(visible.any(axis=0), visible, True)
    means = (right & shown).sum(axis=0) / shown.sum(axis=0)
    return dict(zip(NAMES, means.tolist(), strict=True))
