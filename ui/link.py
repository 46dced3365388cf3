"""What links and addresses carry: a recipe as a query, and where a recipe's pictures are.

All are relative to the page, except the page's own.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from typing import Any
from urllib.parse import parse_qsl, urlencode

from avatar_model import AvatarPipeline
from avatar_model.checkpoint import fingerprint
from ui.recipe import Recipe
from ui.short_link import encode

MAX_QUERY = 2000
"""Characters of a query that the page has made; longer ones are forged."""
FEW = 16
"""Up to so many thumbnails are large, in which brows can be told apart. All 111 hair styles would
take long, and can be without."""
LARGE_THUMBNAIL: dict[str, Any] = {"size": 256, "format": "webp"}
"""Sharp also where a sheet looks closer; as WebP a third of the bytes of a PNG."""


@functools.lru_cache(8)
def model_identity(pipeline: AvatarPipeline) -> str:
    """A short hash of the model, which an address may name so that its picture can be kept."""
    digest = hashlib.blake2b(digest_size=4)
    for stage in pipeline.stages:
        config = json.dumps(stage.config.to_dict(), sort_keys=True)
        digest.update(f"{config} {fingerprint(stage.network)} ".encode())
    return digest.hexdigest()


def to_query(recipe: Recipe) -> str:
    """``recipe.values()`` as the query of an address, to the last digit."""
    values = recipe.values()
    if recipe.guidance_scale.is_integer():
        values["guidance_scale"] = int(recipe.guidance_scale)  # 1 and not 1.0
    return urlencode(values)


def to_short_query(recipe: Recipe) -> str:
    """The same as a code, which nobody can read; as ``to_query`` where it does not fit into one."""
    code = encode(recipe.values())
    return to_query(recipe) if code is None else f"a={code}"


def from_query(pipeline: AvatarPipeline, query: str) -> Recipe:
    """The recipe of a query that this page has made; what is wrong is at its default."""
    return Recipe.parse_leniently(pipeline, dict(parse_qsl(query[:MAX_QUERY])))[0]


def picture_address(recipe: Recipe, *, format: str = "png", **options: Any) -> str:
    """Where ``ui/routes/pictures.py`` serves a recipe.

    Args:
        options: of the file, such as ``size``; and "download".
    """
    return f"avatar.{format}?{to_query(recipe)}{'&' * bool(options)}{urlencode(options)}"


def thumbnail_address(pipeline: AvatarPipeline, recipe: Recipe, count: int = 1) -> str:
    """Where a recipe is served as one of ``count`` thumbnails."""
    small = len(pipeline.sizes) == 1 or count > FEW
    options = {"size": 64} if small else LARGE_THUMBNAIL
    return picture_address(recipe, **options, model=model_identity(pipeline))


def page_address() -> str:
    """Where the page lives for others; empty if the browser knows it best.

    A Space runs in a frame, whose own address has neither its name nor its likes.
    """
    space = os.environ.get("SPACE_ID", "")
    return f"https://huggingface.co/spaces/{space}" if space else ""
