"""Generated avatars as HTML: the picked one large, the others as thumbnails below it.

Plain radio buttons do the picking, in CSS: no round trip, and the arrow keys work. The picture that
is shown first is a data URI, so that it is there at once; the others are at addresses, where the
scheduler still has them (``ui/routes/pictures.py``): 16 in one answer would be a megabyte.
"""

from __future__ import annotations

from html import escape

from avatar_model import ATTRIBUTES
from avatar_model.attributes import GROUPS, NAMES, attribute
from ui.files.picture_file import SIZES, FileOptions
from ui.generation import Avatar, Generation
from ui.html.elements import img
from ui.link import page_address, picture_address, to_query
from ui.recipe import SETTINGS

ALT_NAMES = ("hair", "hair_color", "facial_hair", "glasses", "face_color", "eye_color")
"""What somebody who cannot see the picture would want to know first."""

DOWNLOAD_SIZE = 512
"""Pixels of the quick download; the panel Take away has others."""

EMPTY_RESULT = (
    '<div class="avatars"><figure><div class="paper"></div>'
    '<figcaption>Drawing…</figcaption></figure><div class="details"><p>Seed</p></div></div>'
)
"""Takes the place of the first picture, so that nothing moves when it arrives."""


def result_html(generation: Generation, picked: int = 0) -> str:
    """The whole result; ``result.js`` gives life to it.

    Args:
        picked: which avatar is shown large.
    """
    avatars, query = generation.avatars, escape(to_query(generation.recipe))
    several, side = len(avatars) > 1, avatars[0].image.width
    archive = f"All {len(avatars)} (ZIP, {side} px)"
    archive = f'<a download href="avatars.zip?{query}">{archive}</a>' if several else ""
    parts = "".join(
        (_thumbnail(avatar, i, len(avatars), i == picked) if several else "")
        + _large(avatar, archive, inline=i == picked)
        + _details(avatar, generation.seconds)
        for i, avatar in enumerate(avatars)
    )
    home, names = escape(page_address()), " ".join((*NAMES, *SETTINGS))
    data = f'data-query="{query}" data-names="{names}" data-home="{home}"'
    return f'<div class="avatars" {data}>{parts}</div>'


def _thumbnail(avatar: Avatar, index: int, count: int, picked: bool) -> str:
    checked = " checked" if picked else ""
    thumbnail = img(_address(avatar))
    return (
        f'<input type="radio" name="avatar" id="avatar-{index}" value="{index}"{checked}'
        f' aria-label="Avatar {index + 1} of {count}">'
        f'<label for="avatar-{index}" class="paper">{thumbnail}</label>'
    )


def _address(avatar: Avatar) -> str:
    width = avatar.image.width
    return picture_address(avatar.asked, size=min([s for s in SIZES if s >= width] or SIZES[-1:]))


def _large(avatar: Avatar, archive: str, inline: bool) -> str:
    address = escape(picture_address(avatar.recipe, size=DOWNLOAD_SIZE, download=1))
    alt = "; ".join(f"{attribute(name).title}: {avatar.labels[name]}" for name in ALT_NAMES)
    source = avatar.file(FileOptions(size=None)) if inline else _address(avatar)
    picture = img(source, avatar.image.width, f"Avatar. {alt}", lazy=not inline)
    return (
        f'<figure data-recipe="{escape(to_query(avatar.recipe))}">'
        f'<div class="paper">{picture}</div><figcaption>'
        f'<a download href="{address}" title="{DOWNLOAD_SIZE} pixels">Download PNG</a>{archive}'
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
        if a.name in avatar.sampled
    )
    if items:
        keep = '<button type="button" data-keep="all">Keep all</button>'
        items = f"<h3>Chosen at random {keep}</h3><dl>{items}</dl>"
    took = "drawn before" if seconds is None else f"drawn in {seconds:.2f} s"
    return f'<div class="details"><p>Seed {avatar.recipe.seed} · {took}</p>{items}</div>'
