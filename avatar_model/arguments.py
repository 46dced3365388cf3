"""Checks of what a caller gives the pipeline; each error names the argument and what it may be."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

MAX_SEED = 2**32 - 1


def number(
    name: str, value: Any, low: float, high: float, defaults: Mapping[str, Any] | None = None
) -> float:
    """``value`` if it is a number in low..high; the default for None."""
    value = defaults[name] if value is None and defaults else value
    ok = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not ok or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low:g} to {high:g}, not {value!r:.80}")
    return float(value)


def whole(
    name: str, value: Any, low: int, high: int, defaults: Mapping[str, Any] | None = None
) -> int:
    """``value`` if it is a whole number in low..high; the default for None."""
    value = defaults[name] if value is None and defaults else value
    ok = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not ok or not low <= value <= high or value != int(value):
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r:.80}")
    return int(value)


def choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """ValueError unless ``value`` is one of ``choices``."""
    value = value.item() if isinstance(value, np.generic) else value
    # 64.0 and True would pass ``in``, and True is no size.
    if not any(type(value) is type(c) and value == c for c in choices):
        allowed = ", ".join(map(str, choices))
        raise ValueError(f"{name} must be one of {allowed}, not {value!r:.80}")


def image_seeds(seed: Any, generator: torch.Generator | None, count: int) -> list[int]:
    """One seed for each of ``count`` images, from what a caller gave as ``seed`` or ``generator``.

    Raises:
        ValueError: not whole numbers in 0..MAX_SEED, not as many as images, or both given.
    """
    if generator is not None:
        if seed is not None:
            raise ValueError("give seed or generator, not both")
        drawn = torch.randint(0, MAX_SEED, (count,), generator=generator, device=generator.device)
        return drawn.tolist()
    if isinstance(seed, Sequence) and not isinstance(seed, str):
        if len(seed) != count:
            raise ValueError(f"{len(seed)} seeds for {count} images")
        return [whole("seed", s, 0, MAX_SEED) for s in seed]
    first = secrets.randbelow(MAX_SEED + 1) if seed is None else whole("seed", seed, 0, MAX_SEED)
    return [(first + i) % (MAX_SEED + 1) for i in range(count)]
