"""ZeroGPU: the GPU of a Space that is lent for seconds at a time, by ``spaces.GPU``."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from avatar_model import AvatarPipeline
from avatar_model.cascade import SETTINGS
from avatar_model.film import FilmFrame, film
from avatar_model.pipeline import AvatarOutput

FETCH_SECONDS = 2.0
"""To get the network onto the GPU; not measured, no ZeroGPU was at hand."""
EVALUATION_SECONDS = (0.02, 0.08)
"""Of the network of each stage, per image; many times what the CPU figures of benchmarks/ make
likely."""


def begin() -> None:
    """Once all that borrows the GPU is known: what ``Blocks.launch`` does there, which we lack."""
    if os.environ.get("SPACES_ZERO_GPU"):
        from spaces.zero import startup

        startup()


@dataclass(frozen=True)
class Tools:
    """All that evaluates the network, ready to be called by one thread at a time.

    Attributes:
        generate: the pipeline's ``__call__``. film: ``film.film``. morph: the pipeline's ``morph``.
    """

    generate: Callable[..., AvatarOutput]
    film: Callable[..., list[FilmFrame]]
    morph: Callable[..., list[Image.Image]]


def tools_of(pipeline: AvatarPipeline) -> Tools:
    """What generates with a pipeline; on ZeroGPU it borrows the GPU for as long as it may take.

    Elsewhere the package ``spaces`` is not needed. ``app.py`` imports it before torch, as it must
    be.
    """

    def film_of(looks: Any, **settings: Any) -> list[FilmFrame]:
        return film(pipeline, looks, **settings)

    if not os.environ.get("SPACES_ZERO_GPU"):
        return Tools(pipeline, film_of, pipeline.morph)
    import spaces

    def seconds(images: int = 1, **options: Any) -> float:
        """A visitor has minutes a day, so it should not be many."""
        settings = {name: value for name, value in options.items() if name in SETTINGS}
        counts = pipeline.evaluations(**settings)
        each = zip(EVALUATION_SECONDS, counts, strict=False)
        return FETCH_SECONDS + images * sum(pace * count for pace, count in each)

    generate = spaces.GPU(pipeline.__call__, duration=lambda looks, **s: seconds(len(looks), **s))

    def without_callback(looks: Any, *, callback: Any = None, **settings: Any) -> Any:
        # In another process, to which no function can be sent: once begun, a batch is finished.
        return generate(looks, **settings)

    return Tools(
        without_callback,
        spaces.GPU(film_of, duration=lambda looks, **s: seconds(**s)),
        spaces.GPU(
            pipeline.morph, duration=lambda *looks, num_frames, **s: seconds(num_frames, **s)
        ),
    )
