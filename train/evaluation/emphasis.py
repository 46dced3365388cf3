"""Which attributes a guidance scale above 1 emphasises, and how strongly: found by trying.

The network draws some attributes more weakly than true pictures show them. Asked for more of those,
it draws them as they are; asked for more of the others, such as colours, it draws something else.
Neither is known before it is measured, and every stage is its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from avatar_model import AvatarPipeline
from avatar_model.attributes import ATTRIBUTES, GROUPS, NAMES, OFFSETS
from avatar_model.classifier import AvatarClassifier
from avatar_model.stage import Stage
from train.data.dataset import PackedSet
from train.evaluation.generate import generate_batches
from train.evaluation.intervals import mean_interval

SCALE = 3.0
"""At which it is tried: two thirds of a strength are in effect."""
FIRST_STRENGTH = 0.45
STRENGTHS = (0.15, 0.3, 0.45, 0.6, 0.9)
EQUALLY_GOOD = 0.95
"""Share of the largest gain. Of strengths that gain about as much the weakest alters least."""

_COLOURS = [name for name in NAMES if name.endswith("_color")]
PARTS = {
    **{g: [a.name for a in ATTRIBUTES if a.group == g and a.name not in _COLOURS] for g in GROUPS},
    **{name: [name] for name in _COLOURS},
}
"""What is tried together: shapes of one group, as thicker brows look nearer to the eyes; and each
colour."""


def measure_emphasis(
    pipeline: AvatarPipeline, stage: Stage, classifier: AvatarClassifier, data: PackedSet
) -> dict[str, Any]:
    """Find the emphasis of one stage by what is seen at full size; the other keeps its own.

    Each of ``PARTS`` is emphasised alone, with the ``FIRST_STRENGTH``. Those that are then read
    more surely, and of which the other attributes suffer no harm, are emphasised together: one
    after another, the one that gains most first, and only while all together gain by it. Last, the
    strength: the weakest with which the mean of all attributes is read about as surely as with any,
    the others unharmed.

    Args:
        data: of the validation split, at any size.

    Returns:
        for JSON: ``emphasis``, as in the defaults of a stage, empty if nothing gains by it; and
        what was tried: ``alone``, ``together`` and ``strengths``, one entry each, with ``part`` (in
        ``together`` the one added), ``strength``, and what the probability of what was asked for,
        as the classifier sees it, gains over no emphasis at that scale: in the mean of all
        attributes (``all``), of those emphasised (``own``) and of the others (``others``), each
        with its 95 % ``interval``.
    """
    asked = data.attributes.astype(np.int64) + OFFSETS
    visible = classifier.visible(data.attributes)
    # Each attribute counts the same, however often it can be seen.
    weights = visible / np.maximum(visible.mean(axis=0), 1e-9)
    defaults = stage.defaults

    def sureness(names: list[str], strength: float) -> np.ndarray:
        """Probability of what was asked for, [N, 18], 0 where it cannot be seen."""
        defaults["emphasis"] = dict.fromkeys(names, strength)
        options: dict[str, Any] = {"guidance_method": "condition", "guidance_scale": SCALE}
        found = []
        for images, _ in generate_batches(pipeline, data.attributes, **options):
            view = classifier.view(images, pipeline.network.config.crop)
            found.append(classifier(view).probabilities)
        return np.take_along_axis(np.concatenate(found), asked, axis=1) * weights

    def gain(names: list[str], strength: float) -> dict[str, Any]:
        change = sureness(names, strength) - without
        own = np.isin(NAMES, names)
        groups = {"all": change, "own": change[:, own], "others": change[:, ~own]}
        means = {key: _mean(part.mean(axis=1)) for key, part in groups.items() if part.size}
        return {"strength": strength, **means}

    before = defaults["emphasis"]
    try:
        without = sureness([], 0)
        alone = [{"part": part, **gain(names, FIRST_STRENGTH)} for part, names in PARTS.items()]
        best, together = 0.0, []
        names: list[str] = []
        for entry in sorted(filter(_better, alone), key=_gain_of_all, reverse=True):
            more = [*names, *PARTS[entry["part"]]]
            found = gain(more, FIRST_STRENGTH) if names else entry
            together.append({**found, "part": entry["part"]})
            if _better(found) and _gain_of_all(found) > best:
                best, names = _gain_of_all(found), more
        strengths = [gain(names, s) for s in STRENGTHS if names]
    finally:
        defaults["emphasis"] = before
    good = [entry for entry in strengths if _better(entry) and entry["all"]["interval"][0] > 0]
    enough = EQUALLY_GOOD * max(map(_gain_of_all, good), default=0.0)
    chosen = next((e["strength"] for e in good if _gain_of_all(e) >= enough), 0.0)
    return {
        "emphasis": dict.fromkeys(names, chosen) if chosen else {},
        "alone": alone,
        "together": together,
        "strengths": strengths,
    }


def _mean(values: np.ndarray) -> dict[str, Any]:
    return {"change": float(values.mean()), "interval": list(mean_interval(values))}


def _better(found: dict[str, Any]) -> bool:
    """Whether what is emphasised is read more surely for certain, and nothing else less so."""
    unharmed = "others" not in found or found["others"]["interval"][1] >= 0
    return bool(found["own"]["interval"][0] > 0 and unharmed)


def _gain_of_all(found: dict[str, Any]) -> float:
    return float(found["all"]["change"])
