"""The layout of the page, and which event is wired to which handler."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from .at_work import make_film
from .blocks import Page
from .collection import make_collection, make_saved
from .controls import Controls, make_looks, make_settings
from .drawing import Drawer
from .endpoint import EXCEPTION_HANDLERS, make_attributes, make_generate, make_sheet
from .handlers import Handlers
from .memory import Memory
from .picture_files import MAX_FILE
from .result import EMPTY_RESULT
from .routes import make_routes
from .start_from import make_start_from
from .studio import Studio
from .take_away import make_take_away
from .theme import theme
from .visit import Views

HERE = Path(__file__).parent
TITLE = "Avatar maker"
INTRODUCTION = (
    "Choose by looking: a small diffusion model draws your avatar with every value of every look. "
    "Leave the rest on Any."
)
CREDIT = (
    "Trained on Cartoon Set, © Google LLC, "
    '<a href="https://creativecommons.org/licenses/by/4.0/" rel="license">CC BY 4.0</a>'
)
QUEUE_SIZE = 256
"""Requests that wait for one of Gradio's 40 threads; the studio counts avatars by itself."""
SHOW_PICTURE = """() => document.querySelector("#result figure").scrollIntoView({
  block: "nearest",
  behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth",
})"""
"""For phones, where the picture may be far above the control that was changed last."""
TURN = """(memory, ...others) =>
  [{ ...memory, turn: Math.max(Date.now(), (memory.turn || 0) + 1) }, ...others]"""
"""Requests may overtake one another on their way, so the browser says when it made them."""
CHOOSE = f"""({{ name, value }}, memory, ...values) => {{
  values[NAMES.indexOf(name)] = value;
  return ({TURN})(memory, ...values);
}}"""
"""What is chosen on a sheet goes into its control at once, in the browser."""
KEEP_FILES_SECONDS = 3600
SLIDERS = ("guidance_scale", "num_images", "num_inference_steps")


def launch_options(studio: Studio, model: str, mcp: bool = False) -> dict[str, Any]:
    """Arguments of ``launch`` for the page of this studio.

    Args:
        model: what ``/health`` calls the model.
        mcp: whether the endpoints are tools for language models too; needs ``gradio[mcp]``.
    """
    return {
        "theme": theme,
        "css_paths": HERE / "style.css",
        "footer_links": ["api"],
        "run_history": False,
        "ssr_mode": False,
        "app_kwargs": {
            "exception_handlers": EXCEPTION_HANDLERS,
            "routes": make_routes(studio, model),
        },
        "enable_monitoring": False,
        "max_file_size": MAX_FILE,
        # Gradio would ask its own page for an answer, and end if that takes 3 s on a busy machine.
        "_frontend": False,
        "mcp_server": mcp,
        # Gradio keeps every session's last result in memory: of one image 50 kB, of 16 up to 1 MB.
        "state_session_capacity": 500,
    }


def build_page(studio: Studio, notice: str = "") -> gr.Blocks:
    """The page, ready for ``launch(**launch_options(...))``.

    Args:
        notice: a sentence that all visitors should know.
    """
    pipeline, drawer = studio.pipeline, Drawer(studio)
    with Page(title=TITLE, delete_cache=(KEEP_FILES_SECONDS, KEEP_FILES_SECONDS)) as page:
        gr.HTML(
            f"<h1>{TITLE}</h1><p>{INTRODUCTION}</p>",
            apply_default_css=False,
            elem_id="introduction",
        )
        if notice:
            gr.HTML(escape(notice), apply_default_css=False, elem_id="notice")
        memory, kept = gr.JSON(Memory().to_json(), visible="hidden"), make_saved()
        with gr.Row(elem_id="studio"):
            with gr.Column(scale=0, min_width=340, elem_id="picture"):
                result = _html(EMPTY_RESULT, "result", "result.js")
                # Seen while a drawing takes long, says the CSS.
                stop = gr.Button("Stop drawing", size="sm", elem_id="stop")
                with gr.Row(elem_id="actions"):
                    undo = gr.Button("Undo", min_width=50, interactive=False, elem_id="undo")
                    redo = gr.Button("Redo", min_width=50, interactive=False, elem_id="redo")
                    generate = gr.Button("Generate", variant="primary", min_width=80)
                    randomize = gr.Button("Randomize", min_width=80)
            with gr.Column(elem_id="controls", min_width=300), gr.Tabs():
                with gr.Tab("Look"):
                    board = _html([], "board", "board.js", "looks")
                    sheet = _html(None, "sheet", "sheet.js", "options")
                with gr.Tab("List"):
                    looks = make_looks(pipeline)
                    reset = gr.Button("Reset everything", size="sm", elem_id="reset")
                with gr.Tab("Drawing"):
                    settings, lock_seed = make_settings(pipeline)
                    guidance = _html(None, "guidance", "sheet.js", "options")
                    make_film(studio, memory)
                with gr.Tab("Take away"):
                    make_take_away(pipeline, memory)
                with gr.Tab("From a picture"):
                    file, seen = make_start_from()
                with gr.Tab("Collection"):
                    saved = make_collection(page, drawer, kept, memory, result, board)
        gr.HTML(CREDIT, apply_default_css=False, elem_id="credit")

        for name, function in (
            ("generate", make_generate(drawer)),
            ("sheet", make_sheet(drawer)),
            ("attributes", make_attributes(pipeline)),
        ):
            gr.api(function, api_name=name, concurrency_limit=None)
        controls = Controls(looks, settings, lock_seed)
        views = Views(result, board, sheet, guidance, memory, undo, redo, file, seen)
        handlers = Handlers(drawer, controls, views)
        _wire(page, controls, views, handlers, (generate, randomize, reset, stop), saved)
    # Nobody draws past the queue, with Gradio's older addresses for programs.
    return page.queue(max_size=QUEUE_SIZE, api_open=False)


