"""The panel that turns the shown avatar into a file: format, size, style, background, shape."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from avatar_model import AvatarPipeline

from .memory import Memory
from .picture_files import FORMATS, SHAPES, SIZES, STYLES, FileOptions

DEFAULT = FileOptions()


def make_take_away(pipeline: AvatarPipeline, memory: gr.JSON) -> None:
    """Lay the panel out; its link follows every drawing."""
    small = f"{'first ' if len(pipeline.sizes) > 1 else ''}{pipeline.sizes[0]}"
    with gr.Row(elem_classes="fields"):
        options: dict[str, gr.Component] = {
            "format": gr.Radio([(f.upper(), f) for f in FORMATS], value="png", label="Format"),
            "size": gr.Radio([(f"{s} px", s) for s in SIZES], value=DEFAULT.size, label="Size"),
            "style": gr.Radio(
                [(s.capitalize(), s) for s in STYLES],
                value=DEFAULT.style,
                label="Enlarged",
                info=f"Crisp keeps the model's {small} pixels as squares.",
            ),
            "shape": gr.Radio(
                [(s.capitalize(), s) for s in SHAPES], value=DEFAULT.shape, label="Shape"
            ),
        }
        transparent = gr.Checkbox(value=True, label="Transparent background")
        colour = gr.ColorPicker("#ffd166", label="Background", visible=False)
    link = gr.HTML(apply_default_css=False, elem_id="take-away")
    gr.on(
        [memory.change, *(o.change for o in (*options.values(), transparent, colour))],
        _link,
        [memory, transparent, colour],
        link,
        inputs_kwargs=options,
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
    options["format"].change(
        lambda format: gr.update(visible=format != "svg"),  # outlines have no pixels
        options["format"],
        options["style"],
        queue=False,
        api_visibility="private",
    )
    transparent.change(
        lambda is_transparent: gr.update(visible=not is_transparent),
        transparent,
        colour,
        queue=False,
        api_visibility="private",
    )


def _link(memory: Any, transparent: bool, colour: str, **options: Any) -> str:
    """A preview and the link below it."""
    query = Memory.parse(memory).picked_query()
    if not query:
        return ""
    try:
        chosen = FileOptions(**options, background=None if transparent else colour)
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False) from error
    settings = {k: v for k, v in vars(chosen).items() if v is not None and k != "format"}
    address = f"avatar.{chosen.format}?{query}&{urlencode(settings)}"
    kind = f"{chosen.format.upper()}, {chosen.size} px"
    return (
        f'<figure><div class="paper"><img alt="What you get" width="{chosen.size}" '
        f'height="{chosen.size}" src="{escape(address)}"></div><figcaption>'
        f'<a download href="{escape(address)}&amp;download=1">Download {kind}</a></figcaption>'
        "</figure>"
    )
