"""Generates the avatars that an evaluation looks at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from avatar_model import AvatarPipeline
from avatar_model.attributes import NAMES, to_row

BATCH = 32


def batches(rows: np.ndarray) -> Iterator[np.ndarray]:
    """``BATCH`` rows at a time."""
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


def generate_batches(
    pipeline: AvatarPipeline, attributes: np.ndarray, seed: int = 0, **options: Any
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What ``generate_avatars`` returns, only ``BATCH`` at a time in memory."""
    for rows in batches(attributes):
        requests = [dict(zip(NAMES, row, strict=True)) for row in rows.tolist()]
        output = pipeline(requests, seed=range(seed, seed + len(rows)), output_type="np", **options)
        seed += len(rows)
        yield np.asarray(output.images), np.stack([to_row(a) for a in output.attributes])


def generate_avatars(
    pipeline: AvatarPipeline, attributes: np.ndarray, seed: int = 0, **options: Any
) -> tuple[np.ndarray, np.ndarray]:
    """One avatar for every row of ``attributes``.

    Args:
        attributes: integers [N, 18]; ``ANY`` leaves an attribute open.
        seed: of the first avatar; every following one has the next number.
        options: for the pipeline, such as ``num_inference_steps`` or ``size``.

    Returns:
        uint8 premultiplied RGBA [N, H, W, 4], and the complete attributes each avatar was generated
        with, int64 [N, 18].
    """
    images, told = zip(*generate_batches(pipeline, attributes, seed, **options), strict=True)
    return np.concatenate(images), np.concatenate(told)