def _html(value: Any, elem_id: str, script: str, shows: str = "value") -> gr.HTML:
    """HTML with a script of ours.

    Args:
        shows: the property whose HTML is shown, if ``value`` is something else.
    """
    return gr.HTML(
        value,
        elem_id=elem_id,
        apply_default_css=False,
        html_template=f"${{{shows}}}",
        js_on_load=(HERE / script).read_text(encoding="utf-8"),
        **({} if shows == "value" else {shows: ""}),
    )


def _wire(
    page: gr.Blocks,
    controls: Controls,
    views: Views,
    handlers: Handlers,
    buttons: tuple[gr.Button, gr.Button, gr.Button, gr.Button],
    saved: gr.HTML,
) -> None:
    settings = controls.settings
    generate, randomize, reset, stop = buttons
    options: dict[str, Any] = {
        "inputs": [views.memory, controls.lock_seed, views.board],
        "inputs_kwargs": controls.named(),
        "show_progress": "minimal",
        "show_progress_on": views.result,
        "api_visibility": "private",
        # The studio does one thing at a time; here a newer request must overtake an older one.
        "concurrency_limit": None,
        "trigger_mode": "multiple",
        "js": TURN,
    }
    everything = [*views.all(), *controls.named().values()]
    page.load(handlers.open_page, outputs=everything, **options)
    gr.on(
        [
            *(look.input for look in controls.looks.values()),
            settings["sampler"].input,
            settings["seed"].input,
            *(settings[name].release for name in SLIDERS),
        ],
        handlers.change,
        outputs=everything,
        **options,
    )
    dragging = {**options, "trigger_mode": "always_last"}
    settings["guidance_scale"].input(handlers.preview, outputs=views.result, **dragging)
    for button, handler in (
        (generate, handlers.generate),
        (randomize, handlers.randomize),
        (reset, handlers.reset),
        (views.undo, handlers.undo),
        (views.redo, handlers.redo),
    ):
        drawn = button.click(handler, outputs=everything, **options)
        drawn.success(None, js=SHOW_PICTURE, api_visibility="private")
    stop.click(handlers.stop, outputs=everything, **{**options, "show_progress": "hidden"})
    views.board.select(handlers.on_board, outputs=everything, **options)
    named = controls.named()
    choose = CHOOSE.replace("NAMES", json.dumps(list(named)))
    for sheet in (views.sheet, views.guidance):
        chosen = sheet.select(
            None,
            [sheet, views.memory, *named.values()],
            [views.memory, *named.values()],
            js=choose,
            api_visibility="private",
            trigger_mode="multiple",
        )
        known = {**options, "inputs_kwargs": {**named, "chosen": sheet}, "js": None}
        chosen.then(handlers.choose, outputs=everything, **known)
    views.result.select(handlers.on_result, outputs=everything, **options)
    views.result.upload(handlers.on_drop, outputs=everything, **options)
    saved.select(handlers.on_saved, outputs=everything, **options)
    given = {**options, "inputs_kwargs": {**controls.named(), "file": views.file}}
    views.file.upload(handlers.on_file, outputs=everything, **given)
    # Somebody who types a seed wants it used. In the browser, so that it is ticked in time.
    settings["seed"].input(
        None, js="() => true", outputs=controls.lock_seed, api_visibility="private"
    )
