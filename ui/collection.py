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

from .caller import current_client
from .contact_sheets import MAX_SHEET, draw_contact_sheet
from .drawing import Drawer, errors_as_sentences, random_seed
from .memory import MAX_QUERY, Memory
from .recipe import Recipe
from .resizing import resize
from .served_files import serve
from .sheets import locked_looks, thumbnail_address
from .studio import Studio

MAX_SAVED = 24
MORPH_FRAMES = 16
"""From one avatar to the next; as many as the page draws at once for anybody."""
MAX_MORPHED = 4
MORPH_SIDE = 256
"""Of a frame, in pixels."""


def make_saved() -> gr.BrowserState:
    """Where saved avatars are kept; outside of all tabs, because Gradio makes those when opened."""
    # A fixed key: a random one would forget everything when the server restarts.
    return gr.BrowserState([], storage_key="saved-avatars", secret="not a secret")


def make_collection(
    page: gr.Blocks,
    drawer: Drawer,
    saved: gr.BrowserState,
    memory: gr.JSON,
    result: gr.HTML,
    board: gr.HTML,
) -> gr.HTML:
    """Lay the panel out. Returns the strip of saved avatars, which can be selected."""
    studio = drawer.studio
    strip = gr.HTML(
        strip_html(studio.pipeline, []),
        apply_default_css=False,
        elem_id="saved",
        js_on_load=STRIP_SCRIPT,
    )
    with gr.Row():
        morph = gr.Button("Morph between the saved", size="sm")
        forget = gr.Button("Forget the saved", size="sm")
    moving = gr.HTML(apply_default_css=False, elem_id="morph")
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
        draw_sheet = gr.Button("Draw a sheet", size="sm", min_width=120)
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
        return strip_html(studio.pipeline, _valid(studio, kept))

    def show_morph(kept: Any) -> str:
        recipes = _valid(studio, kept)[-MAX_MORPHED:]
        if len(recipes) < 2:
            gr.Warning("Save at least two avatars first.", title="Nothing to morph")
            return ""
        with errors_as_sentences():
            frames = morph_frames(studio, recipes)
            return morph_html(frames)

    def show_sheet(remembered: Any, locked: Any, number: int) -> Any:
        with errors_as_sentences():
            query = Memory.parse(remembered).picked_query()
            recipe = Recipe.from_query(studio.pipeline, query)
            looks = drawn_looks(studio, recipe)
            kept = locked_looks(locked)
            fixed = tuple(looks[name] if name in kept else ANY for name in NAMES)
            recipe = replace(recipe, looks=fixed, seed=random_seed(), num_images=1)
            image = draw_contact_sheet(drawer, recipe, int(number))
        return gr.update(value=image, visible=True)

    private: dict[str, Any] = {"api_visibility": "private"}
    show = {"fn": load, "inputs": saved, "outputs": strip, "queue": False, **private}
    page.load(**show)
    result.apply(None, saved, saved, js=SAVE, **private).then(**show)
    forget.click(None, saved, saved, js=FORGET, **private).then(**show)
    morph.click(show_morph, saved, moving, **private)
    draw_sheet.click(show_sheet, [memory, board, count], sheet, **private)
    return strip


SAVE = f"""(saved) => {{
  const figure = [...document.querySelectorAll("#result figure")].find((f) => f.offsetParent);
  const query = figure.dataset.recipe;
  return [[...saved.filter((other) => other !== query), query].slice(-{MAX_SAVED})];
}}"""
"""In the browser, where the saved avatars are: no answer from the server can lose one."""
FORGET = '(saved) => [confirm("Forget all saved avatars?") ? [] : saved]'
STRIP_SCRIPT = """element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) trigger("select", { ...button.dataset });
});"""


def strip_html(pipeline: AvatarPipeline, recipes: list[Recipe]) -> str:
    """Buttons with the saved avatars; a click brings one back."""
    if not recipes:
        return "<p>Nothing saved yet: press Save below an avatar you like.</p>"
    return "".join(
        f'<button type="button" class="paper" data-recipe="{escape(r.query())}" '
        f'aria-label="Saved avatar {i}"><img loading="lazy" width="64" height="64" alt="" '
        f'src="{escape(thumbnail_address(pipeline, r))}"></button>'
        for i, r in enumerate(recipes, start=1)
    )


def morph_frames(studio: Studio, recipes: list[Recipe]) -> list[Image.Image]:
    """All frames from the first recipe through the others to the last."""
    frames: list[Image.Image] = []
    for start, end in pairwise(recipes):
        # The draw of "Any" belongs to a recipe's own seed, the noise to the first one's.
        looks = [drawn_looks(studio, recipe) for recipe in (start, end)]
        with studio.alone(current_client()) as tools:
            part = tools.morph(*looks, num_frames=MORPH_FRAMES, seed=recipes[0].seed)
        frames += part[1:] if frames else part
    if frames[0].width > MORPH_SIDE:
        frames = [resize(frame, MORPH_SIDE) for frame in frames]
    return frames


def drawn_looks(studio: Studio, recipe: Recipe) -> dict[str, int]:
    """What the looks of a recipe of one image are, "Any" resolved."""
    return studio.pipeline.vocabulary.sample(recipe.named_looks, np.random.default_rng(recipe.seed))


def morph_html(frames: list[Image.Image]) -> str:
    """The animation and links to it as two files; they stay on the server for an hour."""
    scale = max(1, MORPH_SIDE // frames[0].width)
    files = {}
    for kind in ("webp", "gif"):
        # Squares of one colour must stay so, and are smaller lossless anyway.
        content = animate(frames, kind, scale=scale, ping_pong=True, lossless=scale > 1)
        files[kind] = serve(content, f"avatar-morph.{kind}")
    addresses = {kind: escape(f"gradio_api/file={path}") for kind, path in files.items()}
    links = "".join(
        f'<a download href="{address}">Download {kind.upper()}</a>'
        for kind, address in addresses.items()
    )
    return (
        '<figure><div class="paper"><img alt="A morph between the saved avatars" '
        f'width="{MORPH_SIDE}" height="{MORPH_SIDE}" src="{addresses["webp"]}"></div>'
        f"<figcaption>{links}</figcaption></figure>"
    )


def _valid(studio: Studio, kept: Any) -> list[Recipe]:
    """What the browser has kept, which may be old or forged."""
    queries = [q for q in kept if isinstance(q, str)] if isinstance(kept, list) else []
    return [Recipe.from_query(studio.pipeline, q[:MAX_QUERY]) for q in queries[-MAX_SAVED:]]
