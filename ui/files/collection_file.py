"""A collection as a file: what is exported, what a ZIP file has beside its pictures, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from avatar_model import AvatarPipeline
from ui.link import to_query
from ui.recipe import Recipe
from ui.translation import _

MAX_COLLECTION = 24
"""Avatars that a browser keeps, and one ZIP file holds."""
MAX_FILE = 2**15
"""Bytes of a collection; one that is full has about 15 kB."""
VERSION = 1
"""Of that file."""


def collection_file(avatars: Iterable[Mapping[str, Any]]) -> str:
    """What ``read_collection`` reads.

    Args:
        avatars: the values of their recipes, and anything beside them.
    """
    return json.dumps({"version": VERSION, "avatars": [*avatars]}, indent=1)


def read_collection(pipeline: AvatarPipeline, text: str) -> tuple[list[str], str]:
    """What a file that was exported here, or the ``recipes.json`` of a ZIP file, holds.

    Args:
        text: its content; it may be anything.

    Returns:
        queries, each once, of what this model can draw; and a sentence about what is wrong, or "".
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("avatars"), list):
        return [], _("This file is no collection of avatars.")
    if content.get("version") != VERSION:
        return [], _("This collection is not of version {version}.", version=VERSION)
    queries, strange, changed = [], 0, 0
    for avatar in content["avatars"]:
        if isinstance(avatar, dict) and "seed" in avatar:
            recipe, notes = Recipe.parse_leniently(pipeline, {**avatar, "num_images": 1})
            queries.append(to_query(recipe))
            changed += bool(notes)
        else:
            strange += 1
    sentences = [
        _("Entries that are no avatars: {count}.", count=strange) if strange else "",
        _(
            "Avatars that asked for what cannot be drawn, without which they are here: {count}.",
            count=changed,
        )
        if changed
        else "",
    ]
    return list(dict.fromkeys(queries)), " ".join(filter(None, sentences))
