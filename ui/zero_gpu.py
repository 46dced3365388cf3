"""ZeroGPU: the GPU of a Space that is lent for seconds at a time, by ``spaces.GPU``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from avatar_model import AvatarPipeline
from avatar_model.film import FilmFrame, film
from avatar_model.pipeline import AvatarOutput

FETCH_SECONDS = 2.0
"""To get the network onto the GPU; not measured, no ZeroGPU was at hand."""
EVALUATION_SECONDS = 0.02
"""Of the network, per image; many times what the CPU figures of benchmarks/ make likely."""


@dataclass(frozen=True)
class Tools:
    """All that evaluates the network, ready to be called by one thread at a time.

    Attributes:
        sample: the pipeline's ``__call__``. film: ``film.film``. morph: the pipeline's ``morph``.
    """

    sample: Callable[..., AvatarOutput]
    film: Callable[..., list[FilmFrame]]
    morph: Callable[..., list[Image.Image]]


def tools_of(pipeline: AvatarPipeline) -> Tools:
    """What draws with a pipeline; on ZeroGPU it borrows the GPU for as long as it may take.

    Elsewhere the package ``spaces`` is not needed. ``app.py`` imports it before torch, as it must
    be.
    """

    def film_of(looks: Any, **settings: Any) -> list[FilmFrame]:
        return film(pipeline, looks, **settings)

    if not os.environ.get("SPACES_ZERO_GPU"):
        return Tools(pipeline, film_of, pipeline.morph)
    import spaces

    sample = spaces.GPU(pipeline.__call__, duration=seconds_for_samples)

    def sample_without_callback(
        attributes: Sequence[Any], *, callback: Any = None, **settings: Any
    ) -> AvatarOutput:
        # In another process, to which no function can be sent: once begun, a batch is finished.
        return sample(attributes, **settings)

    def seconds_for_morph(*looks: Any, num_frames: int, **_: Any) -> float:
        default = pipeline.defaults
        return _seconds(default["num_inference_steps"] * num_frames, default["guidance_scale"])

    return Tools(
        sample_without_callback,
        spaces.GPU(film_of, duration=seconds_for_film),
        spaces.GPU(pipeline.morph, duration=seconds_for_morph),
    )


def seconds_for_samples(
    attributes: Sequence[Any], *, num_inference_steps: int, guidance_scale: float, **_: Any
) -> float:
    """For a batch: a visitor has minutes a day, so it should not be many."""
    return _seconds(num_inference_steps * len(attributes), guidance_scale)


def seconds_for_film(
    looks: Any, *, num_inference_steps: int, guidance_scale: float, **_: Any
) -> float:
    """For a film strip."""
    return _seconds(num_inference_steps, guidance_scale)


def _seconds(evaluations: int, guidance_scale: float = 1) -> float:
    return FETCH_SECONDS + EVALUATION_SECONDS * evaluations * (1 if guidance_scale == 1 else 2)
