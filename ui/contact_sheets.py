"""Many avatars of one recipe on one picture."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from avatar_model.contact_sheet import contact_sheet

from .drawing import Drawer
from .recipe import MAX_IMAGES, Recipe

MAX_SHEET = 64
SCALE = 2
"""Side of an avatar's pixel on the sheet."""


def draw_contact_sheet(drawer: Drawer, recipe: Recipe, count: int) -> Image.Image:
    """``count`` avatars of a recipe, seeds counting up, as one transparent picture.

    Raises:
        gr.Error: with one sentence for the visitor.
    """
    images: list[Image.Image] = []
    while len(images) < count:
        part = replace(
            recipe.single(len(images)),
            num_images=min(MAX_IMAGES, count - len(images)),
        )
        images += [avatar.image for avatar in drawer.draw(part).avatars]
    return contact_sheet(images, scale=SCALE)
