"""One request to the model: its limits, how long it took, and every error as one sentence."""

from __future__ import annotations

import io
import logging
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gradio as gr
from PIL import Image

from avatar_model import ANY, AvatarPipeline
from avatar_model.pipeline import MAX_SEED

MAX_IMAGES = 16
MAX_STEPS = 50
"""Lower than the pipeline's own limits, because all visitors share one queue."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Avatar:
    """One finished picture.

    Attributes:
        values: the complete 18 attributes, as numbers.
        labels: the same, as the vocabulary calls them.
        drawn: names of the attributes that were left on "Any" and drawn at random.
    """

    image: Image.Image
    seed: int
    values: dict[str, int]
    labels: dict[str, str]
    drawn: frozenset[str]

    @cached_property
    def png(self) -> bytes:
        """The picture as a PNG file, encoded once for all the places of the page that show it."""
        file = io.BytesIO()
        self.image.save(file, "PNG")
        return file.getvalue()

    @property
    def file_name(self) -> str:
        """What the picture is called when it is saved."""
        return f"avatar-{self.seed}.png"


@dataclass(frozen=True)
class Drawing:
    """The answer to one request."""

    avatars: list[Avatar]
    seconds: float


def draw(
    pipeline: AvatarPipeline,
    looks: Mapping[str, Any],
    *,
    num_images: Any = 1,
    num_inference_steps: Any = None,
    **settings: Any,
) -> Drawing:
    """Call the pipeline within the page's limits.

    Args:
        looks: attribute name -> label, number, "Any" or None, straight from the visitor.
        num_images: at most 16.
        num_inference_steps: at most ``max_steps``; None is the model's default.
        settings: ``guidance_scale``, ``sampler`` and ``seed``; None is the model's default.

    Raises:
        gr.Error: with one sentence for the visitor.
    """
    with errors_as_sentences():
        _at_most("num_images", num_images, MAX_IMAGES)
        _at_most("num_inference_steps", num_inference_steps, max_steps(pipeline))
        asked = pipeline.vocabulary.parse(looks)
        start = time.perf_counter()
        output = pipeline(
            asked, num_images=num_images, num_inference_steps=num_inference_steps, **settings
        )
        seconds = time.perf_counter() - start
    drawn = frozenset(name for name, value in asked.items() if value == ANY)
    label = pipeline.vocabulary.label
    avatars = [
        Avatar(image, seed, values, {name: label(name, v) for name, v in values.items()}, drawn)
        for image, seed, values in zip(output.images, output.seeds, output.attributes, strict=True)
    ]
    return Drawing(avatars, seconds)


def max_steps(pipeline: AvatarPipeline) -> int:
    """The page's limit, unless the model by default takes more."""
    return max(MAX_STEPS, pipeline.defaults["num_inference_steps"])


def random_seed() -> int:
    """Any seed the pipeline accepts."""
    return secrets.randbelow(MAX_SEED + 1)


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """A visitor's mistake keeps the pipeline's message; anything else is ours, and is logged."""
    try:
        yield
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False) from error
    except Exception as error:
        logger.exception("drawing failed")
        raise gr.Error(
            "Something went wrong while drawing; please try again.", print_exception=False
        ) from error


def _at_most(name: str, value: Any, limit: int) -> None:
    """The page's upper limit; what else is wrong with ``value`` the pipeline says itself."""
    if isinstance(value, (int, float)) and value > limit:
        raise ValueError(f"{name} must be a whole number from 1 to {limit}, not {value!r:.80}")
