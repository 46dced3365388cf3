"""The board of the 18 looks, and sheets of thumbnails: your avatar with each value of one of them.

Radio buttons, so that arrow keys work and screen readers say what they are. A thumbnail is the
address of a picture (``ui/routes.py``): the browser fetches those in sight as they are drawn.
"""

from __future__ import annotations

from html import escape
from typing import Any

from avatar_model import ANY, ATTRIBUTES, AvatarPipeline, Vocabulary
from avatar_model.attributes import ANY_LABEL, GROUPS, NAMES, attribute

from .recipe import Recipe

GUIDANCE_SCALES = range(10)
"""The blog's."""
FEW = 16
"""Up to so many thumbnails are drawn large, in which brows can be told apart. All 111 hair styles
would take long, and can be without."""
LARGE_THUMBNAIL = (256, "webp")
"""Sharp also where a sheet looks closer; as WebP a third of the bytes of a PNG."""
LOCK = (
    '<svg viewBox="0 0 16 16" aria-hidden="true"><rect x="3" y="7" width="10" height="7" rx="1.5"/>'
    '<path d="M5 7V5a3 3 0 0 1 6 0v2" fill="none" stroke="currentColor" stroke-width="1.6"/></svg>'
)
DICE = (
    '<svg viewBox="0 0 16 16" aria-hidden="true"><path fill-rule="evenodd" d="M4 2h8a2 2 0 0 1 2 '
    "2v8a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2zm1.3 2a1.3 1.3 0 1 0 0 2.6 1.3 1.3 0 0 0 "
    "0-2.6zm5.4 5.4a1.3 1.3 0 1 0 0 2.6 1.3 1.3 0 0 0 0-2.6zM8 6.7a1.3 1.3 0 1 0 0 2.6 1.3 1.3 0 "
    '0 0 0-2.6z"/></svg>'
)


def board_html(vocabulary: Vocabulary, recipe: Recipe, opened: str) -> str:
    """All looks in their groups: which is open, and what each is set to."""
    looks = recipe.named_looks
    groups = []
    for group in GROUPS:
        chips = "".join(
            _chip(a.name, a.title, vocabulary.label(a.name, looks[a.name]), a.name == opened)
            for a in ATTRIBUTES
            if a.group == group
        )
        hint = f"Randomize {group.lower()}"
        groups.append(
            f'<section><h2>{group}</h2><button type="button" class="icon" '
            f'data-randomize="{group}" aria-label="{hint}" title="{hint}">{DICE}</button>'
            f"<div>{chips}</div></section>"
        )
    return (
        f'<div class="board" role="radiogroup" aria-label="Look to choose">{"".join(groups)}</div>'
    )


def _chip(name: str, title: str, label: str, opened: bool) -> str:
    checked = " checked" if opened else ""
    shown = f" <small>{escape(label)}</small>" if label != ANY_LABEL else ""
    short = title.removeprefix("Eyebrow ").removeprefix("Eye ")  # the group says it already
    return (
        f'<span class="chip"><label title="{escape(label)}">'
        f'<input type="radio" name="look" value="{name}"{checked} '
        f'aria-label="{title}: {escape(label)}">'
        f"<span>{short[0].upper()}{short[1:]}{shown}</span></label>"
        f'<button type="button" class="icon lock" data-lock="{name}" '
        f'aria-label="Lock {title.lower()}">{LOCK}</button></span>'
    )


def look_sheet(pipeline: AvatarPipeline, name: str, recipe: Recipe, chosen: int) -> str:
    """The avatar of ``recipe`` with each value of a look.

    Args:
        recipe: complete.
        chosen: what the visitor has set, ``ANY`` if it is open.
    """
    a = attribute(name)
    drawn = recipe.named_looks[name] if chosen == ANY else None
    offered = pipeline.vocabulary.offered(name)
    options = "".join(
        _option(
            name,
            thumbnail_address(pipeline, recipe.with_value(name, value), len(offered)),
            value,
            f"{label}, drawn at random" if value == drawn else label,
            value == chosen,
            mark="drawn" if value == drawn else "",
        )
        for label, value in offered
    )
    checked = " checked" if chosen == ANY else ""
    return (
        f'<fieldset class="sheet of-{a.group.lower().replace(" ", "-")}" data-name="{name}">'
        f"<legend>{a.title}</legend>"
        f'<label title="A surprise"><input type="radio" name="sheet-{name}" value="{ANY}"{checked}>'
        f'<span class="paper any">{ANY_LABEL}</span></label>{options}</fieldset>'
    )


def guidance_sheet(pipeline: AvatarPipeline, recipe: Recipe) -> str:
    """The avatar of ``recipe`` at each of the blog's guidance scales."""
    options = "".join(
        _option(
            "guidance_scale",
            thumbnail_address(pipeline, recipe.with_value("guidance_scale", float(scale))),
            scale,
            f"Guidance scale {scale}",
            scale == recipe.guidance_scale,
            caption=str(scale),
        )
        for scale in GUIDANCE_SCALES
    )
    return (
        '<fieldset class="sheet" data-name="guidance_scale"><legend>The same avatar at guidance '
        f"scales 0 to 9</legend>{options}</fieldset>"
    )


def _option(
    name: str,
    address: str,
    value: int,
    label: str,
    checked: bool,
    *,
    caption: str = "",
    mark: str = "",
) -> str:
    label = escape(label[:1].upper() + label[1:])
    return (
        f'<label title="{label}" class="{mark}">'
        f'<input type="radio" name="sheet-{name}" value="{value}" '
        f'aria-label="{label}"{" checked" if checked else ""}>'
        f'<span class="paper"><img loading="lazy" width="64" height="64" alt="" '
        f'src="{escape(address)}"></span>{caption}</label>'
    )


def locked_looks(locked: Any) -> list[str]:
    """Names of looks, from what a browser sent, which may be anything."""
    return [name for name in NAMES if name in locked] if isinstance(locked, list) else []


def thumbnail_address(pipeline: AvatarPipeline, recipe: Recipe, count: int = 1) -> str:
    """Where a recipe is served as one of ``count`` thumbnails."""
    if len(pipeline.sizes) == 1 or count > FEW:
        return picture_address(recipe, 64)
    return picture_address(recipe, *LARGE_THUMBNAIL)


def picture_address(recipe: Recipe, size: int, format: str = "png") -> str:
    """Where ``ui/routes.py`` serves a recipe, relative to the page."""
    return f"avatar.{format}?{recipe.query()}&size={size}"
