"""ZeroGPU: the GPU of a Space that is lent for seconds at a time, by ``spaces.GPU``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from avatar_model import AvatarPipeline
from avatar_model.pipeline import AvatarOutput

FETCH_SECONDS = 2.0
"""To get the network onto the GPU; not measured, no ZeroGPU was at hand."""
EVALUATION_SECONDS = 0.02
"""Of the network, per image; many times what the CPU figures of benchmarks/ make likely."""


def on_zero_gpu(pipeline: AvatarPipeline) -> Callable[..., AvatarOutput]:
    """The pipeline's call; on ZeroGPU one that borrows the GPU for as long as it may take.

    Elsewhere nothing changes, and the package ``spaces`` is not needed. ``app.py`` imports it
    before torch, as it must be.
    """
    if not os.environ.get("SPACES_ZERO_GPU"):
        return pipeline
    import spaces

    def sample(attributes: Sequence[Any], *, callback: Any = None, **settings: Any) -> AvatarOutput:
        # In another process, to which no function can be sent: once begun, a batch is finished.
        return borrowed(attributes, **settings)

    borrowed = spaces.GPU(pipeline.__call__, duration=seconds_needed)
    return sample


def seconds_needed(
    attributes: Sequence[Any], *, num_inference_steps: int, guidance_scale: float, **_: Any
) -> float:
    """For a batch: a visitor has minutes a day, so it should not be many."""
    evaluations = num_inference_steps * (1 if guidance_scale == 1 else 2)
    return FETCH_SECONDS + EVALUATION_SECONDS * evaluations * len(attributes)
