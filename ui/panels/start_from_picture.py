"""Start from a picture: dropped on the page, pasted, or chosen in the panel."""

from __future__ import annotations

from html import escape

import gradio as gr

from avatar_model import ATTRIBUTES, AvatarPipeline
from avatar_model.read_picture import SURE
from ui.files.found_recipe import Found
from ui.files.picture_file import MAX_FILE
from ui.html.elements import html

ACCEPTED = "image/png,image/webp,image/svg+xml,.svgz,image/jpeg,image/gif"


def make_picture_reader() -> gr.HTML:
    """What has a picture read, and is selected with what was found in it (``Found.to_json``).

    Not in a tab, which Gradio makes when it is opened: pictures may be dropped before that.
    """
    status = f'<p role="status" data-largest="{MAX_FILE}"></p>'
    return html(status, "read-picture", script="panels/start_from_picture.js")


def make_start_from() -> gr.HTML:
    """Lay the panel out: where a picture is chosen, and what was seen in it."""
    html(
        '<p id="about-pictures">Drop a picture here or anywhere on the page, or paste it. A file '
        "saved here brings back its avatar; of any other avatar in the style of Cartoon Set the "
        'looks are read. The picture is not kept.</p><label for="picture-file">Picture '
        f"<small>PNG, WebP, SVG, JPEG or GIF, up to {MAX_FILE >> 20} MB</small></label>"
        f'<input type="file" id="picture-file" accept="{ACCEPTED}" '
        'aria-describedby="about-pictures">',
        "start-from",
    )
    return html(elem_id="seen")


def refused_html(sentence: str) -> str:
    """Why there is no avatar from a picture."""
    return f"<p>{escape(sentence[:1].upper() + sentence[1:])}.</p>"


def seen_html(pipeline: AvatarPipeline, found: Found) -> str:
    """What the classifier saw and how sure it was; or that the file brought its recipe."""
    if not found.seen:
        return "<p>This file brought its recipe along: here is the same avatar again.</p>"
    rows = "".join(
        f"<tr><th scope=row>{a.title}</th>"
        f"<td>{escape(pipeline.vocabulary.label(a.name, value))}</td><td>{p:.0%}</td>"
        f"<td>{'' if p >= SURE else 'unsure: left on Any'}</td></tr>"
        for a in ATTRIBUTES
        if a.name in found.seen
        for value, p in [found.seen[a.name]]
    )
    return (
        f"<table><thead><tr><th>Look<th>Seen<th>Confidence<th></thead><tbody>{rows}</tbody></table>"
    )
