"""The layout of the page, and which event is wired to which handler."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from avatar_model.attributes import NAMES
from ui.browser_state import AGAIN, BrowserState
from ui.controls import make_guidance, make_looks, make_settings
from ui.errors import Page
from ui.event import Handler, Views, for_gradio
from ui.from_name import MAX_NAME
from ui.generation import AvatarGenerator
from ui.handlers import Handlers
from ui.html.elements import LICENCE, html
from ui.html.result import empty_result
from ui.inference.scheduler import Scheduler
from ui.panels.collection import make_saved
from ui.panels.film import make_film
from ui.panels.start_from_picture import make_picture_reader, make_start_from
from ui.panels.take_away import make_take_away
from ui.routes.endpoints import add_endpoints
from ui.translation import _

TITLE = "Avatar maker"
SHOW_PICTURE = """() => document.querySelector("#result figure").scrollIntoView({
  block: "nearest",
  behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth",
})"""
"""For phones, where the picture may be far above the control that was changed last."""
TURN = """(state, locked, ...values) => {
  window.leaveHistory?.();
  window.asked?.(values);
  return [{ ...state, turn: Math.max(Date.now(), (state.turn || 0) + 1) }, locked, ...values];
}"""
"""Requests may overtake one another on their way, so the browser says when it made them."""
OPEN = f"""(state, locked, ...values) => {{
  const wanted = kept("not-drawn");
  kept("not-drawn", null);
  const now = wanted ? "{AGAIN}" : "";
  const opened = {{ ...state, open: kept("open-look") ?? state.open, now }};
  const given = [...(wanted ?? []), ...values.slice(wanted?.length ?? 0)];
  return ({TURN})(opened, kept("locked-looks") ?? locked, ...given);
}}"""
"""A page that is loaded again has the look open that was, and the locks. Gradio loads it again when
it has found its server again: then what could not be drawn meanwhile is."""
RESET = f"""(...sent) => {{
  kept("locked-looks", null);
  return ({TURN})(...sent);
}}"""
GO = f"""(state, ...others) => {{
  const [turned, ...same] = ({TURN})(state, ...others);
  return [{{ ...turned, now: window.inHistory(STEP) }}, ...same];
}}"""
CHOOSE = f"""({{ name, value }}, state, ...values) => {{
  values[NAMES.indexOf(name)] = value;
  const [turned, locked, ...same] = ({TURN})(state, null, ...values);
  return [turned, ...same];
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
        html(_introduction, "introduction", script="html/keyboard.js")
        if notice:
            html(escape(notice), "notice")
        state = gr.JSON(BrowserState().to_json(), visible="hidden")
        # Not in a tab, which Gradio makes when it is opened. A fixed key: a random one would forget
        # everything when the server restarts.
        saved = gr.BrowserState([], storage_key="saved-avatars", secret="not a secret")
        with gr.Row(elem_id="studio"):
            with gr.Column(scale=0, min_width=340, elem_id="avatar"):
                with gr.Column(elem_id="picture"):
                    connection = html(_not_drawn, "connection", script="html/connection.js")
                    result = html(empty_result, "result", script="html/result.js")
                    picture_reader = make_picture_reader()
                    # Seen while an avatar takes long, says the CSS.
                    stop = gr.Button(_("Stop drawing"), size="sm", elem_id="stop")
                    with gr.Row(elem_id="actions"):
                        undo = gr.Button(_("Undo"), min_width=50, elem_id="undo")
                        redo = gr.Button(_("Redo"), min_width=50, elem_id="redo")
                        generate = gr.Button(_("Generate"), min_width=80, elem_id="generate")
                        randomize = gr.Button(
                            _("Randomize"), variant="primary", min_width=80, elem_id="randomize"
                        )
                no_chance = html("", "no-chance")
                guidance_scale = make_guidance(pipeline)
            with gr.Column(elem_id="controls", min_width=300), gr.Tabs():
                with gr.Tab(_("Looks")):
                    with gr.Row(elem_id="looks-bar"):
                        html(_switch, "switch", script="html/switch.js")
                        name = gr.Textbox(
                            label=_("Avatar from a name"),
                            placeholder=_("Avatar from a name"),
                            max_lines=1,
                            show_label=False,
                            container=False,
                            max_length=MAX_NAME,
                            min_width=160,
                            elem_id="name",
                        )
                        reset = gr.Button(_("Reset"), size="sm", elem_id="reset")
                    with gr.Column(elem_id="as-pictures"):
                        board = html([], "board", script="html/board.js", shows="looks")
                        sheet = html(None, "sheet", script="html/thumbnails.js", shows="options")
                    with gr.Column(elem_id="as-dropdowns"):
                        looks = make_looks(pipeline)
                with gr.Tab(_("Drawing")):
                    settings = {"guidance_scale": guidance_scale, **make_settings(pipeline)}
                    guidance = html(None, "guidance", script="html/thumbnails.js", shows="options")
                    make_film(generator, state)
                with gr.Tab(_("Take away")):
                    file_options, take_away = make_take_away(pipeline)
                with gr.Tab(_("From a picture")):
                    seen = make_start_from()
                with gr.Tab(_("Collection")):
                    saved_strips = make_saved(page, generator, saved, state, result, board)
        html(_credit, "credit")

        add_endpoints(generator)
        views = Views(result, board, sheet, guidance, state, generate, no_chance, take_away, seen)
        handlers = Handlers(generator, looks | settings, views)
        buttons = {"randomize": randomize, "reset": reset, "stop": stop, "undo": undo, "redo": redo}
        _wire(page, handlers, buttons, name, file_options, saved_strips, picture_reader, connection)
    # Nobody generates past the queue, with Gradio's older addresses for programs. Its length, and
    # what runs at once, are for ui/server to limit.
    page.queue(max_size=None, default_concurrency_limit=None, api_open=False)
    # Gradio's is random, and a page that was opened before the server restarted would be loaded
    # anew; but it can go on: the server keeps nothing that it needs.
    page.app_id = int(_digest({**page.get_config_file(), "app_id": 0}), 16)
    return page


def _digest(config: Any) -> str:
    """12 hexadecimal digits, the same for the same page."""
    text = json.dumps(config, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _not_drawn() -> str:
    says = _("Not drawn yet: the server cannot be reached. It will be drawn once it can.")
    return f'<p role="status" hidden>{escape(says)}</p>'


def _introduction() -> str:
    says = _("Choose looks, and a small diffusion model draws your avatar. Leave the rest on Any.")
    skip = f'<a class="skip" href="#controls">{escape(_("Skip to the looks"))}</a>'
    return f"{skip}<h1>{escape(_(TITLE))}</h1><p>{escape(says)}</p>"


def _switch() -> str:
    choices = "".join(
        f'<label><input type="radio" name="looks-as" value="{value}"'
        f"{' checked' if value == 'pictures' else ''}><span>{escape(label)}</span></label>"
        for value, label in (("pictures", _("Pictures")), ("dropdowns", _("Dropdowns")))
    )
    named = escape(_("Looks as"))
    return f'<div class="switch" role="radiogroup" aria-label="{named}">{choices}</div>'


def _credit() -> str:
    return escape(_("Trained on Cartoon Set, © Google LLC,")) + " " + LICENCE


def _wire(
    page: gr.Blocks,
    handlers: Handlers,
    buttons: dict[str, gr.Button],
    name: gr.Textbox,
    file_options: dict[str, Any],
    strips: tuple[gr.HTML, ...],
    picture_reader: gr.HTML,
    connection: gr.HTML,
) -> None:
    controls, views = handlers.controls, handlers.views
    private: dict[str, Any] = {"api_visibility": "private", "trigger_mode": "multiple"}
    options: dict[str, Any] = {
        **private,
        "inputs": [views.state, views.board],
        "inputs_kwargs": {**controls, **file_options},
        "outputs": [*views.all(), *controls.values()],
        "show_progress": "minimal",
        "show_progress_on": views.result,
        # The scheduler does one thing at a time; here a newer request must overtake an older one.
        "concurrency_limit": None,
        "js": TURN,
    }

    def on(event: Callable[..., Any], handler: Handler, **changed: Any) -> Any:
        return event(for_gradio(handler), **{**options, **changed})

    on(page.load, handlers.open_page, js=OPEN)
    changes = [
        *(controls[name].input for name in (*NAMES, "guidance_method", "sampler", "seed")),
        *(controls[name].release for name in SLIDERS),
    ]
    on(partial(gr.on, changes), handlers.change)
    dragging = {"outputs": views.result, "trigger_mode": "always_last"}
    on(controls["guidance_scale"].input, handlers.preview, **dragging)
    for button, handler, js in (
        (views.generate, handlers.generate, TURN),
        (buttons["randomize"], handlers.randomize, TURN),
        (buttons["reset"], handlers.reset, RESET),
        (buttons["undo"], handlers.go, GO.replace("STEP", "-1")),
        (buttons["redo"], handlers.go, GO.replace("STEP", "1")),
    ):
        shown = on(button.click, handler, js=js)
        shown.success(None, js=SHOW_PICTURE, api_visibility="private")
    on(name.submit, handlers.name, inputs_kwargs={**options["inputs_kwargs"], "name": name})
    framed = [option.change for option in file_options.values()]
    on(partial(gr.on, framed), handlers.file, trigger_mode="always_last")
    stop = buttons["stop"]
    on(stop.click, handlers.stop, show_progress="hidden")
    on(views.board.select, handlers.on_board)
    known = [views.state, *controls.values()]
    choose = CHOOSE.replace("NAMES", json.dumps(list(controls)))
    for sheet in (views.sheet, views.guidance):
        chosen = sheet.select(None, [sheet, *known], known, js=choose, **private)
        on(
            chosen.then,
            handlers.choose,
            inputs_kwargs={**options["inputs_kwargs"], "chosen": sheet},
            js=None,
        )
    on(views.result.select, handlers.on_result)
    for strip in strips:
        on(strip.select, handlers.on_saved)
    on(picture_reader.select, handlers.on_picture)
    on(connection.select, handlers.change)
