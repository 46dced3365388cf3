"""Which avatars are trained on: decided by the combination of attributes, the same everywhere."""

from __future__ import annotations

import hashlib
from bisect import bisect_right

import numpy as np

SPLITS = ("test", "validation", "train")
HELD_OUT_FRACTION = 0.06
"""Of each of test and validation: at least 512 of 9,000 combinations in either."""
HELD_OUT = f"{HELD_OUT_FRACTION:.0%} test, {HELD_OUT_FRACTION:.0%} validation, by combination"
"""Stands in every checkpoint, so that no model is tested on what another split trained it on."""


def split_of(attributes: np.ndarray) -> np.ndarray:
    """The split of every combination (integers [N, 18]), as an index of ``SPLITS``: int64 [N].

    The first 8 bytes of the BLAKE2b hash of its 18 values, one byte each, read as a big-endian
    number, decide: the lowest 6 % of the range are test, the next 6 % validation.
    """
    limits = [round(n * HELD_OUT_FRACTION * 2**64) for n in (1, 2)]
    rows = (row.tobytes() for row in np.asarray(attributes, dtype=np.uint8))
    hashes = (int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), "big") for row in rows)
    return np.array([bisect_right(limits, h) for h in hashes], dtype=np.int64)
