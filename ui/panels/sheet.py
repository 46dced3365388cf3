"""A contact sheet of random avatars: a picture to download, on which any face can be picked."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from html import escape
from typing import Any

import gradio as gr
from PIL import Image

from avatar_model import ANY
from avatar_model.attributes import NAMES
from ui.browser_state import BrowserState, locked_looks
from ui.contact_sheet import GAP, MAX_SHEET, SECONDS, generate_many, sheet_of
from ui.generation import AvatarGenerator, in_turn, random_seed
from ui.html.elements import html
from ui.link import to_query
from ui.looks import sampled_looks
from ui.recipe import Recipe
from ui.routes.served_files import serve
from ui.translation import _


def make_sheet(generator: AvatarGenerator, state: gr.JSON, board: gr.HTML) -> gr.HTML:
    """Lay it out.

    Returns:
        the sheet, which is selected with the recipe of the face that is picked.
    """
    pipeline = generator.scheduler.pipeline
    with gr.Row():
        count = gr.Slider(
            4,
            MAX_SHEET,
            value=24,
            step=1,
            label=_("Random avatars on a sheet"),
            info=_("Locked looks are the same on all, the others differ."),
            min_width=260,
            elem_id="sheet-count",
        )
        button = gr.Button(_("Draw a sheet"), size="sm", scale=0, min_width=140)
    sheet = html(elem_id="sheet-of-many", script="panels/sheet.js")

    def show_sheet(sent: Any, locked: Any, number: int) -> str:
        recipe = BrowserState.parse(sent).picked_recipe(pipeline)
        sampled = sampled_looks(pipeline.vocabulary, recipe)
        looks = {name: sampled[name] for name in locked_looks(locked)}
        recipe = replace(recipe.single(0, dict.fromkeys(NAMES, ANY) | looks), seed=random_seed())
        avatars = generate_many(generator, recipe, int(number))
        recipes = [avatar.recipe for avatar in avatars]
        return in_turn(
            lambda: sheet_html(sheet_of([avatar.image for avatar in avatars]), recipes),
            SECONDS * len(avatars),
        )

    button.click(show_sheet, [state, board, count], sheet, api_visibility="private")
    return sheet


def sheet_html(picture: Image.Image, recipes: list[Recipe]) -> str:
    """The picture, and over every face a radio button: a click or the arrow keys pick it."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    address = escape(f"gradio_api/file={serve(file.getvalue(), f'avatars-{recipes[0].seed}.png')}")
    count = len(recipes)
    columns = math.ceil(math.sqrt(count))  # as ``contact_sheet`` lays them out
    names = [_("Avatar {number} of {count}", number=i + 1, count=count) for i in range(count)]
    faces = "".join(
        f'<label title="{escape(name)}"><input type="radio" name="face" value='
        f'"{escape(to_query(recipe))}" aria-label="{escape(name)}"></label>'
        for name, recipe in zip(names, recipes, strict=True)
    )
    # The picture has its first avatar on the left in every language.
    grid = (
        f"padding: {GAP / 2 / picture.width:.3%}; "
        f"grid-template: repeat({math.ceil(count / columns)}, 1fr) / repeat({columns}, 1fr)"
    )
    return (
        f"<p>{escape(_('Pick a face to go on with it.'))}</p>"
        f'<figure><div><img width="{picture.width}" height="{picture.height}" alt="" '
        f'src="{address}"><fieldset dir="ltr" style="{grid}" '
        f'aria-label="{escape(_("Avatars on the sheet"))}">{faces}</fieldset></div><figcaption>'
        f'<a download href="{address}">{escape(_("Download PNG"))}</a></figcaption></figure>'
    )
