"""Start from a picture: dropped on the page, pasted, or chosen in the panel."""

from __future__ import annotations

from html import escape

import gradio as gr

from avatar_model import ANY, ATTRIBUTES, AvatarPipeline
from avatar_model.read_picture import SURE
from ui.files.found_recipe import Found
from ui.files.picture_file import MAX_FILE
from ui.html.elements import html
from ui.looks import label
from ui.translation import _

ACCEPTED = "image/png,image/webp,image/svg+xml,.svgz,image/jpeg,image/gif"
NO_AVATAR = (
    "This is probably no avatar in the style of Cartoon Set: what was seen in it is mostly a "
    "guess. Photographs of people, and drawings of another style, are not supported."
)
LARGEST = MAX_FILE >> 20
"""MB."""


def make_picture_reader() -> gr.HTML:
    """What has a picture read, and is selected with what was found in it (``Found.to_json``).

    Not in a tab, which Gradio makes when it is opened: pictures may be dropped before that.
    """
    status = f'<p role="status" data-largest="{MAX_FILE}"></p>'
    return html(status, "read-picture", script="panels/start_from_picture.js")


def make_start_from() -> gr.HTML:
    """Lay the panel out: where a picture is chosen, and what was seen in it."""
    html(_chooser, "start-from")
    return html(elem_id="seen")


def _chooser() -> str:
    about = (
        _("Drop a picture here or anywhere on the page, or paste it. The picture is not kept."),
        _(
            "It has to show an avatar in the style of Cartoon Set. A file saved here brings back "
            "its avatar; of Cartoon Set's own pictures, and of screenshots of such avatars, the "
            "looks are read. Photographs of people are not supported."
        ),
    )
    formats = _("PNG, WebP, SVG, JPEG or GIF, up to {count} MB", count=LARGEST)
    return (
        f'<div id="about-pictures">{"".join(f"<p>{escape(text)}</p>" for text in about)}</div>'
        f'<label for="picture-file">{escape(_("Picture"))} <small>{escape(formats)}</small></label>'
        f'<input type="file" id="picture-file" accept="{ACCEPTED}" '
        'aria-describedby="about-pictures">'
    )


def refused_html(sentence: str) -> str:
    """Why there is no avatar from a picture."""
    return f"<p>{escape(sentence[:1].upper() + sentence[1:])}.</p>"


def seen_html(pipeline: AvatarPipeline, found: Found) -> str:
    """What the classifier saw and how sure it was; or that the file brought its recipe."""
    if not found.seen:
        brought = _("This file brought its recipe along: here is the same avatar again.")
        return f"<p>{escape(brought)}</p>"
    rows = "".join(
        f"<tr><th scope=row>{escape(_(a.title))}</th>"
        f"<td>{escape(label(pipeline.vocabulary, a.name, value))}</td><td>{_percent(p)}</td>"
        f"<td>{escape(remark)}</td></tr>"
        for a in ATTRIBUTES
        if a.name in found.seen
        for value, p in [found.seen[a.name]]
        for remark in [_remark(p, found.recipe.named_looks[a.name])]
    )
    return (
        ("" if found.probable else f'<p class="doubt">{escape(_(NO_AVATAR))}</p>')
        + f"<table><thead><tr><th>{escape(_('Look'))}<th>{escape(_('Seen'))}"
        f"<th>{escape(_('Confidence'))}<th></thead><tbody>{rows}</tbody></table>"
    )


def _percent(confidence: float) -> str:
    """Rounded down: what is called unsure must not stand there with the share that is sure."""
    return f"{int(100 * confidence)}%"


def _remark(confidence: float, taken: int) -> str:
    if taken == ANY:
        return _("not in this model: left on Any")
    return "" if confidence >= SURE else _("unsure")
