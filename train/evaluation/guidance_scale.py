"""What the guidance scale does at full size: likeness, colours and attributes at every scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from avatar_model import AvatarPipeline
from avatar_model.attributes import ANY, NAMES, OFFSETS
from avatar_model.classifier import AvatarClassifier
from train.data.dataset import PackedSet
from train.evaluation.attribute_accuracy import parts_in_mean
from train.evaluation.comparison import REGIONS, Comparison, compare
from train.evaluation.generate import generate_batches
from train.evaluation.intervals import mean, mean_interval
from train.evaluation.palette import Palette

WEAKEST = 6
"""So many attributes, those that are read worst at scale 1, are looked at by themselves."""


class _Found(NamedTuple):
    """What avatars show, and per attribute, [N, 18], whether it is read as asked, how probably."""

    comparison: Comparison
    right: np.ndarray = np.empty((0, 18))
    probability: np.ndarray = np.empty((0, 18))


class _Reader:
    """Reads attributes for ``compare``, and keeps how probable each value was."""

    def __init__(self, classifier: AvatarClassifier, crop: int) -> None:
        self.classifier, self.crop = classifier, crop
        self.probabilities: list[np.ndarray] = []

    def __call__(self, images: np.ndarray) -> np.ndarray:
        found = self.classifier(self.classifier.view(images, self.crop))
        self.probabilities.append(found.probabilities)
        return found.values


def measure_guidance(
    pipeline: AvatarPipeline,
    classifier: AvatarClassifier | None,
    truth: PackedSet,
    palette: Palette,
    scales: Sequence[float],
) -> dict[str, Any]:
    """Generate every combination of ``truth`` at every scale, by the model's own method and steps.

    Args:
        truth: images at full size.
        palette: for any size.
        scales: each is compared with scale 1.

    Returns:
        for JSON: ``method``, ``emphasis`` and ``upscaler_emphasis``; ``weakest``, names of
        attributes; and ``by_scale``, one entry per scale, 1 first, with ``scale``,
        ``evaluations`` of each stage, ``psnr``, ``colours`` by name, and with a classifier
        ``accuracy``, ``accuracy_of_weakest`` and ``probability_of_weakest``, of what was asked for
        in the classifier's eyes: each ``{"value": mean, "change": from scale 1, "interval": 95 % of
        the change}``.
    """
    palette = palette.at(truth.images.shape[1])

    def at(scale: float) -> _Found:
        pictures = generate_batches(pipeline, truth.attributes, guidance_scale=scale)
        images = (images for images, _ in pictures)
        if classifier is None:
            return _Found(compare(images, truth, palette, None))
        reader = _Reader(classifier, pipeline.network.config.crop)
        found = compare(images, truth, palette, reader)
        sure = np.concatenate(reader.probabilities)
        asked = truth.attributes.astype(np.int64) + OFFSETS
        return _Found(
            found, found.values == truth.attributes, np.take_along_axis(sure, asked, axis=1)
        )

    as_asked = at(1.0)
    weakest: list[int] = []
    if classifier is not None:
        visible = classifier.visible(truth.attributes)
        shown = [column for column in range(len(NAMES)) if visible[:, column].any()]
        right = as_asked.right
        weakest = sorted(shown, key=lambda c: right[visible[:, c], c].mean())[:WEAKEST]
    rows = []
    for scale in (1.0, *(s for s in scales if s != 1)):
        found = as_asked if scale == 1 else at(scale)
        both = (found.comparison, as_asked.comparison)
        row: dict[str, Any] = {
            "scale": scale,
            "evaluations": pipeline.evaluations(guidance_scale=scale),
            "psnr": _change(*(c.errors.psnr for c in both)),
            "colours": {},
        }
        for region, name in enumerate(REGIONS.values()):
            asked = truth.attributes[:, NAMES.index(name)]
            readable = both[0].true_colours[:, region] != ANY
            if readable.any():
                row["colours"][name] = _change(
                    *((c.colours[:, region] == asked)[readable] for c in both)
                )
        if classifier is not None:
            for key, values, columns in (
                ("accuracy", "right", shown),
                ("accuracy_of_weakest", "right", weakest),
                ("probability_of_weakest", "probability", weakest),
            ):
                pair = (getattr(f, values)[:, columns] for f in (found, as_asked))
                row[key] = _change(*(parts_in_mean(part, visible[:, columns]) for part in pair))
        rows.append(row)
    return {
        "method": pipeline.defaults["guidance_method"],
        "emphasis": dict(pipeline.defaults["emphasis"]),
        "upscaler_emphasis": pipeline.upscaler and dict(pipeline.upscaler.defaults["emphasis"]),
        "weakest": [NAMES[column] for column in weakest],
        "by_scale": rows,
    }


def _change(values: np.ndarray, before: np.ndarray) -> dict[str, Any]:
    """A mean and how it differs from before, image by image."""
    values = values.astype(np.float64)
    change = np.subtract(values, before, out=np.zeros_like(values), where=values != before)
    return {"value": mean(values), "change": mean(change), "interval": list(mean_interval(change))}
