"""The scheduler: who is drawn with whom, in which order, and what happens when something fails."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from avatar_model.attributes import NAMES
from ui.inference.scheduler import MAX_IMAGES, BusyError, Scheduler
from ui.recipe import Recipe

SECONDS = 20


class Sampler:
    """Stands in for a pipeline: notes what it is given, and waits until it may go on."""

    morph = None
    sizes = (64,)

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.settings: list[dict] = []
        self.errors: list[Exception] = []
        self.may_go_on = threading.Event()
        self.started = threading.Event()

    def __call__(self, looks, *, seed, callback, **settings):
        self.batches.append(list(seed))
        self.settings.append(settings)
        self.started.set()
        while not self.may_go_on.wait(0.01):
            callback()
        if self.errors:
            raise self.errors.pop(0)
        return SimpleNamespace(images=[Image.new("RGBA", (1, 1))] * len(seed), attributes=looks)

    def evaluations(self, size=64, num_inference_steps=1, **settings):
        """Those of a base without guidance, and of an upscaler of one step."""
        return [num_inference_steps, 1][: 1 + (size != 64)]


@pytest.fixture
def sampler():
    return Sampler()


@pytest.fixture
def scheduler(sampler, monkeypatch):
    """Its thread is at work on seed 0, which goes on when the test says so."""
    monkeypatch.setattr("ui.inference.scheduler.BATCH_SECONDS", 1e9)  # see test_a_batch_is_short
    scheduler = Scheduler(sampler, max_waiting=40)
    scheduler.first = scheduler.submit_all([wanted(0)])[0]
    assert sampler.started.wait(SECONDS)
    yield scheduler
    sampler.may_go_on.set()


def wanted(seed, hair=1, scale=1.0):
    looks = tuple(hair if name == "hair" else 0 for name in NAMES)
    return Recipe(looks, seed, scale, "classic", 4, "ddim")


def test_what_differs_in_looks_and_seed_only_is_drawn_together(scheduler, sampler):
    mixed = [wanted(1), wanted(2, scale=3.0), wanted(3, hair=5), wanted(4, scale=3.0), wanted(5)]
    futures = scheduler.submit_all(mixed)
    sampler.may_go_on.set()
    for future, recipe in zip(futures, mixed, strict=True):
        assert future.result(SECONDS).values["hair"] == recipe.looks[NAMES.index("hair")]
    assert sampler.batches == [[0], [1, 3, 5], [2, 4]]
    assert [settings["guidance_scale"] for settings in sampler.settings] == [1.0, 1.0, 3.0]


def test_a_batch_has_a_limit(scheduler, sampler):
    futures = scheduler.submit_all([wanted(seed) for seed in range(1, 31)])
    sampler.may_go_on.set()
    futures[-1].result(SECONDS)
    assert sampler.batches[1:] == [list(range(1, MAX_IMAGES + 1)), list(range(MAX_IMAGES + 1, 31))]


def test_a_batch_is_short(sampler):
    """One that cannot be interrupted is made no longer than BATCH_SECONDS, if it can."""
    sampler.may_go_on.set()
    scheduler = Scheduler(sampler)
    futures = scheduler.submit_all(
        [replace(wanted(seed), num_inference_steps=50) for seed in (1, 2)]
    )
    for future in futures:
        future.result(SECONDS)
    assert sampler.batches == [[1], [2]]


def test_urgent_ones_come_first(scheduler, sampler):
    patient = scheduler.submit_all([wanted(1, scale=2.0)])[0]
    also_patient = scheduler.submit_all([wanted(2)])[0]
    urgent = scheduler.submit_all([wanted(3, scale=4.0)], urgent=True)[0]
    sampler.may_go_on.set()
    for future in (patient, also_patient, urgent):
        future.result(SECONDS)
    assert sampler.batches == [[0], [3], [1], [2]]


@pytest.mark.parametrize(
    "other", [{"num_inference_steps": 5}, {"guidance_scale": 1.1}, {"sampler": "ddpm"}]
)
def test_what_differs_otherwise_is_drawn_apart(scheduler, sampler, other):
    futures = scheduler.submit_all([wanted(1), replace(wanted(2), **other), wanted(3)])
    sampler.may_go_on.set()
    for future in futures:
        future.result(SECONDS)
    assert sampler.batches == [[0], [1, 3], [2]]


def test_sizes_are_drawn_apart_and_remembered_apart(scheduler, sampler):
    large = scheduler.submit_all([wanted(0)], 256)[0]
    futures = scheduler.submit_all([wanted(1), wanted(2)])
    more = scheduler.submit_all([wanted(1), wanted(0)], 256)
    assert scheduler.waiting == 5  # the last one joins the first
    sampler.may_go_on.set()
    drawn = [future.result(SECONDS) for future in [scheduler.first, large, *futures, *more]]
    assert drawn[1] is drawn[5] is not drawn[0]
    assert sampler.batches == [[0], [0, 1], [1, 2]]
    assert [settings["size"] for settings in sampler.settings] == [64, 256, 64]
    assert scheduler.is_cached([wanted(0), wanted(1)], 256) and scheduler.is_cached([wanted(2)], 64)
    assert not scheduler.is_cached([wanted(2)], 256)
    assert scheduler.is_cached([wanted(2)])  # the largest that this one draws


def test_who_asks_for_what_waits_already_joins_and_may_hurry_it(scheduler, sampler):
    patient = scheduler.submit_all([wanted(1, scale=2.0), wanted(2, scale=3.0)])
    urgent = scheduler.submit_all([wanted(2, scale=3.0)], urgent=True)[0]
    assert scheduler.waiting == 3
    sampler.may_go_on.set()
    patient[0].result(SECONDS)
    assert urgent.result(SECONDS) is patient[1].result(SECONDS)
    assert sampler.batches == [[0], [2], [1]]


def test_what_was_drawn_is_not_drawn_again(scheduler, sampler):
    sampler.may_go_on.set()
    first = scheduler.first.result(SECONDS)
    assert scheduler.submit_all([wanted(0)])[0].result(0) is first
    assert sampler.batches == [[0]]


def test_abandoned_ones_that_wait_are_never_drawn(scheduler, sampler):
    future, other = scheduler.submit_all([wanted(1), wanted(2)])
    scheduler.abandon([future])
    sampler.may_go_on.set()
    other.result(SECONDS)
    with pytest.raises(CancelledError):
        future.result(SECONDS)
    assert sampler.batches == [[0], [2]]


def test_a_batch_that_everybody_abandons_stops_half_way(scheduler, sampler):
    scheduler.abandon([scheduler.first])
    with pytest.raises(CancelledError):
        scheduler.first.result(SECONDS)
    assert not sampler.may_go_on.is_set()


def test_a_batch_goes_on_while_anybody_waits(scheduler, sampler):
    abandoned, kept = scheduler.submit_all([wanted(1), wanted(2)])
    sampler.started.clear()
    scheduler.abandon([scheduler.first])
    assert sampler.started.wait(SECONDS)
    scheduler.abandon([abandoned])
    sampler.may_go_on.set()
    assert kept.result(SECONDS)
    assert sampler.batches == [[0], [1, 2]]


def test_too_many_are_refused_all_or_none(scheduler, sampler):
    assert scheduler.waiting == 1
    scheduler.submit_all([wanted(seed) for seed in range(1, 40)])
    with pytest.raises(BusyError, match="39 of your avatars and 0 of others are waiting"):
        scheduler.submit_all([wanted(50), wanted(51)])
    assert scheduler.waiting == 40
    last = scheduler.submit_all([wanted(50)])[0]
    sampler.may_go_on.set()
    last.result(SECONDS)
    assert _soon(lambda: scheduler.waiting == 0)
    assert not any(51 in batch for batch in sampler.batches)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: not enough memory: you tried")]
)
def test_out_of_memory_halves_the_batch(scheduler, sampler, error):
    futures = scheduler.submit_all([wanted(seed) for seed in range(1, 6)])
    sampler.errors = []
    sampler.started.clear()
    sampler.may_go_on.set()
    scheduler.first.result(SECONDS)
    assert all(future.result(SECONDS) for future in futures)
    sampler.batches.clear()
    sampler.errors = [error]
    sampler.may_go_on.clear()
    blocker = scheduler.submit_all([wanted(100, scale=9.0)])[0]
    futures = scheduler.submit_all([wanted(seed) for seed in range(11, 16)])
    sampler.errors.insert(0, ValueError("nonsense"))
    sampler.may_go_on.set()
    with pytest.raises(ValueError, match="nonsense"):
        blocker.result(SECONDS)
    assert all(future.result(SECONDS) for future in futures)
    assert sampler.batches == [[100], [11, 12, 13, 14, 15], [11, 12], [13, 14, 15]]


def test_one_avatar_that_does_not_fit_is_an_error(scheduler, sampler):
    sampler.errors = [MemoryError()]
    sampler.may_go_on.set()
    with pytest.raises(MemoryError):
        scheduler.first.result(SECONDS)
    assert scheduler.submit_all([wanted(1)])[0].result(SECONDS)  # and the scheduler lives on


def test_who_is_alone_draws_no_avatar_meanwhile(sampler):
    sampler.may_go_on.set()
    scheduler = Scheduler(sampler)
    with scheduler.alone() as tools:
        assert tools.generate is sampler
        future = scheduler.submit_all([wanted(1)])[0]
        assert not sampler.started.wait(0.1)
    assert future.result(SECONDS)


def test_results_do_not_depend_on_the_batch(pipeline):
    """Drawn alone or among others: the same up to the rounding of sums."""
    recipes = [wanted(seed, hair=seed) for seed in range(6)]
    together = [f.result(SECONDS) for f in Scheduler(pipeline).submit_all(recipes)]
    alone = Scheduler(pipeline)
    for recipe, drawn in zip(recipes, together, strict=True):
        single = alone.submit_all([recipe])[0].result(SECONDS)
        assert single.values == drawn.values
        a, b = (np.asarray(d.image.convert("RGBa"), dtype=int) for d in (single, drawn))
        assert abs(a - b).max() <= 1
    assert len({drawn.image.tobytes() for drawn in together}) == 6


def _soon(condition):
    deadline = time.monotonic() + SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()
