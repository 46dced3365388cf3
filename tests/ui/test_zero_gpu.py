"""Sampling on ZeroGPU, with a stand-in for its package: what matters is what crosses processes."""

from __future__ import annotations

import pickle
import sys
from contextvars import ContextVar
from types import SimpleNamespace

import pytest

from avatar_model.film import film
from ui.inference.scheduler import Scheduler
from ui.inference.zero_gpu import Tools, tools_of
from ui.recipe import Recipe


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
    drawn = Scheduler(pipeline).submit_all([recipe])[0].result(30)
    plain = pipeline({}, seed=7, num_inference_steps=3, guidance_scale=2)
    assert drawn.image.tobytes() == plain.images[0].tobytes()
    assert durations == [pytest.approx(2 + 0.02 * 6)]


def test_large_pictures_take_longer(large_pipeline, durations):
    recipe = Recipe.parse(large_pipeline, {"seed": 7, "num_inference_steps": 3})
    scheduler = Scheduler(large_pipeline)
    sizes = [scheduler.submit_all([recipe], size)[0].result(30).image.width for size in (64, 256)]
    with scheduler.alone() as tools:
        tools.film({}, seed=7, num_inference_steps=3, guidance_scale=1.0)
        frames = tools.morph({"hair": 3}, {"hair": 4}, num_frames=5, seed=7)
    assert sizes == [64, 256] and frames[0].width == 256
    one = 2 + 0.02 * 3 + 0.08
    assert durations == pytest.approx([2 + 0.02 * 3, one, one, 2 + 5 * (0.02 * 4 + 0.08)])


def test_films_and_morphs_borrow_it_too(pipeline, durations):
    settings = {"seed": 7, "num_inference_steps": 3}
    with Scheduler(pipeline).alone() as tools:
        frames = tools.film({"hair": 3}, **settings, guidance_scale=2)
        morph = tools.morph({"hair": 3}, {"hair": 4}, num_frames=5, seed=7)
    assert [f.noisy for f in frames] == [
        f.noisy for f in film(pipeline, {"hair": 3}, **settings, guidance_scale=2)
    ]
    assert len(morph) == 5
    assert durations == [pytest.approx(2 + 0.02 * 6), pytest.approx(2 + 0.02 * 5 * 4)]


def test_who_asked_is_known_while_it_is_drawn(pipeline, monkeypatch):
    """ZeroGPU looks there for the visitor whose quota it is."""
    visitor, found = ContextVar("visitor", default="nobody"), []

    def sample(*args, **settings):
        found.append(visitor.get())
        return pipeline(*args, **settings)

    monkeypatch.setattr("ui.inference.scheduler.tools_of", lambda _: Tools(sample, None, None))
    visitor.set("Ada")
    Scheduler(pipeline).submit_all([Recipe.parse(pipeline, {"seed": 7})])[0].result(30)
    assert found == ["Ada"]


def test_elsewhere_nothing_changes(pipeline, monkeypatch):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    monkeypatch.setitem(sys.modules, "spaces", None)  # importing it would fail
    assert tools_of(pipeline).generate is pipeline
