"""``Examples``: what every source of avatars gives, checked labels and pictures to be decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from avatar_model.attributes import Vocabulary
from train.data.rejects import Reject

Picture = Callable[[], Image.Image]
"""Decodes one picture when called, in any thread; raises one of ``BAD_PICTURE``."""

BAD_PICTURE = (OSError, ValueError)
"""What reading, opening (``PictureError``) and loading an unsuitable picture raise."""


@dataclass(frozen=True)
class Examples:
    """Checked labels, and pictures still to be decoded.

    Attributes:
        ids: [N], ``cs123``; unique, in numeric order.
        files: [N], the picture of each example as messages name it.
        attributes: uint8 [N, 18], in ``ATTRIBUTES`` order.
        vocabulary: the labels; its counts are not those of the data.
        pictures: called once, yields (row, picture) for every row, in the order of the source.
        about: what this data set is, in a sentence.
        rejects: the pairs that were left out.
    """

    ids: list[str]
    files: list[str]
    attributes: np.ndarray
    vocabulary: Vocabulary
    pictures: Callable[[], Iterator[tuple[int, Picture]]]
    about: str
    rejects: list[Reject] = field(default_factory=list)
