"""What a picture says: the recipe that it brought along, or what the classifier sees in it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatar_model import ATTRIBUTES, AvatarPipeline
from avatar_model.classifier import AvatarClassifier
from avatar_model.open_picture import open_picture
from avatar_model.read_picture import is_probably_avatar, read_attributes
from ui.files.picture_file import read_recipe
from ui.link import from_query, to_query
from ui.recipe import SETTINGS, Recipe

CLASSIFIER = Path(__file__).parents[2] / "assets" / "classifier"
MAX_NOTES = len(ATTRIBUTES) + len(SETTINGS)
MAX_NOTE = 300
"""Characters."""


@dataclass(frozen=True)
class Found:
    """What a picture says.

    Attributes:
        recipe: to start from; of a picture that was looked at, the most likely value of every look,
            or "Any" where the model does not have that.
        notes: sentences for the visitor.
        seen: look -> (value, confidence 0..1) if it was looked at; empty if it brought a recipe.
        probable: whether it shows an avatar of this kind at all, as far as that can be told.
    """

    recipe: Recipe
    notes: list[str]
    seen: Mapping[str, tuple[int, float]]
    probable: bool = True

    def to_json(self) -> dict[str, Any]:
        """For programs, and for the browser, which sends it back to be drawn."""
        return {
            "recipe": to_query(self.recipe),
            "notes": self.notes,
            "seen": dict(self.seen) or None,
            "probable": self.probable,
        }

    @classmethod
    def parse(cls, pipeline: AvatarPipeline, data: Mapping[str, Any]) -> Found:
        """What a browser sends back, which may be forged: whatever does not fit is left out."""
        notes, seen = data.get("notes"), data.get("seen")
        given = seen if isinstance(seen, dict) else {}
        readings = {a.name: _reading(given.get(a.name), a.num_values) for a in ATTRIBUTES}
        return cls(
            from_query(pipeline, str(data.get("recipe"))),
            [plain(note) for note in notes[:MAX_NOTES]] if isinstance(notes, list) else [],
            {name: reading for name, reading in readings.items() if reading},
            data.get("probable") is not False,
        )


def _reading(given: Any, num_values: int) -> tuple[int, float] | None:
    match given:
        case [int(value), int() | float() as p] if 0 <= value < num_values and 0 <= p <= 1:
            return value, p
    return None


def plain(text: Any) -> str:
    """A sentence that a browser sends back, no longer than ours are."""
    # Half a character, which JSON can bring along, could not be sent out again.
    return " ".join(str(text)[:MAX_NOTE].encode("utf-8", "replace").decode().split())


def find_recipe(pipeline: AvatarPipeline, content: bytes) -> Found:
    """A recipe from the content of a file.

    Raises:
        ValueError: with one sentence: not a picture, too large, or nothing to see in it.
        CheckpointError: there is no classifier to look at it.
    """
    if (values := read_recipe(content)) is not None:
        recipe, notes = Recipe.parse_leniently(pipeline, values)
        return Found(recipe, notes, {})
    classifier = _classifier()
    seen = read_attributes(open_picture(content), classifier, pipeline.network.config.crop)
    likely = {name: value for name, (value, _) in seen.items()}
    recipe, notes = Recipe.parse_leniently(pipeline, likely)
    return Found(recipe, notes, seen, is_probably_avatar(seen, classifier))


@functools.cache
def _classifier() -> AvatarClassifier:
    # Not on a GPU, which on ZeroGPU is not there for this.
    return AvatarClassifier.from_pretrained(CLASSIFIER, device="cpu")
