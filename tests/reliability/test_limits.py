"""The scheduler with a pipeline that waits, fails or lacks memory when it is told to."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from types import SimpleNamespace

import gradio as gr
import pytest

from ui import generation
from ui.errors import errors_as_sentences
from ui.generation import AvatarGenerator
from ui.inference import scheduler
from ui.inference.busy import BusyError
from ui.inference.scheduler import Scheduler
from ui.recipe import Recipe

SECONDS = 10


class Picture(str):
    """Stands in for one."""

    width = height = 64


class SlowPipeline:
    """Draws when ``go`` is set; remembers what it was asked for."""

    def __init__(self, pipeline):
        self.pipeline = pipeline
        self.go, self.asked = threading.Event(), []
        self.fits, self.error = 16, None

    def __getattr__(self, name):
        return getattr(self.pipeline, name)

    def __call__(self, looks, *, seed, callback, **settings):
        self.asked.append(list(seed))
        deadline = time.monotonic() + SECONDS
        while not self.go.wait(0.01) and time.monotonic() < deadline:
            callback(0, 0, None, None)
        if self.error:
            raise self.error
        if len(seed) > self.fits:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")
        return SimpleNamespace(images=[Picture(f"image {s}") for s in seed], attributes=looks)


@pytest.fixture
def slow(pipeline):
    return SlowPipeline(pipeline)


def recipe(pipeline, seed, **values):
    return Recipe.parse(pipeline, {"seed": seed, **values})


def until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_same_recipe_is_drawn_once_for_all(slow):
    made = Scheduler(slow)
    first = made.submit_all([recipe(slow, 1)])[0]
    until(lambda: slow.asked)
    others = [made.submit_all([recipe(slow, 1)])[0], *made.submit_all([recipe(slow, 1)] * 2)]
    made.abandon([first])  # the others still wait
    slow.go.set()
    assert {other.result(SECONDS).image for other in others} == {"image 1"}
    assert made.submit_all([recipe(slow, 1)])[0].result(0).image == "image 1"
    assert slow.asked == [[1]]
    with pytest.raises(CancelledError):
        first.result(0)


def test_what_nobody_waits_for_stops_the_sampler_or_leaves_the_line(slow):
    made = Scheduler(slow)
    running = made.submit_all([recipe(slow, 1)])[0]
    until(lambda: slow.asked)
    waiting = made.submit_all([recipe(slow, 2)])[0]
    made.abandon([running, waiting])
    until(lambda: made.waiting == 0)
    slow.go.set()
    made.submit_all([recipe(slow, 3)])[0].result(SECONDS)
    assert slow.asked == [[1], [3]]


def test_a_newcomer_is_drawn_before_the_rest_of_a_sheet(slow):
    made = Scheduler(slow)
    made.submit_all([recipe(slow, 0)])
    until(lambda: slow.asked)
    sheet = made.submit_all([recipe(slow, 100 + i) for i in range(111)], client="a")
    mine = made.submit_all([recipe(slow, 7)], client="b")[0]
    slow.go.set()
    for future in [mine, *sheet]:
        future.result(SECONDS)
    assert any(7 in batch for batch in slow.asked[:3])


def test_the_line_is_bounded_for_all_and_nobody_may_fill_it(slow):
    made = Scheduler(slow, max_waiting=3)
    made.submit_all([recipe(slow, 0)])
    until(lambda: slow.asked)
    kept, _, displaced = made.submit_all([recipe(slow, i) for i in (1, 2, 3)], client="a")
    with pytest.raises(
        BusyError, match=r"3 of your avatars and 0 of others are waiting, for about"
    ):
        made.submit_all([recipe(slow, 4)], client="a")
    with pytest.raises(BusyError, match="0 of your avatars and 3 of others are waiting"):
        made.submit_all([recipe(slow, i) for i in (5, 6, 7)], client="b")
    made.submit_all([recipe(slow, 5)], client="b")
    with pytest.raises(BusyError, match="many others are waiting"):
        displaced.result(SECONDS)
    assert not kept.done()
    joined = made.submit_all([recipe(slow, 2)], client="c")[0]  # costs nothing
    assert made.place([joined])[0] == 2
    slow.go.set()
    joined.result(SECONDS)


def test_a_long_batch_is_cut_into_short_ones(slow):
    made = Scheduler(slow)
    slow.go.set()
    long = {"num_inference_steps": 50, "guidance_scale": 3}
    made._duration.of_stage = [0.01]  # a second per image
    for future in made.submit_all([recipe(slow, i, **long) for i in range(3)]):
        future.result(SECONDS)
    assert slow.asked[0] == [0]


def test_out_of_memory_halves_until_it_fits(slow):
    made = Scheduler(slow)
    made._duration.of_stage, slow.fits = [1e-6], 2
    made.submit_all([recipe(slow, 99)])
    until(lambda: slow.asked)
    futures = made.submit_all([recipe(slow, i) for i in range(7)])
    slow.go.set()
    assert [f.result(SECONDS).image for f in futures] == [f"image {i}" for i in range(7)]
    assert slow.asked[1:] == [[*range(7)], [0, 1, 2], [0], [1, 2], [3, 4, 5, 6], [3, 4], [5, 6]]


def test_a_failure_reaches_those_who_wait_and_the_next_is_drawn(slow):
    made = Scheduler(slow)
    slow.error = RuntimeError("broken")
    slow.go.set()
    with pytest.raises(RuntimeError, match="broken"):
        made.submit_all([recipe(slow, 1)])[0].result(SECONDS)
    slow.error = None
    assert made.submit_all([recipe(slow, 1)])[0].result(SECONDS).image == "image 1"
    assert made.trouble == ""


def test_who_wants_to_be_alone_waits_for_its_turn_and_keeps_others_out(slow, monkeypatch):
    made = Scheduler(slow)
    slow.go.set()
    with made.alone() as tools:
        assert tools.generate is slow
        waiting = made.submit_all([recipe(slow, 1)])[0]
        time.sleep(0.05)
        assert not waiting.done()
    waiting.result(SECONDS)
    slow.go.clear()
    made.submit_all([recipe(slow, 2)])
    until(lambda: len(slow.asked) == 2)
    monkeypatch.setattr(scheduler, "TIME_LIMIT", 0.05)
    with pytest.raises(BusyError, match="was given up"), made.alone():
        pass
    slow.go.set()
    # The turn that was given up is passed over.
    made.submit_all([recipe(slow, 3)])[0].result(SECONDS)


def test_the_time_limit_frees_the_device(slow, monkeypatch):
    monkeypatch.setattr(generation, "TIME_LIMIT", 0.05)
    made = Scheduler(slow)
    sentence = "longer than 60 seconds and was given up"
    with pytest.raises(gr.Error, match=sentence), errors_as_sentences():
        AvatarGenerator(made).generate(recipe(slow, 1, num_images=4))
    until(lambda: made.waiting == 0)


def test_a_newer_request_replaces_the_one_before(slow, monkeypatch):
    monkeypatch.setattr(AvatarGenerator, "_avatar", lambda _, recipe, drawn: drawn.image)
    generator = AvatarGenerator(Scheduler(slow))
    with ThreadPoolExecutor(2) as threads:
        older = threads.submit(generator.generate, recipe(slow, 1), "visitor")
        until(lambda: slow.asked)
        newer = threads.submit(generator.generate, recipe(slow, 2), "visitor")
        with pytest.raises(CancelledError):
            older.result(SECONDS)
        slow.go.set()
        assert newer.result(SECONDS).avatars == ["image 2"]
    assert not generator._latest


def test_stop_ends_what_was_asked_for_before_it_whichever_comes_in_first(slow, monkeypatch):
    monkeypatch.setattr(AvatarGenerator, "_avatar", lambda _, recipe, drawn: drawn.image)
    generator = AvatarGenerator(Scheduler(slow))
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(generator.generate, recipe(slow, 1), "visitor", 1)
        until(lambda: slow.asked)
        generator.stop("visitor", 3)
        with pytest.raises(CancelledError):
            running.result(SECONDS)
        with pytest.raises(CancelledError):
            generator.generate(recipe(slow, 2), "visitor", 2)
        newer = threads.submit(generator.generate, recipe(slow, 4), "visitor", 4)
        until(lambda: generator._latest)
        with pytest.raises(CancelledError):  # a stop that comes in late
            generator.stop("visitor", 3)
        slow.go.set()
        assert newer.result(SECONDS).avatars == ["image 4"]


def test_a_preview_gives_way_to_what_was_asked_for(slow, monkeypatch):
    """The last preview of a slider may come in after the slider was let go."""
    monkeypatch.setattr(AvatarGenerator, "_avatar", lambda _, recipe, drawn: drawn.image)
    generator = AvatarGenerator(Scheduler(slow))
    with ThreadPoolExecutor(2) as threads:
        preview = threads.submit(generator.preview, recipe(slow, 1), "visitor")
        until(lambda: slow.asked)
        asked = threads.submit(generator.generate, recipe(slow, 2, num_images=3), "visitor")
        with pytest.raises(CancelledError):
            preview.result(SECONDS)
        with pytest.raises(CancelledError):
            generator.preview(recipe(slow, 2, num_images=3), "visitor")
        slow.go.set()
        assert len(asked.result(SECONDS).avatars) == 3
    # Later still, it shows what is there; of anything else a single image.
    assert len(generator.preview(recipe(slow, 2, num_images=3), "visitor").avatars) == 3
    assert len(generator.preview(recipe(slow, 9, num_images=3), "visitor").avatars) == 1


def test_at_the_end_nothing_is_accepted_and_what_is_being_drawn_is_finished(slow):
    made = Scheduler(slow)
    running = made.submit_all([recipe(slow, 1)], client="a")[0]
    until(lambda: slow.asked)
    waiting = made.submit_all([recipe(slow, 2)], client="b")[0]
    made.stop()
    for refused in (waiting.result, lambda *_: made.submit_all([recipe(slow, 3)])):
        with pytest.raises(BusyError, match="is being stopped"):
            refused(SECONDS)
    with pytest.raises(BusyError, match="is being stopped"), made.alone():
        pass
    slow.go.set()
    assert running.result(SECONDS).image == "image 1"


def test_what_takes_too_long_at_the_end_is_given_up(slow):
    made = Scheduler(slow)
    running = made.submit_all([recipe(slow, 1)])[0]
    until(lambda: slow.asked)
    made.stop()
    made.give_up()
    with pytest.raises(BusyError, match="is being stopped"):
        running.result(0)
    slow.go.set()


def test_who_waits_to_be_alone_leaves_when_nobody_listens(slow):
    made = Scheduler(slow)
    made.submit_all([recipe(slow, 1)])
    until(lambda: slow.asked)
    with pytest.raises(BusyError, match="nobody waits"), made.alone(listens=lambda: False):
        pass
    assert not len(made._queue)
    slow.go.set()


def test_a_sampler_that_stands_still_says_so(slow, monkeypatch):
    made = Scheduler(slow)
    assert made.trouble == ""
    monkeypatch.setattr(scheduler, "STANDSTILL_SECONDS", 0.05)
    made.submit_all([recipe(slow, 1)])
    until(lambda: made.trouble.startswith("nothing has moved for"))
    slow.go.set()
    until(lambda: made.trouble == "")


def test_what_is_short_does_not_wait_for_what_takes_seconds(slow):
    made = Scheduler(slow)
    made._duration.of_stage = [0.02]
    long = made.submit_all([recipe(slow, 1, num_inference_steps=50)], client="a")[0]
    until(lambda: slow.asked)
    also_long = made.submit_all([recipe(slow, 2, num_inference_steps=50)], client="b")[0]
    short = made.submit_all([recipe(slow, 3)], client="c")[0]
    until(lambda: len(slow.asked) == 2)  # within the first, which goes on afterwards
    assert slow.asked == [[1], [3]] and not long.done()
    slow.go.set()
    for future in (short, long, also_long):
        future.result(SECONDS)
    assert slow.asked == [[1], [3], [2]]
    assert made._duration.of_stage[0] < 1
