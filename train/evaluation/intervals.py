"""How far a mean may be off because only so many images were looked at."""

from __future__ import annotations

import numpy as np
from scipy.stats import bootstrap


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
