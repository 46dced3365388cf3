"""Many avatars of one recipe on one picture."""

from __future__ import annotations

import time
from dataclasses import replace

from PIL import Image

from avatar_model.contact_sheet import contact_sheet
from ui.files.resize import resize
from ui.generation import Avatar, AvatarGenerator, in_turn
from ui.inference.scheduler import TIME_LIMIT, too_long
from ui.recipe import MAX_IMAGES, Recipe

MAX_SHEET = 64
CELL = 256
"""Side of an avatar on the sheet, in pixels, if it is generated so large."""
SECONDS = 0.01
"""About what it takes to put an avatar onto a sheet."""
SMALL_CELL = 128
"""Otherwise, where an avatar is smaller than that."""
GAP = 8
"""Pixels between avatars and around them all."""


def generate_many(generator: AvatarGenerator, recipe: Recipe, count: int) -> list[Avatar]:
    """``count`` avatars of a recipe, seeds counting up.

    Raises:
        BusyError: too many wait, or it takes too long.
    """
    avatars: list[Avatar] = []
    started = time.monotonic()
    while len(avatars) < count:
        if time.monotonic() - started > TIME_LIMIT:  # each part may take that long
            raise too_long()
        num_images = min(MAX_IMAGES, count - len(avatars))
        part = replace(recipe.single(len(avatars)), num_images=num_images)
        avatars += generator.generate(part).avatars
    return avatars


def sheet_of(images: list[Image.Image]) -> Image.Image:
    """All of them as one transparent picture."""
    cells = [resize(i, CELL) for i in images] if images[0].width > CELL else images
    return contact_sheet(cells, scale=max(1, SMALL_CELL // cells[0].width), gap=GAP)


def generate_contact_sheet(generator: AvatarGenerator, recipe: Recipe, count: int) -> Image.Image:
    """``generate_many`` on one picture.

    Raises:
        BusyError: too many wait, or it takes too long.
    """
    images = [avatar.image for avatar in generate_many(generator, recipe, count)]
    return in_turn(lambda: sheet_of(images), SECONDS * count)
