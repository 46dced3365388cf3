"""What other programs show of a link: its title, a description, and the avatar that it draws."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qsl

from avatar_model import AvatarPipeline
from avatar_model.attributes import NAMES
from ui.link import MAX_QUERY, from_query, picture_address, to_short_query
from ui.looks import describe, sampled_looks
from ui.recipe import SETTINGS, SHORTHANDS, Recipe
from ui.translation import _

SIDE = 512
"""Pixels of the picture."""
PAPER = "#bfe9e2"
"""Behind it: what is transparent may be shown on black."""
EXAMPLE = {
    "hair": 57,
    "hair_color": 4,
    "face_color": 5,
    "eye_color": 2,
    "facial_hair": 14,
    "glasses": 7,
    "glasses_color": 0,
    "seed": 3,
}
"""Of a link that asks for nobody in particular; also the page's icon (``ui/server/icon.png``)."""


def link_preview(pipeline: AvatarPipeline, address: str, query: str) -> str:
    """``<meta>`` elements in the visitor's language, by Open Graph (ogp.me) and Twitter.

    There is no canonical link: a browser would share it in place of the avatar that is seen.

    Args:
        address: of the page, absolute, without a slash at its end.
        query: of the link, from anybody: what is no recipe is not repeated.
    """
    address = f"{address}/"
    if any(
        name in (*NAMES, *SETTINGS, *SHORTHANDS) for name, _value in parse_qsl(query[:MAX_QUERY])
    ):
        recipe = from_query(pipeline, query)
        page = f"{address}?{to_short_query(recipe)}"
    else:
        recipe = Recipe.parse_leniently(pipeline, EXAMPLE)[0]
        page = address
    one = recipe.single(0)
    title = _("Avatar maker")
    text = _("Choose looks, and a small diffusion model draws the avatar.")
    content = {
        "description": text,
        "twitter:card": "summary",
        "og:type": "website",
        "og:url": page,
        "og:title": title,
        "og:description": text,
        "og:image": address + picture_address(one, size=SIDE, background=PAPER),
        "og:image:type": "image/png",
        "og:image:width": SIDE,
        "og:image:height": SIDE,
        "og:image:alt": _description(pipeline, one),
    }
    return f"<title>{escape(title)}</title>" + "".join(
        f'<meta {"property" if name.startswith("og:") else "name"}="{name}" '
        f'content="{escape(str(value))}">'
        for name, value in content.items()
    )


def _description(pipeline: AvatarPipeline, recipe: Recipe) -> str:
    """The looks of an avatar, those on "Any" as the pipeline will sample them."""
    looks = sampled_looks(pipeline.vocabulary, recipe)
    return describe({name: pipeline.vocabulary.label(name, v) for name, v in looks.items()})
