"""Which images and which noise a step trains on: functions of the run's seed and the step alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def batch_rows(step: int, batch_size: int, size: int, seed: int) -> np.ndarray:
    """Which images step ``step`` trains on: every epoch is a new permutation of all of them.

    Returns:
        int64 [batch_size], sorted within the step because a memory map likes that; a batch may
        reach over the end of an epoch into the next.
    """
    first = step * batch_size
    epochs = range(first // size, (first + batch_size - 1) // size + 1)
    start = first - epochs[0] * size
    order = np.concatenate([epoch_order(epoch, size, seed) for epoch in epochs])
    return np.sort(order[start : start + batch_size])


@lru_cache(maxsize=2)
def epoch_order(epoch: int, size: int, seed: int) -> np.ndarray:
    """The order of epoch ``epoch``: a permutation of 0..size-1."""
    return np.random.default_rng((seed, epoch)).permutation(size)


def noise_seed(step: int, seed: int) -> int:
    """The seed of all that is random in step ``step``, in 32 bits: Torch's CPU looks at no more."""
    return (step + 0x9E3779B9 * seed) % 2**32  # an odd number: seeds are far apart
