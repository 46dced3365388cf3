"""How long generating takes: counted in evaluations of a network, measured as they go by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from avatar_model import AvatarPipeline
from ui.inference.batch_runner import ImageRequest

SECONDS_PER_EVALUATION = (0.05, 0.2)
"""Per image, of each stage's network, until they are known better."""


class DurationEstimate:
    """Seconds per image and evaluation of each stage's network, of late."""

    def __init__(self, pipeline: AvatarPipeline) -> None:
        self._counts = lru_cache(1024)(pipeline.evaluations)  # asked of all that wait, under a lock
        self.of_stage = list(SECONDS_PER_EVALUATION)

    def seconds(self, request: ImageRequest) -> float:
        """What one image takes."""
        return self._sum(self._evaluations(request))

    def seconds_of(self, settings: Mapping[str, Any]) -> float:
        """What one image takes with these settings of ``Cascade.settings``, the others default."""
        return self._sum(self._counts(**settings))

    def learn(self, request: ImageRequest, seconds: float) -> None:
        """From what one image took.

        Only the sum over the stages is seen, so all that took part are held to be equally too fast
        or too slow; small pictures, which the base generates alone, tell them apart.
        """
        ratio = seconds / self.seconds(request)
        for stage, _ in enumerate(self._evaluations(request)):
            self.of_stage[stage] = max(self.of_stage[stage] * (1 + 0.3 * (ratio - 1)), 1e-6)

    def _sum(self, counts: list[int]) -> float:
        return sum(each * count for each, count in zip(self.of_stage, counts, strict=False))

    def _evaluations(self, request: ImageRequest) -> list[int]:
        return self._counts(size=request.size, **request.recipe.settings)
