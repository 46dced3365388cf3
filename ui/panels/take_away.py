"""The panel that turns the shown avatar into a file: format, size, style, background, shape."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from avatar_model import AvatarPipeline
from ui.browser_state import BrowserState
from ui.files.picture_file import FORMATS, SHAPES, SIZES, STYLES, FileOptions
from ui.html.elements import html, img
from ui.link import picture_address

DEFAULT = FileOptions()


def make_take_away(pipeline: AvatarPipeline, state: gr.JSON) -> None:
    """Lay the panel out; its link follows every new picture."""
    small = f"{'first ' if len(pipeline.sizes) > 1 else ''}{pipeline.sizes[0]}"
    with gr.Row(elem_classes="fields"):
        options: dict[str, Any] = {
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
    link = html(elem_id="take-away")

    def show(sent: Any, transparent: bool, colour: str, **options: Any) -> str:
        """A preview and the link below it."""
        state = BrowserState.parse(sent)
        if not state.now:
            return ""
        chosen = FileOptions(**options, background=None if transparent else colour)
        settings = {name: value for name, value in vars(chosen).items() if value is not None}
        address = picture_address(state.picked_recipe(pipeline), **settings)
        return (
            f'<figure><div class="paper">{img(address, chosen.size or 0, "What you get")}</div>'
            f'<figcaption><a download href="{escape(address)}&amp;download=1">'
            f"Download {chosen.format.upper()}, {chosen.size} px</a></figcaption></figure>"
        )

    quiet: dict[str, Any] = {"queue": False, "api_visibility": "private"}
    gr.on(
        [state.change, *(o.change for o in (*options.values(), transparent, colour))],
        show,
        [state, transparent, colour],
        link,
        inputs_kwargs=options,
        show_progress="hidden",
        **quiet,
    )
    options["format"].change(
        lambda format: gr.update(visible=format != "svg"),  # outlines have no pixels
        options["format"],
        options["style"],
        **quiet,
    )
    transparent.change(
        lambda is_transparent: gr.update(visible=not is_transparent), transparent, colour, **quiet
    )
