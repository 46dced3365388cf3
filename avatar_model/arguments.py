"""Checks of what a caller gives the pipeline; each error names the argument and what it may be."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from .attributes import Vocabulary

MAX_IMAGES = 256
"""Of one call."""
MAX_SEED = 2**32 - 1
MAX_STEPS = 1000
MAX_GUIDANCE_SCALE = 20.0
MAX_EMPHASIS = 10.0


def number(name: str, value: Any, low: float, high: float) -> float:
    """``value`` if it is a number in low..high."""
    if not _is_number(value) or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low:g} to {high:g}, not {value!r:.80}")
    return float(value)


def whole(name: str, value: Any, low: int, high: int) -> int:
    """``value`` if it is a whole number in low..high."""
    if not _is_number(value) or not low <= value <= high or value != int(value):
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r:.80}")
    return int(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def interval(name: str, value: Any) -> tuple[float, float]:
    """``value`` if it is a pair of numbers from 0 to 1, the lower one first."""
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
        low, high = (number(name, end, 0, 1) for end in value)
        if low <= high:
            return low, high
    raise ValueError(f"{name} must be two numbers, the lower one first, not {value!r:.80}")


def one_of(name: str, value: Any, choices: Sequence[Any]) -> None:
    """ValueError unless ``value`` is one of ``choices``."""
    value = value.item() if isinstance(value, np.generic) else value
    # 64.0 and True would pass ``in``, and True is no size.
    if not any(type(value) is type(c) and value == c for c in choices):
        allowed = ", ".join(map(str, choices))
        raise ValueError(f"{name} must be one of {allowed}, not {value!r:.80}")


def parse_requests(
    attributes: Any, num_images: Any, vocabulary: Vocabulary
) -> list[dict[str, int]]:
    """All 18 attributes, ``ANY`` or a value, for each image that a call of the pipeline asks for.

    Args:
        attributes: what the caller gave: None, a mapping, or a sequence of mappings.
        num_images: how many images per mapping.

    Raises:
        VocabularyError: an attribute or value that the vocabulary does not have.
        ValueError: no mapping, or more images than ``MAX_IMAGES``.
    """
    num_images = whole("num_images", num_images, 1, MAX_IMAGES)
    if attributes is None or isinstance(attributes, Mapping):
        attributes = [attributes or {}]
    elif isinstance(attributes, str) or not isinstance(attributes, Sequence):
        raise ValueError(
            f"attributes must be a mapping from names to values, not {attributes!r:.60}"
        )
    if not all(isinstance(request, Mapping) for request in attributes):
        raise ValueError("attributes must be a mapping from names to values, or a list of them")
    if not 1 <= len(attributes) * num_images <= MAX_IMAGES:
        raise ValueError(
            f"{len(attributes) * num_images} images asked for; one call draws 1..{MAX_IMAGES}"
        )
    parsed = [vocabulary.parse(request) for request in attributes]
    return [request for request in parsed for _ in range(num_images)]


def image_seeds(seed: Any, generator: torch.Generator | None, count: int) -> list[int]:
    """One seed for each of ``count`` images, from what a caller gave as ``seed`` or ``generator``.

    Raises:
        ValueError: not whole numbers in 0..MAX_SEED, not as many as images, or both given.
    """
    if generator is not None:
        if seed is not None:
            raise ValueError("give seed or generator, not both")
        device = generator.device
        seeds = torch.randint(0, MAX_SEED, (count,), generator=generator, device=device)
        return [int(s) for s in seeds]
    if isinstance(seed, Sequence) and not isinstance(seed, str):
        if len(seed) != count:
            raise ValueError(f"{len(seed)} seeds for {count} images")
        return [whole("seed", s, 0, MAX_SEED) for s in seed]
    first = secrets.randbelow(MAX_SEED + 1) if seed is None else whole("seed", seed, 0, MAX_SEED)
    return [(first + i) % (MAX_SEED + 1) for i in range(count)]
