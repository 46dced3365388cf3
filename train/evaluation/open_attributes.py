"""When attributes are left open: are the given ones kept, and are the others like the data?

The pipeline samples an open attribute with the frequencies of the training data and tells what it
became. Both halves of that promise are checked on the pixels, with the classifier.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import chisquare

from avatar_model import AvatarPipeline
from avatar_model.attributes import ANY, NAMES, Vocabulary
from avatar_model.classifier import AvatarClassifier
from train.evaluation.generate import generate_avatars
from train.evaluation.intervals import accuracy, mean

OPEN = (1, 3, 9, 18)
_SIMULATIONS = 200
_ALPHA = 0.05


def measure_open_attributes(
    pipeline: AvatarPipeline, classifier: AvatarClassifier, attributes: np.ndarray
) -> dict[str, Any]:
    """Leave attributes of every combination open, at random, and read what became of them.

    Args:
        attributes: integers [N, 18], complete combinations.

    Returns:
        for JSON, ``by_open``: one entry per number of them with ``open``, that number (``OPEN``);
        ``images``; ``given`` and ``drawn``, the share of visible given and open attributes that are
        read as asked or told, with 95 % intervals; and ``distance``, see
        :func:`distance_from_frequencies`.
    """
    rng = np.random.default_rng(0)
    crop, results = pipeline.network.config.crop, []
    for count in OPEN:
        is_open = rng.random(attributes.shape).argsort(axis=1) < count  # [N, 18], k per row
        asked = np.where(is_open, ANY, attributes.astype(np.int64))
        images, told = generate_avatars(pipeline, asked)
        read = classifier(classifier.view(images, crop)).values
        visible = classifier.visible(told)
        results.append(
            {
                "open": count,
                "images": len(images),
                "given": _share(read == asked, visible & ~is_open),
                "drawn": _share(read == told, visible & is_open),
                "distance": distance_from_frequencies(read, visible & is_open, pipeline.vocabulary),
            }
        )
    return {"by_open": results}


def distance_from_frequencies(
    read: np.ndarray, counted: np.ndarray, vocabulary: Vocabulary
) -> dict[str, Any]:
    """How far the read values are from the frequencies of the training data.

    Args:
        read: integers [N, 18].
        counted: bool [N, 18], which of them to look at.

    Returns:
        ``total_variation``: half the summed difference of frequencies, 0..1, mean over the
        attributes; ``floor``: what an exact sample of the same size has on average;
        ``unlike_data``: the attributes that a chi-square test tells from the data (5 %, corrected
        for the number of attributes), only where every value is expected at least once.
    """
    rng = np.random.default_rng(0)
    distances, floors, unlike = [], [], []
    for column, name in enumerate(NAMES):
        values = read[counted[:, column], column]
        if not len(values):
            continue
        seen = np.array(vocabulary.counts[name], dtype=np.float64)
        expected = seen / seen.sum()
        found = np.bincount(values, minlength=len(seen))
        samples = rng.multinomial(len(values), expected, size=_SIMULATIONS) / len(values)
        distances.append(np.abs(found / len(values) - expected).sum() / 2)
        floors.append(np.abs(samples - expected).sum(axis=1).mean() / 2)
        possible = expected > 0
        if (expected[possible] * len(values)).min() >= 1 and possible.sum() > 1:
            inside = found[possible].sum()
            p = chisquare(found[possible], expected[possible] * inside).pvalue if inside else 0.0
            if p < _ALPHA / len(NAMES):
                unlike.append(name)
    return {
        "total_variation": mean(np.array(distances)),
        "floor": mean(np.array(floors)),
        "unlike_data": unlike,
    }


def _share(right: np.ndarray, counted: np.ndarray) -> dict[str, Any] | None:
    """The share of the counted entries that are right; its interval resamples whole images."""
    if not counted.any():
        return None
    per_image = counted.sum(axis=1)
    has = per_image > 0
    parts = (right & counted)[has].sum(axis=1) / per_image[has].mean()
    return {**accuracy(parts), "count": int(counted.sum())}
