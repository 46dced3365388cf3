"""ZeroGPU: the GPU of a Space that is lent for seconds at a time, by ``spaces.GPU``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from avatar_model import AvatarPipeline
from avatar_model.film import FilmFrame, film
from avatar_model.pipeline import AvatarOutput, evaluations

FETCH_SECONDS = 2.0
"""To get the network onto the GPU; not measured, no ZeroGPU was at hand."""
EVALUATION_SECONDS = (0.02, 0.08)
"""Of the network of each stage, per image; many times what the CPU figures of benchmarks/ make
likely."""


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

    largest = pipeline.sizes[-1]

    def seconds(images: int, size: int, steps: int, guidance_scale: float) -> float:
        """A visitor has minutes a day, so it should not be many."""
        counts = evaluations(pipeline, size, steps, guidance_scale)
        each = zip(EVALUATION_SECONDS, counts, strict=False)
        return FETCH_SECONDS + images * sum(pace * count for pace, count in each)

    def seconds_for_samples(
        attributes: Sequence[Any],
        *,
        size: int,
        num_inference_steps: int,
        guidance_scale: float,
        **_: Any,
    ) -> float:
        return seconds(len(attributes), size, num_inference_steps, guidance_scale)

    def seconds_for_film(
        looks: Any, *, num_inference_steps: int, guidance_scale: float, **_: Any
    ) -> float:
        return seconds(1, largest, num_inference_steps, guidance_scale)

    def seconds_for_morph(*looks: Any, num_frames: int, **_: Any) -> float:
        steps = pipeline.defaults["num_inference_steps"]
        return seconds(num_frames, largest, steps, pipeline.defaults["guidance_scale"])

    sample = spaces.GPU(pipeline.__call__, duration=seconds_for_samples)

    def sample_without_callback(
        attributes: Sequence[Any], *, callback: Any = None, **settings: Any
    ) -> AvatarOutput:
        # In another process, to which no function can be sent: once begun, a batch is finished.
        return sample(attributes, **settings)

    return Tools(
        sample_without_callback,
        spaces.GPU(film_of, duration=seconds_for_film),
        spaces.GPU(pipeline.morph, duration=seconds_for_morph),
    )
