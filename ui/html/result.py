"""Generated avatars as HTML: the picked one large, the others as thumbnails below it.

Plain radio buttons do the picking, in CSS: no round trip, and the arrow keys work. The picture that
is shown first is a data URI, so that it is there at once; the others are at addresses, where the
scheduler still has them (``ui/routes/pictures.py``): 16 in one answer would be a megabyte.
"""

from __future__ import annotations

from dataclasses import replace
from html import escape

from avatar_model.attributes import NAMES
from ui.files.picture_file import FileOptions
from ui.generation import Avatar, Generation
from ui.html.elements import img
from ui.link import page_address, picture_address, to_query, to_short_query
from ui.looks import describe, in_groups
from ui.recipe import SETTINGS, SHORTHANDS
from ui.translation import _, label_of


def empty_result() -> str:
    """Takes the place of the first picture, so that nothing moves when it arrives."""
    return (
        '<div class="avatars"><figure><div class="paper"></div>'
        f"<figcaption>{escape(_('Drawing…'))}</figcaption></figure>"
        f'<div class="details"><p>{escape(_("Seed"))}</p></div></div>'
    )


def result_html(
    generation: Generation,
    picked: int = 0,
    options: FileOptions | None = None,
    *,
    preview: bool = False,
) -> str:
    """The whole result; ``result.js`` gives life to it.

    Args:
        picked: which avatar is shown large.
        options: how it is taken away, and so how it is shown.
        preview: whether this is nothing to come back to.
    """
    options = options or FileOptions()
    avatars, query = generation.avatars, escape(to_query(generation.recipe))
    several, side = len(avatars) > 1, avatars[0].image.width
    archive = escape(_("All {count} (ZIP, {side} px)", count=len(avatars), side=side))
    archive = f'<a download href="avatars.zip?{query}">{archive}</a>' if several else ""
    parts = "".join(
        (_thumbnail(avatar, i, len(avatars), i == picked) if several else "")
        + _large(avatar, archive, options, inline=i == picked)
        + _details(avatar, generation.seconds)
        for i, avatar in enumerate(avatars)
    )
    home, names = escape(page_address()), " ".join((*NAMES, *SETTINGS, *SHORTHANDS))
    data = f'data-query="{query}" data-names="{names}" data-home="{home}"'
    return f'<div class="avatars" {data}{" data-preview" if preview else ""}>{parts}</div>'


def _thumbnail(avatar: Avatar, index: int, count: int, picked: bool) -> str:
    checked = " checked" if picked else ""
    named = escape(_("Avatar {index} of {count}", index=index + 1, count=count))
    return (
        f'<input type="radio" name="avatar" id="avatar-{index}" value="{index}"{checked}'
        f' aria-label="{named}"><label for="avatar-{index}" class="paper">'
        f"{img(_address(avatar, FileOptions()))}</label>"
    )


def _address(avatar: Avatar, options: FileOptions) -> str:
    """Where the picture is at the size it was drawn, or the next one."""
    return picture_address(avatar.asked, **shown_as(options, avatar.image.width).query())


def shown_as(options: FileOptions, side: int) -> FileOptions:
    """The picture on the page: what will be taken away, as the browser shows it at once."""
    return replace(options, format="png", size=side)


def _large(avatar: Avatar, archive: str, options: FileOptions, inline: bool) -> str:
    address = escape(picture_address(avatar.recipe, **options.query(), download=1))
    shown = shown_as(options, avatar.image.width)
    source = avatar.file(shown) if inline else _address(avatar, options)
    picture = img(
        source, avatar.image.width, f"{_('Avatar')}. {describe(avatar.labels)}", lazy=not inline
    )
    kind = options.format.upper()
    pixels = _("{size} pixels", size=options.size)
    buttons = "".join(
        f'<button type="button" {action} title="{escape(title)}">{escape(label)}</button>'
        for action, label, title in (
            ("data-copy=picture", _("Copy picture"), _("To paste it elsewhere")),
            ("data-copy=link", _("Copy link"), _("A link that draws this again")),
            ("data-copy=save", _("Save"), _("Keep it in the collection")),
        )
    )
    return (
        f'<figure data-recipe="{escape(to_query(avatar.recipe))}"'
        f' data-short="{escape(to_short_query(avatar.asked))}">'
        f'<div class="paper">{picture}</div><figcaption>'
        f'<a download href="{address}" title="{escape(pixels)}">'
        f"{escape(_('Download {kind}', kind=kind))}</a>{archive}{buttons}</figcaption></figure>"
    )


def _details(avatar: Avatar, seconds: float | None) -> str:
    """The seed, the time, and what "Any" became."""
    items = "".join(
        f"<div><dt>{escape(_(a.title))}</dt> <dd><button type=button data-keep={a.name} "
        f'title="{escape(_("Keep"))}" aria-label="'
        f'{escape(_("Keep {look}: {value}", look=_(a.title), value=value))}">'
        f"{escape(value)}</button></dd></div>"
        for members in in_groups().values()
        for a in members
        if a.name in avatar.sampled
        for value in [label_of(a.name, avatar.labels[a.name])]
    )
    if items:
        keep = f'<button type="button" data-keep="all">{escape(_("Keep all"))}</button>'
        items = f"<h3>{escape(_('Chosen at random'))} {keep}</h3><dl>{items}</dl>"
    took = (
        _("drawn before")
        if seconds is None
        else _("drawn in {seconds} s", seconds=f"{seconds:.2f}")
    )
    seed = _("Seed {seed}", seed=avatar.recipe.seed)
    return f'<div class="details"><p>{escape(seed)} · {escape(took)}</p>{items}</div>'
