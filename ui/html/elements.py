"""What several parts of the page are made of: HTML with a script of ours, and pictures."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

UI = Path(__file__).parents[1]
LICENCE = '<a href="https://creativecommons.org/licenses/by/4.0/" rel="license">CC BY 4.0</a>'
"""Of Cartoon Set."""


def html(
    value: Any = None, elem_id: str | None = None, *, script: str = "", shows: str = "value"
) -> gr.HTML:
    """HTML without Gradio's own looks.

    Args:
        value: a function of no arguments is called for every language of the page, in it.
        script: file in ``ui/`` that gives life to it.
        shows: the property whose HTML is shown, if ``value`` is something else.
    """
    options: dict[str, Any] = {} if shows == "value" else {shows: ""}
    if script:
        options["js_on_load"] = (UI / script).read_text(encoding="utf-8")
    component = gr.HTML(
        value() if callable(value) else value,
        elem_id=elem_id,
        apply_default_css=False,
        html_template=f"${{{shows}}}",
        **options,
    )
    if callable(value):
        component.written_by = value  # type: ignore[attr-defined]
    return component


def img(source: str | bytes, side: int = 64, alt: str = "", *, lazy: bool = False) -> str:
    """A square picture.

    Args:
        source: its address, or the content of a PNG file: the server need not keep that.
        lazy: whether the browser fetches it when it comes in sight.
    """
    if isinstance(source, bytes):
        source = f"data:image/png;base64,{base64.b64encode(source).decode()}"
    return (
        f'<img{" loading=lazy" if lazy else ""} width="{side}" height="{side}" '
        f'alt="{escape(alt)}" src="{escape(source)}">'
    )
