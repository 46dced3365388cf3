"""The layout of the page, and which event is wired to which handler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from avatar_model import AvatarPipeline

from .controls import make_controls
from .endpoint import answer_unknown_parameter, make_generate
from .handlers import Handlers
from .result import EMPTY_RESULT
from .theme import theme

TITLE = "Avatar maker"
INTRODUCTION = (
    "Pick the looks you care about, leave the rest on Any, and take a transparent PNG away."
)
CREDIT = (
    "Trained on Cartoon Set, © Google LLC, "
    '<a href="https://creativecommons.org/licenses/by/4.0/" rel="license">CC BY 4.0</a>'
)
LAUNCH_OPTIONS: dict[str, Any] = {
    "theme": theme,
    "css_paths": Path(__file__).parent / "style.css",
    "footer_links": ["api", "settings"],
    "run_history": False,
    "ssr_mode": False,
    "app_kwargs": {"exception_handlers": {TypeError: answer_unknown_parameter}},
    "enable_monitoring": False,
    # Gradio keeps every session's last result in memory, up to 0.4 MB each.
    "state_session_capacity": 500,
}
ONE_AT_A_TIME = {"concurrency_id": "draw", "concurrency_limit": 1}
"""All drawing shares one place: two samplers at once on the same cores only slow each other."""
QUEUE_SIZE = 32
SHOW_PICTURE = """() => document.querySelector("#result figure").scrollIntoView(
    {block: "nearest", behavior: "smooth"})"""
"""For phones, where the picture may be far above the control that was changed last."""
KEEP_FILES_SECONDS = 3600


def build_page(pipeline: AvatarPipeline) -> gr.Blocks:
    """The page, ready for ``launch(**LAUNCH_OPTIONS)``."""
    with gr.Blocks(title=TITLE, delete_cache=(KEEP_FILES_SECONDS, KEEP_FILES_SECONDS)) as page:
        gr.HTML(
            f"<h1>{TITLE}</h1><p>{INTRODUCTION}</p>",
            apply_default_css=False,
            elem_id="introduction",
        )
        with gr.Row(elem_id="studio"):
            with gr.Column(scale=0, min_width=340, elem_id="picture"):
                result = gr.HTML(EMPTY_RESULT, apply_default_css=False, elem_id="result")
                with gr.Row(elem_id="actions"):
                    generate = gr.Button("Generate", variant="primary", min_width=100)
                    randomize = gr.Button("Randomize", min_width=100)
            with gr.Column(elem_id="controls", min_width=300):
                controls = make_controls(pipeline)
        gr.HTML(CREDIT, apply_default_css=False, elem_id="credit")

        # First, so that the name "generate" is this one's.
        gr.api(make_generate(pipeline), api_name="generate", **ONE_AT_A_TIME)
        handlers = Handlers(pipeline, controls, result)
        seed = controls.settings["seed"]
        drawing: dict[str, Any] = {
            "inputs": controls.lock_seed,
            "inputs_kwargs": {**controls.looks, **controls.settings},
            "show_progress": "minimal",
            "show_progress_on": result,
            "api_visibility": "private",
            **ONE_AT_A_TIME,
        }
        page.load(handlers.generate, outputs=[result, seed], **drawing)
        for button, handler, outputs in (
            (generate, handlers.generate, [result, seed]),
            (randomize, handlers.randomize, [result, seed, *controls.looks.values()]),
        ):
            drawn = button.click(handler, outputs=outputs, **drawing)
            drawn.success(None, js=SHOW_PICTURE, api_visibility="private")
        # Somebody who types a seed wants it used. In the browser, so that it is ticked in time.
        seed.input(None, js="() => true", outputs=controls.lock_seed, api_visibility="private")
    return page.queue(max_size=QUEUE_SIZE)
