"""The model at work: a film strip of the shown avatar from noise to picture, with Play."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from html import escape
from typing import Any

import gradio as gr
from PIL import Image

from avatar_model.film import FilmFrame
from ui.browser_state import BrowserState
from ui.files.picture_file import FileOptions, encode
from ui.generation import AvatarGenerator, in_turn
from ui.html.elements import html, img
from ui.inference.client import current_client, current_listener
from ui.translation import _

MORE_STEPS = 12
"""Of the second button: enough to have something to look at."""
FILM_SECONDS = 0.05
"""About what it takes to make files of the frames."""


def make_film(generator: AvatarGenerator, state: gr.JSON) -> None:
    """Two buttons, and the strip below them."""
    with gr.Row(elem_id="film-buttons"):
        as_set = gr.Button(_("Show how it is drawn"), size="sm", min_width=120, elem_id="show-film")
        longer = gr.Button(_("Show another picture, in 12 steps"), size="sm", min_width=120)
    strip = html(elem_id="film", script="panels/film.js")
    scheduler = generator.scheduler

    def show(sent: Any, steps: int | None = None) -> str:
        recipe = BrowserState.parse(sent).picked_recipe(scheduler.pipeline)
        settings = recipe.settings | ({"num_inference_steps": steps} if steps else {})
        shown = generator.generate(recipe).avatars[0].image
        with scheduler.alone(1, settings, current_client(), current_listener()) as tools:
            frames = tools.film(recipe.named_looks, seed=recipe.seed, **settings)
        if steps is None:
            # The same but for a level here and there, if it was rounded in another batch.
            frames[-1] = replace(frames[-1], noisy=shown, estimate=shown)
        return in_turn(lambda: film_html(frames, steps is None), FILM_SECONDS)

    as_set.click(show, state, strip, api_visibility="private")
    longer.click(partial(show, steps=MORE_STEPS), state, strip, api_visibility="private")
    state.change(None, None, strip, js='() => ""', api_visibility="private")  # of another avatar


def film_html(frames: list[FilmFrame], as_set: bool) -> str:
    """Every step: what the sampler has, and below it what the model takes that for.

    Args:
        as_set: whether the last frame is the picture that the page shows.
    """
    steps = "".join(
        '<label><input type="radio" name="frame">'
        f'<span class="paper">{_img(frame.noisy)}</span>'
        f'<span class="paper">{_img(frame.estimate)}</span>{_caption(frame)}</label>'
        for frame in frames
    )
    words = [
        _("Above, the noise on its way to a picture; below, what the model takes it for there."),
        _("At the end it is drawn again, larger.") if frames[-1].stage == "upscaler" else "",
        _("The last one is the avatar itself. For a longer film set more steps.")
        if as_set
        else _("With other steps than those that are set it becomes another picture."),
    ]
    alt = escape(_("The avatar being drawn"))
    return (
        f'<div class="film"><div class="screen paper"><img alt="{alt}"></div><div>'
        f'<button type="button" data-play>{escape(_("Play"))}</button>'
        f"<p>{escape(' '.join(filter(None, words)))}</p></div>"
        f'<fieldset class="frames" aria-label="{escape(_("Steps"))}">{steps}</fieldset></div>'
    )


def _caption(frame: FilmFrame) -> str:
    """How far it is; and of which picture, if that is not the first one."""
    again = f"<small>{frame.noisy.width} px</small>" if frame.stage == "upscaler" else ""
    return f"{1 - frame.t:.0%}{again}"


def _img(image: Image.Image) -> str:
    return img(encode(image, FileOptions(size=None)))
