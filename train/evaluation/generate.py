"""Draw the avatars that an evaluation looks at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from avatar_model import AvatarPipeline
from avatar_model.attributes import ANY, NAMES

BATCH = 32


def generate_batches(
    pipeline: AvatarPipeline, attributes: np.ndarray, seed: int = 0, **options: object
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What ``generate_avatars`` returns, only ``BATCH`` at a time in memory."""
    for start in range(0, len(attributes), BATCH):
        rows = attributes[start : start + BATCH].tolist()
        requests = [
            {name: value for name, value in zip(NAMES, row, strict=True) if value != ANY}
            for row in rows
        ]
        seeds = range(seed + start, seed + start + len(rows))
        output = pipeline(requests, seed=seeds, output_type="np", **options)
        told = [[values[name] for name in NAMES] for values in output.attributes]
        yield output.images, np.array(told, dtype=np.int64)


def generate_avatars(
    pipeline: AvatarPipeline, attributes: np.ndarray, seed: int = 0, **options: object
) -> tuple[np.ndarray, np.ndarray]:
    """One avatar for every row of ``attributes``.

    Args:
        attributes: integers [N, 18]; ``ANY`` leaves an attribute open.
        seed: of the first avatar; every following one has the next number.
        options: for the pipeline, such as ``num_inference_steps`` or ``size``.

    Returns:
        uint8 premultiplied RGBA [N, H, W, 4], and the complete attributes each avatar was drawn
        with, int64 [N, 18].
    """
    images, drawn = zip(*generate_batches(pipeline, attributes, seed, **options), strict=True)
    return np.concatenate(images), np.concatenate(drawn)
