"""A data set of simple faces, rendered by a program: a stand-in for Cartoon Set.

The faces have the same files, the same 18 attributes and the same 217 values, and every value looks
different from every other value of its attribute. But they are *not* Cartoon Set pictures and its
values do not look like these: use them to try the program out and to test it. Every label ends in
``(drawn)``, so that a model trained on them cannot be mistaken for the real thing.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from avatar_model.attributes import NAMES, SIZES, Vocabulary
from train.data.errors import DatasetError
from train.data.examples import Examples
from train.data.stand_in_faces.face import BROWS, FACES, GLASSES, render_face
from train.data.stand_in_faces.hair import BEARDS, FRINGES, HAIRCUTS

RENDERING_VERSION = 1
"""Raise it when the faces change, so that packed ones are made again."""

ABOUT = "faces drawn by train/data/stand_in_faces: a stand-in, not Cartoon Set"

LABELS: dict[str, tuple[str, ...]] = {
    "eye_angle": ("outer corner up", "level", "outer corner down"),
    "eye_lashes": ("none", "lashes"),
    "eye_lid": ("open", "lowered"),
    "chin_length": ("short", "medium", "long"),
    "eyebrow_weight": ("light", "heavy"),
    "eyebrow_shape": tuple(BROWS),
    "eyebrow_thickness": ("fine", "medium fine", "medium broad", "broad"),
    "face_shape": tuple(FACES),
    "facial_hair": BEARDS,
    "hair": ("bald", *(f"{cut}, {fringe}" for cut in HAIRCUTS for fringe in FRINGES)),
    "eye_color": ("brown", "blue", "green", "grey", "black"),
    "face_color": tuple(f"tone {i}" for i in range(1, 12)),
    "hair_color": (
        *("blond", "golden", "orange", "red", "honey"),
        *("auburn", "brown", "black", "blue grey", "silver"),
    ),
    "glasses": tuple(GLASSES),
    "glasses_color": ("black", "brown", "red", "blue", "green", "gold", "white"),
    "eye_slant": ("drooping outward", "round", "drooping inward"),
    "eyebrow_width": ("short", "medium", "long"),
    "eye_eyebrow_distance": ("near", "medium", "far"),
}


def stand_in_examples(n: int, seed: int = 0) -> Examples:
    """``n`` faces with independent, uniform attributes; more faces begin with the same ones."""
    if n < 1:
        raise DatasetError("drawn:N needs at least one face")
    values = np.random.default_rng(seed).integers(0, SIZES, size=(n, len(SIZES)))
    ids = [f"cs{i}" for i in range(n)]
    rows = [dict(zip(NAMES, row, strict=True)) for row in values.tolist()]
    return Examples(
        ids=ids,
        files=[f"{id_}.png" for id_ in ids],
        attributes=values.astype(np.uint8),
        vocabulary=Vocabulary.from_options(stand_in_options()),
        pictures=lambda: ((i, partial(render_face, row)) for i, row in enumerate(rows)),
        about=ABOUT,
    )


def stand_in_options() -> dict[str, list[str]]:
    """What the values look like, as in an ``options.json``."""
    return {name: [f"{label} (drawn)" for label in labels] for name, labels in LABELS.items()}
