"""Sampling on ZeroGPU, with a stand-in for its package: what matters is what crosses processes."""

from __future__ import annotations

import pickle
import sys
from types import SimpleNamespace

import pytest

from ui.recipe import Recipe
from ui.studio import Studio
from ui.zero_gpu import on_zero_gpu


@pytest.fixture
def durations(monkeypatch):
    """Seconds asked for; every argument and result is pickled, as between ZeroGPU's processes."""
    asked = []

    def gpu(task, duration):
        def run(*args, **kwargs):
            args, kwargs = pickle.loads(pickle.dumps((args, kwargs)))
            asked.append(duration(*args, **kwargs))
            return pickle.loads(pickle.dumps(task(*args, **kwargs)))

        return run

    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=gpu))
    return asked


def test_the_picture_is_the_same_and_the_time_honest(pipeline, durations):
    recipe = Recipe.parse(pipeline, {"seed": 7, "num_inference_steps": 3, "guidance_scale": 2})
    drawn = Studio(pipeline).submit(recipe).result(30)
    plain = pipeline({}, seed=7, num_inference_steps=3, guidance_scale=2)
    assert drawn.image.tobytes() == plain.images[0].tobytes()
    assert durations == [pytest.approx(2 + 0.02 * 6)]


def test_elsewhere_nothing_changes(pipeline, monkeypatch):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    monkeypatch.setitem(sys.modules, "spaces", None)  # importing it would fail
    assert on_zero_gpu(pipeline) is pipeline
