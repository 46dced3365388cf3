"""Many avatars of one recipe on one picture."""

from __future__ import annotations

import time
from dataclasses import replace

from PIL import Image

from avatar_model.contact_sheet import contact_sheet

from .drawing import Drawer
from .recipe import MAX_IMAGES, Recipe
from .resizing import resize
from .studio import TIME_LIMIT, BusyError, too_long

MAX_SHEET = 64
CELL = 256
"""Side of an avatar on the sheet, in pixels, if it is drawn so large."""
SMALL_CELL = 128
"""Otherwise, where an avatar is drawn smaller than that."""


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
    if images[0].width > CELL:
        images = [resize(image, CELL) for image in images]
    return contact_sheet(images, scale=max(1, SMALL_CELL // images[0].width))
