"""The path of a morph: what Tau is asked for on the way from one avatar to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .attributes import (
    ATTRIBUTES,
    GROUPS,
    NAMES,
    SIZES,
    Vocabulary,
    VocabularyError,
    one_hot,
    to_row,
)

OVERLAP = 0.5
"""The share of a group's time in which the next group already changes."""


def morph_path(start: Mapping[str, int], end: Mapping[str, int], num_frames: int) -> np.ndarray:
    """Colours glide from start to end all the way; the shapes change group after group.

    Every attribute's slice of the one-hot vector is interpolated linearly. Tau's canvas is linear
    in that vector, and so are its tokens with the usual two projections: this is interpolation in
    Tau's embedding, with a clock of its own for every attribute. Groups without a difference take
    no time, the others follow one another in the order of ``GROUPS``, face first.

    It is no cross-fade, in which the ghosts of two people would be seen, and not all shapes
    dissolve at once: docs/model.md has what other paths look like, in numbers.

    Args:
        start, end: all 18 attributes, name -> value, none of them ``ANY``.
        num_frames: N, at least 2.

    Returns:
        float32 [N, 217], rows for ``AvatarNetwork.prepare``; the first and the last are the one-hot
        vectors of ``start`` and ``end``.
    """
    first, last = one_hot(np.stack([to_row(start), to_row(end)]))
    time = np.linspace(0, 1, num_frames, dtype=np.float32)
    weights = np.repeat(time[:, None], len(ATTRIBUTES), axis=1)  # [N, 18]
    groups = _changing_shapes(start, end)
    span = 1 / (1 + (len(groups) - 1) * (1 - OVERLAP)) if groups else 1.0
    for i, names in enumerate(groups):
        begin = i * (1 - OVERLAP) * span
        progress = ((time - begin) / span).clip(0, 1)
        weights[:, [NAMES.index(name) for name in names]] = progress[:, None]
    weights[-1] = 1  # whatever rounding said
    weights = np.repeat(weights, SIZES, axis=1)  # [N, 217]
    rows: np.ndarray = (1 - weights) * first + weights * last
    return rows


def complete(name: str, attributes: Any, vocabulary: Vocabulary, seed: int) -> dict[str, int]:
    """One end of a path: all 18 attributes, "Any" sampled as the pipeline does it.

    Args:
        name: what errors call it.
        attributes: name -> value, as a caller wrote it.

    Raises:
        VocabularyError: an attribute or value that the vocabulary does not have.
        ValueError: not a mapping.
    """
    if not isinstance(attributes, Mapping):
        raise ValueError(f"{name} must be a mapping from names to values, not {attributes!r:.60}")
    try:
        parsed = vocabulary.parse(attributes)
    except VocabularyError as error:
        raise VocabularyError(f"{name}: {error}") from None
    return vocabulary.sample(parsed, np.random.default_rng(seed))


def _changing_shapes(start: Mapping[str, int], end: Mapping[str, int]) -> list[list[str]]:
    """The attributes that differ and are no colours, by group."""
    changing = [
        a for a in ATTRIBUTES if start[a.name] != end[a.name] and not a.name.endswith("_color")
    ]
    groups = [[a.name for a in changing if a.group == group] for group in GROUPS]
    return [group for group in groups if group]
