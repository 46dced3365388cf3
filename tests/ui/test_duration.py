"""How long drawing is taken to last, for pictures of one stage and of two."""

from __future__ import annotations

import pytest

from ui.inference.batch_runner import ImageRequest
from ui.inference.duration import DurationEstimate
from ui.recipe import Recipe


@pytest.mark.parametrize(
    ("size", "steps", "scale", "counts"),
    [
        (64, 3, 1, [3]),
        (64, 3, 2, [6]),
        (256, 3, 1, [3, 1]),
        (256, 3, 2, [6, 1]),  # it exaggerates nothing
        (256, 3, 0.5, [6, 2]),
    ],
)
def test_evaluations_are_those_of_the_networks(large_pipeline, size, steps, scale, counts):
    assert (
        large_pipeline.evaluations(size=size, num_inference_steps=steps, guidance_scale=scale)
        == counts
    )
    asked = [0, 0]
    stages = [large_pipeline.base, large_pipeline.upscaler][: len(counts)]
    hooks = [
        stage.network.unet.register_forward_hook(lambda _, x, __, i=i: _count(asked, i, len(x[0])))
        for i, stage in enumerate(stages)
    ]
    large_pipeline({}, seed=7, size=size, num_inference_steps=steps, guidance_scale=scale)
    for hook in hooks:
        hook.remove()
    assert asked[: len(counts)] == counts


def _count(asked, stage, images):
    asked[stage] += images


def test_the_pace_of_each_stage_is_found(large_pipeline):
    """From sums alone, as small and large pictures go by."""
    estimate = DurationEstimate(large_pipeline)
    assert estimate.of_stage[1] == 4 * estimate.of_stage[0]
    recipe = Recipe.parse(large_pipeline, {"num_inference_steps": 1})
    small, large = ImageRequest(recipe, 64), ImageRequest(recipe, 256)
    for _ in range(40):
        estimate.learn(small, 0.01)
        estimate.learn(large, 0.01 + 0.07)
    assert estimate.of_stage == [pytest.approx(0.01, rel=0.1), pytest.approx(0.07, rel=0.1)]
    guided = ImageRequest(
        Recipe.parse(large_pipeline, {"num_inference_steps": 10, "guidance_scale": 3}), 256
    )
    assert estimate.seconds(guided) == pytest.approx(20 * 0.01 + 0.07, rel=0.1)


def test_no_time_at_all_is_never_divided_by(large_pipeline):
    estimate = DurationEstimate(large_pipeline)
    for _ in range(100):
        estimate.learn(ImageRequest(Recipe.parse(large_pipeline, {}), 256), 0)
    assert min(estimate.of_stage) > 0
