"""The model at work: a film strip of the shown avatar from noise to picture, with Play."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from avatar_model.film import FilmFrame

from .caller import current_client
from .drawing import errors_as_sentences
from .memory import Memory
from .recipe import Recipe
from .studio import Studio

STEPS = 12


def make_film(studio: Studio, memory: gr.JSON) -> None:
    """A button, and the strip below it."""
    button = gr.Button("Show how it is drawn", size="sm", elem_id="show-film")
    strip = gr.HTML(
        apply_default_css=False,
        elem_id="film",
        js_on_load=(Path(__file__).parent / "film.js").read_text(encoding="utf-8"),
    )

    def show(remembered: Any) -> str:
        with errors_as_sentences():
            query = Memory.parse(remembered).picked_query()
            recipe = Recipe.from_query(studio.pipeline, query)
            with studio.alone(current_client()) as tools:
                frames = tools.film(
                    recipe.named_looks,
                    seed=recipe.seed,
                    guidance_scale=recipe.guidance_scale,
                    sampler=recipe.sampler,
                    num_inference_steps=max(recipe.num_inference_steps, STEPS),
                )
        return film_html(frames)

    button.click(show, memory, strip, api_visibility="private")
    memory.change(None, None, strip, js='() => ""', api_visibility="private")  # of another avatar


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
    file = io.BytesIO()
    image.save(file, "PNG")
    source = escape(f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}")
    return f'<img width="64" height="64" alt="" src="{source}">'
