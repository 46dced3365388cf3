"""How long drawing takes: counted in evaluations of a network, measured as they go by."""

from __future__ import annotations

from avatar_model import AvatarPipeline
from avatar_model.pipeline import evaluations

from .batch import Wanted

PACE = (0.05, 0.2)
"""Seconds per image and evaluation of each stage's network, until they are known better."""


class Pace:
    """Seconds per image and evaluation of each stage's network, of late."""

    def __init__(self, pipeline: AvatarPipeline) -> None:
        self.pipeline = pipeline
        self.of_stage = list(PACE)

    def seconds(self, wanted: Wanted) -> float:
        """What one image takes."""
        counts = self._evaluations(wanted)
        return sum(pace * count for pace, count in zip(self.of_stage, counts, strict=False))

    def learn(self, wanted: Wanted, seconds: float) -> None:
        """From what one image took.

        Only the sum over the stages is seen, so all that took part are held to be equally too fast
        or too slow; small pictures, which the base draws alone, tell them apart.
        """
        ratio = seconds / self.seconds(wanted)
        for stage, _ in enumerate(self._evaluations(wanted)):
            self.of_stage[stage] = max(self.of_stage[stage] * (1 + 0.3 * (ratio - 1)), 1e-6)

    def _evaluations(self, wanted: Wanted) -> list[int]:
        recipe = wanted.recipe
        return evaluations(
            self.pipeline, wanted.size, recipe.num_inference_steps, recipe.guidance_scale
        )
