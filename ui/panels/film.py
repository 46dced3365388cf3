"""The model at work: a film strip of the shown avatar from noise to picture, with Play."""

from __future__ import annotations

from typing import Any

import gradio as gr
from PIL import Image

from avatar_model.film import FilmFrame
from ui.browser_state import BrowserState
from ui.files.picture_file import FileOptions, encode
from ui.generation import in_turn
from ui.html.elements import html, img
from ui.inference.client import current_client, current_listener
from ui.inference.scheduler import Scheduler

STEPS = 12
FILM_SECONDS = 0.05
"""About what it takes to make files of the frames."""


def make_film(scheduler: Scheduler, state: gr.JSON) -> None:
    """A button, and the strip below it."""
    button = gr.Button("Show how it is drawn", size="sm", elem_id="show-film")
    strip = html(elem_id="film", script="panels/film.js")

    def show(sent: Any) -> str:
        recipe = BrowserState.parse(sent).picked_recipe(scheduler.pipeline)
        settings = recipe.settings
        settings["num_inference_steps"] = max(recipe.num_inference_steps, STEPS)
        with scheduler.alone(1, settings, current_client(), current_listener()) as tools:
            frames = tools.film(recipe.named_looks, seed=recipe.seed, **settings)
        return in_turn(lambda: film_html(frames), FILM_SECONDS)

    button.click(show, state, strip, api_visibility="private")
    state.change(None, None, strip, js='() => ""', api_visibility="private")  # of another avatar


def film_html(frames: list[FilmFrame]) -> str:
    """Every step: what the sampler has, and below it what the model takes that for."""
    steps = "".join(
        '<label><input type="radio" name="frame">'
        f'<span class="paper">{_img(frame.noisy)}</span>'
        f'<span class="paper">{_img(frame.estimate)}</span>{_caption(frame)}</label>'
        for frame in frames
    )
    more = " At the end it is drawn again, larger." if frames[-1].stage == "upscaler" else ""
    return (
        '<div class="film"><div class="screen paper"><img alt="The avatar being drawn"></div><div>'
        '<button type="button" data-play>Play</button><p>Above, the noise on its way to a picture; '
        f"below, what the model at that moment takes it for.{more}</p></div>"
        f'<fieldset class="frames" aria-label="Steps">{steps}</fieldset></div>'
    )


def _caption(frame: FilmFrame) -> str:
    """How far it is; and of which picture, if that is not the first one."""
    again = f"<small>{frame.noisy.width} px</small>" if frame.stage == "upscaler" else ""
    return f"{1 - frame.t:.0%}{again}"


def _img(image: Image.Image) -> str:
    return img(encode(image, FileOptions(size=None)))
