"""Means and shares, and how far they may be off because only so many images were looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import binomtest, bootstrap


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean (percentile, 1,000 resamples, always the same ones).

    Args:
        values: float [N], one per image; infinite ones are allowed.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2 or (values == values[0]).all():
        return (float(values.mean()),) * 2
    found = bootstrap(
        (values,),
        np.mean,
        n_resamples=1000,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def mean(values: np.ndarray) -> float | None:
    """The mean of float or bool [N]; None without any."""
    return float(values.mean()) if len(values) else None


def accuracy(parts: np.ndarray) -> dict[str, Any]:
    """An accuracy for JSON: ``accuracy`` and its 95 % ``interval``; None without any image.

    Args:
        parts: float [N], what each image adds: 0 or 1, or more if it counts for more than others.
    """
    if not len(parts):
        return {"accuracy": None, "interval": [None, None]}
    low, high = mean_interval(parts)
    return {"accuracy": mean(parts), "interval": [low, min(high, 1.0)]}


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of Wilson 1927 for a share; it has a width even at 0 and at 1."""
    interval = binomtest(hits, count).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
