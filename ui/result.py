"""A drawing as HTML: the picked avatar large, the others as thumbnails below it.

Plain radio buttons do the picking, in CSS: no round trip, and the arrow keys work. Pictures are
data URIs, so the server keeps no file; all of them as one file are at an address
(``ui/routes.py``).
"""

from __future__ import annotations

import base64
import os
from html import escape

from avatar_model import ATTRIBUTES
from avatar_model.attributes import GROUPS

from .drawing import THUMBNAIL_SIDE, Avatar, Drawing
from .sheets import picture_address

ALT_NAMES = ("hair", "hair_color", "facial_hair", "glasses", "face_color", "eye_color")
"""What somebody who cannot see the picture would want to know first."""

DOWNLOAD_SIZE = 512
"""Pixels of the quick download; the panel Take away has others."""

EMPTY_RESULT = (
    '<div class="avatars"><figure><div class="paper"></div>'
    '<figcaption>Drawing…</figcaption></figure><div class="details"><p>Seed</p></div></div>'
)
"""Takes the place of the first picture, so that nothing moves when it arrives."""


def result_html(drawing: Drawing, picked: int = 0) -> str:
    """The whole result; ``ui/result.js`` gives life to it.

    Args:
        picked: which avatar is shown large.
    """
    avatars = drawing.avatars
    archive = _archive_link(drawing) if len(avatars) > 1 else ""
    parts = []
    for i, avatar in enumerate(avatars):
        if len(avatars) > 1:
            parts.append(_thumbnail(avatar, i, len(avatars), i == picked))
        parts.append(_large(avatar, archive) + _details(avatar, drawing.seconds))
    query = escape(drawing.recipe.query())
    return (
        f'<div class="avatars" data-query="{query}" data-home="{escape(page_address())}">'
        f"{''.join(parts)}</div>"
    )


def page_address() -> str:
    """Where the page lives for others; empty if the browser knows it best.

    A Space runs in a frame, whose own address has neither its name nor its likes.
    """
    space = os.environ.get("SPACE_ID", "")
    return f"https://huggingface.co/spaces/{space}" if space else ""


def _thumbnail(avatar: Avatar, index: int, count: int, picked: bool) -> str:
    checked = " checked" if picked else ""
    return (
        f'<input type="radio" name="avatar" id="avatar-{index}" value="{index}"{checked}'
        f' aria-label="Avatar {index + 1} of {count}">'
        f'<label for="avatar-{index}" class="paper">{_img(avatar.thumbnail)}</label>'
    )


def _large(avatar: Avatar, archive: str) -> str:
    address = f"{picture_address(avatar.recipe, DOWNLOAD_SIZE)}&download=1"
    return (
        f'<figure data-recipe="{escape(avatar.recipe.query())}"><div class="paper">'
        f"{_img(avatar.png, avatar.image.width, _alt(avatar))}</div><figcaption>"
        f'<a download href="{escape(address)}" title="{DOWNLOAD_SIZE} pixels">Download PNG</a>'
        f"{archive}"
        '<button type="button" data-copy title="A link that draws this again">Copy link</button>'
        '<button type="button" data-save="">Save</button></figcaption></figure>'
    )


def _details(avatar: Avatar, seconds: float | None) -> str:
    """The seed, the time, and what "Any" became."""
    items = "".join(
        f"<div><dt>{escape(a.title)}</dt> <dd><button type=button data-keep={a.name} title=Keep "
        f'aria-label="Keep {escape(a.title.lower())}: {escape(avatar.labels[a.name])}">'
        f"{escape(avatar.labels[a.name])}</button></dd></div>"
        for a in sorted(ATTRIBUTES, key=lambda a: GROUPS.index(a.group))
        if a.name in avatar.drawn
    )
    drawn = (
        '<h3>Chosen at random <button type="button" data-keep="all">Keep all</button></h3>'
        f"<dl>{items}</dl>"
        if items
        else ""
    )
    seed = avatar.recipe.seed
    return f'<div class="details"><p>Seed {seed} · {_took(seconds)}</p>{drawn}</div>'


def _took(seconds: float | None) -> str:
    """The studio remembers what it drew lately."""
    return "drawn before" if seconds is None else f"drawn in {seconds:.2f} s"


def _alt(avatar: Avatar) -> str:
    titles = {a.name: a.title for a in ATTRIBUTES}
    return "Avatar. " + "; ".join(f"{titles[name]}: {avatar.labels[name]}" for name in ALT_NAMES)


def _img(png: bytes, side: int = THUMBNAIL_SIDE, alt: str = "") -> str:
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return f'<img alt="{escape(alt)}" width="{side}" height="{side}" src="{source}">'


def _archive_link(drawing: Drawing) -> str:
    address = escape(f"avatars.zip?{drawing.recipe.query()}")
    count, side = len(drawing.avatars), drawing.avatars[0].image.width
    return f'<a download href="{address}">All {count} (ZIP, {side} px)</a>'
