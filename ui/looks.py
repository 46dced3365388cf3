"""The 18 looks as the page orders and calls them, and which of them a value hides."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from avatar_model import ANY, ATTRIBUTES, Vocabulary
from avatar_model.attributes import ANY_LABEL, Attribute, attribute
from ui.recipe import Recipe
from ui.translation import _, label_of

GROUPS = ("Hair", "Face", "Eyes", "Eyebrows", "Facial hair", "Glasses")
"""Hair first: nothing makes two avatars look as different."""

DESCRIBED = ("hair", "hair_color", "facial_hair", "glasses", "face_color", "eye_color")

NO_GLASSES = 11
SUNGLASSES = (0, 8, 9, 10)
"""Values of Cartoon Set's ``glasses``. What is hidden was measured: with these, changing a look of
the eyes changes a picture by less than 0.25 of 255 levels (median of 3 avatars), else by 0.3 to 1;
and so does the glasses' color without glasses."""


def in_groups() -> dict[str, list[Attribute]]:
    """The attributes of every group, in the order of the page."""
    return {group: [a for a in ATTRIBUTES if a.group == group] for group in GROUPS}


def label(vocabulary: Vocabulary, name: str, value: int) -> str:
    """What the visitor calls a value."""
    return _(ANY_LABEL) if value == ANY else label_of(name, vocabulary.label(name, value))


def describe(labels: Mapping[str, str]) -> str:
    """What somebody who cannot see an avatar would want to know first.

    Args:
        labels: attribute name to what the vocabulary calls its value.
    """
    return "; ".join(
        f"{_(attribute(name).title)}: {label_of(name, labels[name])}" for name in DESCRIBED
    )


def sampled_looks(vocabulary: Vocabulary, recipe: Recipe) -> dict[str, int]:
    """What the looks of a recipe of one image are, "Any" resolved."""
    return vocabulary.sample(recipe.named_looks, np.random.default_rng(recipe.seed))


def why_hidden(name: str, looks: Mapping[str, int]) -> str:
    """A sentence, if the other looks of a complete avatar leave nothing of this one to be seen."""
    if name == "glasses_color" and looks["glasses"] == NO_GLASSES:
        return _("This avatar wears no glasses: choose some to see their color.")
    if name.startswith("eye_") and "brow" not in name and looks["glasses"] in SUNGLASSES:
        return _("Sunglasses hide the eyes: choose other glasses to see a difference.")
    return ""
