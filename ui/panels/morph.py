"""A morph between saved avatars, as an animation to watch and to download."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from itertools import pairwise
from typing import Any

import gradio as gr
from PIL import Image

from avatar_model import AvatarPipeline
from avatar_model.animation import animate
from ui.files.resize import resize
from ui.generation import in_turn
from ui.html.elements import html, img
from ui.inference.client import current_client, current_listener
from ui.inference.scheduler import Scheduler
from ui.link import thumbnail_address
from ui.looks import sampled_looks
from ui.recipe import Recipe
from ui.routes.served_files import serve
from ui.translation import _

FRAMES = 16
"""From one avatar to the next; as many as the page generates at once for anybody."""
MAX_MORPHED = 4
SIDE = 256
"""Of a frame, in pixels."""
SECONDS = 0.03
"""About what it takes to make a frame part of two files."""


def make_morph(
    scheduler: Scheduler, chosen: gr.HTML, recipes_of: Callable[[Any], list[Recipe]]
) -> None:
    """A button, and the animation below it.

    Args:
        recipes_of: the recipes that the value of ``chosen`` means.
    """
    with gr.Row(elem_id="morph-bar"):
        button = gr.Button(
            _("Morph between the saved"), size="sm", scale=0, min_width=220, elem_id="to-morph"
        )
        html(_which)
    moving = html(elem_id="morph")

    def show(value: Any) -> str:
        recipes = recipes_of(value)
        if len(recipes) < 2:
            gr.Warning(_("It takes two saved avatars at least."))
            return ""
        frames = morph_frames(scheduler, recipes)
        return in_turn(
            lambda: morph_html(scheduler.pipeline, recipes, frames), SECONDS * len(frames)
        )

    button.click(show, chosen, moving, api_visibility="private")


def _which() -> str:
    words = _(
        "Tick 2 to {count} of them, in their order; without ticks it takes those saved last.",
        count=MAX_MORPHED,
    )
    return f"<p>{escape(words)}</p>"


def morph_frames(scheduler: Scheduler, recipes: list[Recipe]) -> list[Image.Image]:
    """All frames from the first recipe through the others to the last.

    The first one's noise and guidance are those of all; the steps are the model's, as many would
    take minutes.
    """
    first = recipes[0]
    guidance = {n: v for n, v in first.settings.items() if n.startswith("guidance")}
    frames: list[Image.Image] = []
    for pair in pairwise(recipes):
        # What "Any" becomes belongs to a recipe's own seed.
        looks = [sampled_looks(scheduler.pipeline.vocabulary, recipe) for recipe in pair]
        client, listens = current_client(), current_listener()
        with scheduler.alone(FRAMES, guidance, client, listens) as tools:
            part = tools.morph(*looks, num_frames=FRAMES, seed=first.seed, **guidance)
        frames += part[1:] if frames else part
    if frames[0].width > SIDE:
        frames = [resize(frame, SIDE) for frame in frames]
    return frames


def morph_html(pipeline: AvatarPipeline, recipes: list[Recipe], frames: list[Image.Image]) -> str:
    """Which avatars it takes, the animation, and links to it as two files.

    They stay on the server for an hour.
    """
    scale = max(1, SIDE // frames[0].width)
    addresses = {}
    for kind in ("webp", "gif"):
        # Squares of one colour must stay so, and are smaller lossless anyway.
        content = animate(frames, kind, scale=scale, ping_pong=True, lossless=scale > 1)
        addresses[kind] = f"gradio_api/file={serve(content, f'avatar-morph.{kind}')}"
    links = "".join(
        f'<a download href="{escape(address)}">'
        f"{escape(_('Download {format}', format=kind.upper()))}</a>"
        for kind, address in addresses.items()
    )
    taken = "".join(
        f'<li class="paper">{img(thumbnail_address(pipeline, recipe), 64, name)}</li>'
        for i, recipe in enumerate(recipes, start=1)
        for name in [_("Avatar {number}", number=i)]
    )
    picture = img(addresses["webp"], SIDE, _("A morph between saved avatars"))
    return (
        f"<p>{escape(_('It takes these, one after the other, and goes back:'))}</p>"
        f'<ol>{taken}</ol><figure><div class="paper">{picture}</div>'
        f"<figcaption>{links}</figcaption></figure>"
    )
