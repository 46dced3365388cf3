"""Is the avatar what was asked for? What an independent classifier reads, and what pixels say.

No classifier is perfect, so each accuracy stands beside its ceiling: what the same classifier reads
in the real images of the same combinations. An attribute that the asked-for combination covers,
such as eyes behind sunglasses, counts neither for nor against.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from avatar_model.attributes import ANY, NAMES
from train.evaluation.intervals import accuracy, mean


def attribute_accuracy(
    asked: np.ndarray, visible: np.ndarray, in_generated: np.ndarray, in_real: np.ndarray
) -> dict[str, Any]:
    """The share of visible attributes that are read as asked, per attribute and in the mean.

    Args:
        asked: integers [N, 18], the attributes the avatars were asked to have.
        visible: bool [N, 18], which of them the pixels can show.
        in_generated: integers [S, N, 18], what the classifier reads in the avatars of S seeds.
        in_real: integers [N, 18], what it reads in the real images with the same attributes.

    Returns:
        for JSON: ``per_attribute`` (accuracy, ceiling, visible images), ``accuracy`` and
        ``ceiling`` (means over attributes), ``share_of_ceiling`` and the 95 % ``interval`` of
        ``accuracy``. An attribute that is nowhere visible has None and is in no mean.
    """
    right = (in_generated == asked).mean(axis=0)  # [N, 18], share of the seeds
    right_in_real = in_real == asked
    somewhere = visible.any(axis=0)
    found = accuracy(parts_in_mean(right[:, somewhere], visible[:, somewhere]))
    ceiling = mean(parts_in_mean(right_in_real[:, somewhere], visible[:, somewhere]))
    return {
        **found,
        "ceiling": ceiling,
        "share_of_ceiling": found["accuracy"] / ceiling if ceiling else None,
        "per_attribute": {
            name: {
                "accuracy": mean(right[shown, column]),
                "ceiling": mean(right_in_real[shown, column]),
                "visible": int(shown.sum()),
            }
            for column, (name, shown) in enumerate(zip(NAMES, visible.T, strict=True))
        },
    }


def parts_in_mean(values: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Each image's part in the mean over attributes, [N], so that images can be resampled.

    Args:
        values: [N, A], of A attributes.
        visible: bool [N, A], where they count; each attribute somewhere.
    """
    parts: np.ndarray = (values * (visible / visible.mean(axis=0))).mean(axis=1)
    return parts


def colour_accuracy(
    asked: np.ndarray, in_generated: np.ndarray, in_real: np.ndarray
) -> dict[str, Any]:
    """The share of avatars whose colour, read from the pixels, is the one asked for.

    Args:
        asked: integers [N], the values of one colour attribute.
        in_generated: integers [S, N], the nearest colour of the palette; ``ANY`` where none is
            visible.
        in_real: integers [N], the same for the real images.
    """
    readable = in_real != ANY
    return {
        **accuracy((in_generated == asked).mean(axis=0)[readable]),
        "ceiling": mean((in_real == asked)[readable]),
        "readable": int(readable.sum()),
    }
