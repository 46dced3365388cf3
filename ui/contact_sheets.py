"""Many avatars of one recipe on one picture."""

from __future__ import annotations

import time
from dataclasses import replace

from PIL import Image

from avatar_model.contact_sheet import contact_sheet

from .drawing import Drawer
from .recipe import MAX_IMAGES, Recipe
from .studio import TIME_LIMIT, BusyError, too_long

MAX_SHEET = 64
SCALE = 2
"""Side of an avatar's pixel on the sheet."""


def draw_contact_sheet(drawer: Drawer, recipe: Recipe, count: int) -> Image.Image:
    """``count`` avatars of a recipe, seeds counting up, as one transparent picture.

    Raises:
        BusyError: it takes too long.
        gr.Error: with one sentence for the visitor.
    """
    images: list[Image.Image] = []
    started = time.monotonic()
    while len(images) < count:
        if time.monotonic() - started > TIME_LIMIT:  # each part may take that long
            raise BusyError(too_long())
        part = replace(
            recipe.single(len(images)),
            num_images=min(MAX_IMAGES, count - len(images)),
        )
        images += [avatar.image for avatar in drawer.draw(part).avatars]
    return contact_sheet(images, scale=SCALE)
