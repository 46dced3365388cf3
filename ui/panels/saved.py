"""Saved avatars, kept in the visitor's browser; morphs between them; and contact sheets."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from itertools import pairwise
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from avatar_model import ANY, AvatarPipeline
from avatar_model.animation import animate
from avatar_model.attributes import NAMES
from ui.browser_state import BrowserState, locked_looks
from ui.contact_sheet import MAX_SHEET, generate_contact_sheet
from ui.files.resize import resize
from ui.generation import AvatarGenerator, in_turn, random_seed
from ui.html.elements import html, img
from ui.inference.client import current_client, current_listener
from ui.inference.scheduler import Scheduler
from ui.link import from_query, thumbnail_address, to_query
from ui.recipe import Recipe
from ui.routes.served_files import serve

MAX_SAVED = 24
MORPH_FRAMES = 16
"""From one avatar to the next; as many as the page generates at once for anybody."""
MAX_MORPHED = 4
MORPH_SIDE = 256
"""Of a frame, in pixels."""
MORPH_SECONDS = 0.03
"""About what it takes to make a frame part of two files."""
SAVE = f"""(saved) => {{
  const figure = [...document.querySelectorAll("#result figure")].find((f) => f.offsetParent);
  const query = figure.dataset.recipe;
  return [[...saved.filter((other) => other !== query), query].slice(-{MAX_SAVED})];
}}"""
"""In the browser, where the saved avatars are: no answer from the server can lose one."""
FORGET = '(saved) => [confirm("Forget all saved avatars?") ? [] : saved]'


def make_saved(
    page: gr.Blocks,
    generator: AvatarGenerator,
    saved: gr.BrowserState,
    state: gr.JSON,
    result: gr.HTML,
    board: gr.HTML,
) -> gr.HTML:
    """Lay the panel out.

    Args:
        saved: where the browser keeps the saved avatars, as queries.

    Returns:
        The strip of saved avatars, which can be selected.
    """
    scheduler, pipeline = generator.scheduler, generator.scheduler.pipeline
    strip = html(strip_html(pipeline, []), "saved", script="panels/saved.js")
    with gr.Row():
        morph = gr.Button("Morph between the saved", size="sm")
        forget = gr.Button("Forget the saved", size="sm")
    moving = html(elem_id="morph")
    with gr.Row():
        count = gr.Slider(
            4,
            MAX_SHEET,
            value=24,
            step=1,
            label="Random avatars on a sheet",
            info="Locked looks are the same on all, the others differ.",
            min_width=260,
            elem_id="sheet-count",
        )
        make_sheet = gr.Button("Draw a sheet", size="sm", min_width=120)
    sheet = gr.Image(
        format="png",
        label="Sheet",
        show_label=False,
        visible=False,
        interactive=False,
        buttons=["download", "fullscreen"],  # and not share, which uploads it somewhere
        elem_id="sheet-of-many",
    )

    def load(kept: Any) -> str:
        return strip_html(pipeline, _valid(pipeline, kept))

    def show_morph(kept: Any) -> str:
        recipes = _valid(pipeline, kept)[-MAX_MORPHED:]
        if len(recipes) < 2:
            gr.Warning("Save at least two avatars first.", title="Nothing to morph")
            return ""
        frames = morph_frames(scheduler, recipes)
        return in_turn(lambda: morph_html(frames), MORPH_SECONDS * len(frames))

    def show_sheet(sent: Any, locked: Any, number: int) -> Any:
        recipe = BrowserState.parse(sent).picked_recipe(pipeline)
        sampled = sampled_looks(pipeline, recipe)
        looks = {name: sampled[name] for name in locked_looks(locked)}
        recipe = replace(recipe.single(0, dict.fromkeys(NAMES, ANY) | looks), seed=random_seed())
        image = generate_contact_sheet(generator, recipe, int(number))
        return gr.update(value=image, visible=True)

    private: dict[str, Any] = {"api_visibility": "private"}
    show = {"fn": load, "inputs": saved, "outputs": strip, "queue": False, **private}
    page.load(**show)
    result.apply(None, saved, saved, js=SAVE, **private).then(**show)
    forget.click(None, saved, saved, js=FORGET, **private).then(**show)
    morph.click(show_morph, saved, moving, **private)
    make_sheet.click(show_sheet, [state, board, count], sheet, **private)
    return strip


def strip_html(pipeline: AvatarPipeline, recipes: list[Recipe]) -> str:
    """Buttons with the saved avatars; a click brings one back."""
    if not recipes:
        return "<p>Nothing saved yet: press Save below an avatar you like.</p>"
    return "".join(
        f'<button type="button" class="paper" data-recipe="{escape(to_query(r))}" aria-label='
        f'"Saved avatar {i}">{img(thumbnail_address(pipeline, r), lazy=True)}</button>'
        for i, r in enumerate(recipes, start=1)
    )


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
        looks = [sampled_looks(scheduler.pipeline, recipe) for recipe in pair]
        client, listens = current_client(), current_listener()
        with scheduler.alone(MORPH_FRAMES, guidance, client, listens) as tools:
            part = tools.morph(*looks, num_frames=MORPH_FRAMES, seed=first.seed, **guidance)
        frames += part[1:] if frames else part
    if frames[0].width > MORPH_SIDE:
        frames = [resize(frame, MORPH_SIDE) for frame in frames]
    return frames


def sampled_looks(pipeline: AvatarPipeline, recipe: Recipe) -> dict[str, int]:
    """What the looks of a recipe of one image are, "Any" resolved."""
    return pipeline.vocabulary.sample(recipe.named_looks, np.random.default_rng(recipe.seed))


def morph_html(frames: list[Image.Image]) -> str:
    """The animation and links to it as two files; they stay on the server for an hour."""
    scale = max(1, MORPH_SIDE // frames[0].width)
    addresses = {}
    for kind in ("webp", "gif"):
        # Squares of one colour must stay so, and are smaller lossless anyway.
        content = animate(frames, kind, scale=scale, ping_pong=True, lossless=scale > 1)
        addresses[kind] = f"gradio_api/file={serve(content, f'avatar-morph.{kind}')}"
    links = "".join(
        f'<a download href="{escape(address)}">Download {kind.upper()}</a>'
        for kind, address in addresses.items()
    )
    picture = img(addresses["webp"], MORPH_SIDE, "A morph between the saved avatars")
    return f'<figure><div class="paper">{picture}</div><figcaption>{links}</figcaption></figure>'


def _valid(pipeline: AvatarPipeline, kept: Any) -> list[Recipe]:
    """What the browser has kept, which may be old or forged."""
    queries = [q for q in kept if isinstance(q, str)] if isinstance(kept, list) else []
    return [from_query(pipeline, query) for query in queries[-MAX_SAVED:]]
