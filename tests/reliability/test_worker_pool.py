"""What takes long besides drawing: few threads, in turns, and nothing for whom nobody waits."""

from __future__ import annotations

import threading

import pytest

from ui.inference.busy import BusyError
from ui.inference.worker_pool import WorkerPool

SECONDS = 10


@pytest.fixture
def held():
    """A pool of one thread, which is held up until ``go`` is set; and what was done since."""
    pool, go, done = WorkerPool(1), threading.Event(), []
    begun = threading.Event()
    pool.submit(lambda: (begun.set(), go.wait(SECONDS)), client="first")
    assert begun.wait(SECONDS)
    yield pool, go, done
    go.set()


def test_a_light_visitor_does_not_wait_for_many_who_want_posters(held):
    pool, go, done = held
    for client in range(40):
        for _ in range(5):
            pool.submit(lambda: done.append("poster"), client=str(client), seconds=0.2)
    light = pool.submit(lambda: done.append("thumbnail"), client="light", seconds=0.005)
    go.set()
    light.result(SECONDS)
    assert done[:1] == ["thumbnail"]


def test_what_is_cancelled_leaves_the_line_at_once_and_is_never_done(held):
    pool, go, done = held
    futures = [pool.submit(lambda: done.append(1), client="a", seconds=1) for _ in range(200)]
    for future in futures:
        future.cancel()
    assert pool.waiting == 0
    go.set()
    pool.submit(lambda: done.append(2)).result(SECONDS)
    assert done == [2] and pool.busy <= 1


def test_one_cannot_fill_it_for_others():
    pool, go, begun, accepted = (
        WorkerPool(1, max_waiting=8),
        threading.Event(),
        threading.Event(),
        0,
    )
    pool.submit(lambda: (begun.set(), go.wait(SECONDS)))
    assert begun.wait(SECONDS)
    with pytest.raises(BusyError, match="too many files"):
        while accepted < 100:
            pool.submit(lambda: None, client="a")
            accepted += 1
    assert accepted == 8
    mine = [pool.submit(lambda: None, client="b") for _ in range(3)]
    go.set()
    for future in mine:
        future.result(SECONDS)


def test_an_error_reaches_who_asked_and_the_thread_goes_on():
    pool = WorkerPool(1)
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 // 0).result(SECONDS)
    assert pool.submit(lambda: 7).result(SECONDS) == 7
