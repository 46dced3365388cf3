"""One batch: recipes that differ only in looks and seed, generated together at one size."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from PIL import Image

from avatar_model.pipeline import AvatarOutput
from ui.recipe import Recipe

OUT_OF_MEMORY = (
    "not enough memory",  # torch
    "can't allocate memory",
    "could not create a",  # primitive or memory: oneDNN, which torch's convolutions come from
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GeneratedImage:
    """One avatar: its picture and what "Any" became."""

    image: Image.Image
    values: dict[str, int]

    @property
    def num_bytes(self) -> int:
        """What the picture takes in memory."""
        return 4 * self.image.width * self.image.height


class ImageRequest(NamedTuple):
    """What is to be generated; equal ones give equal pictures.

    Attributes:
        recipe: of one image.
        size: side in pixels, one of the pipeline's ``sizes``. No part of the recipe: that is the
            same person whatever the size.
    """

    recipe: Recipe
    size: int

    @property
    def kind(self) -> tuple[Hashable, ...]:
        """Settings and size: equal for what can be in one batch."""
        return *self.recipe.settings.values(), self.size


def generate_batch(
    generate: Callable[..., AvatarOutput],
    recipes: Sequence[Recipe],
    size: int,
    callback: Callable[..., None],
) -> list[GeneratedImage]:
    """Generate recipes of one image and one kind; in halves if memory is short.

    Args:
        generate: the pipeline, or what calls it.
        size: side of the pictures.
        callback: the pipeline's, called after every step; what it raises ends the batch.

    Raises:
        Exception: whatever the pipeline raises; for want of memory, if not even one fits.
    """
    try:
        output = generate(
            [recipe.named_looks for recipe in recipes],
            seed=[recipe.seed for recipe in recipes],
            **recipes[0].settings,
            size=size,
            callback=callback,
        )
        pairs = zip(output.images, output.attributes, strict=True)
        return [GeneratedImage(image, values) for image, values in pairs]
    except Exception as error:
        if len(recipes) == 1 or not _out_of_memory(error):
            raise
    # Outside of the handler: the error's traceback holds the tensors that were too many.
    half = len(recipes) // 2
    logger.warning("event=out_of_memory images=%d next=%d", len(recipes), half)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    first = generate_batch(generate, recipes[:half], size, callback)
    return first + generate_batch(generate, recipes[half:], size, callback)


def _out_of_memory(error: Exception) -> bool:
    """Whether it was: on the CPU nobody has a type of their own for it."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(
        words in str(error) for words in OUT_OF_MEMORY
    )
