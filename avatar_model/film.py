"""The denoising film strip: how one avatar came out of the noise, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image
from torch import Tensor

from .cascade import SETTINGS, STAGES
from .images import to_pil, to_pixels

if TYPE_CHECKING:
    from .pipeline import AvatarOutput, AvatarPipeline


class State(NamedTuple):
    """Where a sampler is: t, and at it x_t and the model's x_0 estimate of it, [N, C, H, W].

    Attributes:
        stage: one of ``STAGES``; H and W are the size of its pictures.
    """

    t: float
    x: Tensor
    x0: Tensor
    stage: str = STAGES[0]


@dataclass(frozen=True)
class FilmFrame:
    """A state of the sampler as pictures, mode RGBA.

    Attributes:
        t: 1 is pure noise, 0 the finished avatar.
        noisy: x_t; its opacity is as noisy as its colours, so noise is half-transparent.
        estimate: what the model took that x_t for.
        stage: one of ``STAGES``; the pictures of the upscaler are larger.
    """

    t: float
    noisy: Image.Image
    estimate: Image.Image
    stage: str = STAGES[0]


def record(
    pipeline: AvatarPipeline, attributes: Any = None, **options: Any
) -> tuple[list[State], AvatarOutput]:
    """Call the pipeline, with all options but ``callback`` and ``output_type``; keep every state.

    Returns:
        S + 1 states for S steps, from the pure noise at t = 1 to the avatars at t = 0, which are
        their own estimate; where the upscaler takes part, its own follow alike; and what the
        pipeline returned, with images as for "np".

    Raises:
        ValueError: as the pipeline does.
    """
    runs: list[list[State]] = []  # of each stage

    def keep(step: int, t: float, x: Tensor, x0: Tensor) -> None:
        if step == 0:
            runs.append([])
        runs[-1].append(State(t, x, x0))

    output = pipeline(attributes, **options, output_type="np", callback=keep)
    states: list[State] = []
    of_stages = pipeline.settings(**{n: v for n, v in options.items() if n in SETTINGS})
    for name, stage, settings, run in zip(STAGES, pipeline.stages, of_stages, runs, strict=False):
        # A callback tells what a step led to; its estimate belongs to where the step came from.
        start = stage.noise(output.seeds, settings.guidance)
        reached = [(1.0, start), *((s.t, s.x) for s in run)]
        estimates = [*(s.x0 for s in run), run[-1].x]
        states += [State(t, x, x0, name) for (t, x), x0 in zip(reached, estimates, strict=True)]
    return states, output


def film(
    pipeline: AvatarPipeline,
    attributes: Mapping[str, Any] | None = None,
    *,
    num_inference_steps: int = 12,
    seed: int | None = None,
    **settings: Any,
) -> list[FilmFrame]:
    """Generate one avatar and show every step of every stage.

    With other steps than the page's, the last frame is not quite the avatar shown there
    (docs/model.md).

    Args:
        num_inference_steps: S, of the base. More than such a model needs, to have something to look
            at; an upscaler takes its own default.
        attributes, seed, settings: as for the pipeline's ``__call__``.

    Returns:
        S + 1 frames of the base, S being more where the model needs it (see ``__call__``). The
        first is what it starts from, mostly pure noise, whose estimate is what one step alone would
        generate, and the last the picture. If ``size`` is the upscaler's, its frames follow, one
        more than its steps, from noise of its own. The last of all is the avatar that ``__call__``
        generates with the same arguments.

    Raises:
        ValueError: as the pipeline does.
    """
    if attributes is not None and not isinstance(attributes, Mapping):
        raise ValueError(
            f"attributes must be one mapping of a single avatar, not {attributes!r:.60}"
        )
    states, _ = record(
        pipeline,
        attributes,
        num_inference_steps=num_inference_steps,
        seed=seed,
        **settings,
    )

    def picture(x: Tensor) -> Image.Image:
        return to_pil(to_pixels(x[0], pipeline.network.config.pixel_range))

    return [FilmFrame(s.t, picture(s.x), picture(s.x0), s.stage) for s in states]
