"""The layout of the page, and which event is wired to which handler."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from avatar_model.attributes import NAMES
from ui.browser_state import BrowserState
from ui.controls import make_looks, make_settings
from ui.errors import Page
from ui.event import Handler, Views, for_gradio
from ui.generation import AvatarGenerator
from ui.handlers import Handlers
from ui.html.elements import html
from ui.html.result import EMPTY_RESULT
from ui.inference.scheduler import Scheduler
from ui.panels.film import make_film
from ui.panels.saved import make_saved
from ui.panels.start_from_picture import make_picture_reader, make_start_from
from ui.panels.take_away import make_take_away
from ui.routes.endpoints import add_endpoints

TITLE = "Avatar maker"
INTRODUCTION = (
    "Choose by looking: a small diffusion model draws your avatar with every value of every look. "
    "Leave the rest on Any."
)
CREDIT = (
    "Trained on Cartoon Set, © Google LLC, "
    '<a href="https://creativecommons.org/licenses/by/4.0/" rel="license">CC BY 4.0</a>'
)
SHOW_PICTURE = """() => document.querySelector("#result figure").scrollIntoView({
  block: "nearest",
  behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth",
})"""
"""For phones, where the picture may be far above the control that was changed last."""
TURN = """(state, ...others) =>
  [{ ...state, turn: Math.max(Date.now(), (state.turn || 0) + 1) }, ...others]"""
"""Requests may overtake one another on their way, so the browser says when it made them."""
CHOOSE = f"""({{ name, value }}, state, ...values) => {{
  values[NAMES.indexOf(name)] = value;
  return ({TURN})(state, ...values);
}}"""
"""What is chosen on a sheet goes into its control at once, in the browser."""
SLIDERS = ("guidance_scale", "num_images", "num_inference_steps")


def build_page(scheduler: Scheduler, notice: str = "") -> Page:
    """The page, for ``ui.server.site``.

    Args:
        notice: a sentence that all visitors should know.
    """
    pipeline, generator = scheduler.pipeline, AvatarGenerator(scheduler)
    with Page(title=TITLE) as page:
        html(f"<h1>{TITLE}</h1><p>{INTRODUCTION}</p>", "introduction")
        if notice:
            html(escape(notice), "notice")
        state = gr.JSON(BrowserState().to_json(), visible="hidden")
        # Not in a tab, which Gradio makes when it is opened. A fixed key: a random one would forget
        # everything when the server restarts.
        saved = gr.BrowserState([], storage_key="saved-avatars", secret="not a secret")
        with gr.Row(elem_id="studio"):
            with gr.Column(scale=0, min_width=340, elem_id="picture"):
                result = html(EMPTY_RESULT, "result", script="html/result.js")
                picture_reader = make_picture_reader()
                # Seen while an avatar takes long, says the CSS.
                stop = gr.Button("Stop drawing", size="sm", elem_id="stop")
                with gr.Row(elem_id="actions"):
                    undo = gr.Button("Undo", min_width=50, interactive=False, elem_id="undo")
                    redo = gr.Button("Redo", min_width=50, interactive=False, elem_id="redo")
                    generate = gr.Button("Generate", variant="primary", min_width=80)
                    randomize = gr.Button("Randomize", min_width=80)
            with gr.Column(elem_id="controls", min_width=300), gr.Tabs():
                with gr.Tab("Look"):
                    board = html([], "board", script="html/board.js", shows="looks")
                    sheet = html(None, "sheet", script="html/thumbnails.js", shows="options")
                with gr.Tab("List"):
                    looks = make_looks(pipeline)
                    reset = gr.Button("Reset everything", size="sm", elem_id="reset")
                with gr.Tab("Drawing"):
                    settings, lock_seed = make_settings(pipeline)
                    guidance = html(None, "guidance", script="html/thumbnails.js", shows="options")
                    make_film(scheduler, state)
                with gr.Tab("Take away"):
                    make_take_away(pipeline, state)
                with gr.Tab("From a picture"):
                    seen = make_start_from()
                with gr.Tab("Collection"):
                    saved_strip = make_saved(page, generator, saved, state, result, board)
        html(CREDIT, "credit")

        add_endpoints(generator)
        views = Views(result, board, sheet, guidance, state, undo, redo, seen)
        handlers = Handlers(generator, looks | settings, views)
        buttons = (generate, randomize, reset, stop)
        _wire(page, handlers, buttons, lock_seed, saved_strip, picture_reader)
    # Nobody generates past the queue, with Gradio's older addresses for programs. Its length, and
    # what runs at once, are for ui/server to limit.
    page.queue(max_size=None, default_concurrency_limit=None, api_open=False)
    return page


def _wire(
    page: gr.Blocks,
    handlers: Handlers,
    buttons: tuple[gr.Button, ...],
    lock_seed: gr.Checkbox,
    saved_strip: gr.HTML,
    picture_reader: gr.HTML,
) -> None:
    controls, views = handlers.controls, handlers.views
    generate, randomize, reset, stop = buttons
    private: dict[str, Any] = {"api_visibility": "private", "trigger_mode": "multiple"}
    options: dict[str, Any] = {
        **private,
        "inputs": [views.state, lock_seed, views.board],
        "inputs_kwargs": controls,
        "outputs": [*views.all(), *controls.values()],
        "show_progress": "minimal",
        "show_progress_on": views.result,
        # The scheduler does one thing at a time; here a newer request must overtake an older one.
        "concurrency_limit": None,
        "js": TURN,
    }

    def on(event: Callable[..., Any], handler: Handler, **changed: Any) -> Any:
        return event(for_gradio(handler), **{**options, **changed})

    on(page.load, handlers.open_page)
    changes = [
        *(controls[name].input for name in (*NAMES, "guidance_method", "sampler", "seed")),
        *(controls[name].release for name in SLIDERS),
    ]
    on(partial(gr.on, changes), handlers.change)
    dragging = {"outputs": views.result, "trigger_mode": "always_last"}
    on(controls["guidance_scale"].input, handlers.preview, **dragging)
    for button, handler in (
        (generate, handlers.generate),
        (randomize, handlers.randomize),
        (reset, handlers.reset),
        (views.undo, handlers.undo),
        (views.redo, handlers.redo),
    ):
        shown = on(button.click, handler)
        shown.success(None, js=SHOW_PICTURE, api_visibility="private")
    on(stop.click, handlers.stop, show_progress="hidden")
    on(views.board.select, handlers.on_board)
    known = [views.state, *controls.values()]
    choose = CHOOSE.replace("NAMES", json.dumps(list(controls)))
    for sheet in (views.sheet, views.guidance):
        chosen = sheet.select(None, [sheet, *known], known, js=choose, **private)
        on(chosen.then, handlers.choose, inputs_kwargs={**controls, "chosen": sheet}, js=None)
    on(views.result.select, handlers.on_result)
    on(saved_strip.select, handlers.on_saved)
    on(picture_reader.select, handlers.on_picture)
    # Somebody who types a seed wants it used. In the browser, so that it is ticked in time.
    controls["seed"].input(None, js="() => true", outputs=lock_seed, api_visibility="private")
