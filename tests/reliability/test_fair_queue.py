"""Who is next: clients take turns, what is urgent goes first, and nobody waits for ever."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.inference.fair_queue import URGENT_SHARE, FairQueue


@dataclass(eq=False)
class Job:
    client: str
    urgent: bool = True
    kind: int = 0
    seconds: float = 1.0


def queue_of(*jobs):
    queue = FairQueue()
    for job in jobs:
        queue.add(job)
    return queue


def test_a_newcomer_waits_for_no_turn_of_a_client_with_many():
    many = [Job("a") for _ in range(111)]
    queue = queue_of(*many)
    assert queue.next() is many[0]
    newcomer = Job("b")
    queue.add(newcomer)
    assert queue.before(newcomer) == 0
    assert [queue.next(), queue.next()] == [newcomer, many[1]]


def test_urgent_goes_first_but_the_other_is_not_starved():
    thumbnail = Job("a", urgent=False, seconds=0.1)
    queue = queue_of(thumbnail, *(Job("b", seconds=0.1) for _ in range(10)))
    drawn = [queue.next() for _ in range(URGENT_SHARE + 1)]
    assert thumbnail in drawn[2:]


def test_a_picture_does_not_wait_for_its_own_thumbnails_nor_those_of_many():
    queue = queue_of(*(Job(f"{i % 50}", urgent=False) for i in range(1000)))
    for _ in range(100):
        queue.next()
    queue.add(picture := Job("7"))
    assert queue.before(picture) == 0


def test_who_wants_little_does_not_wait_for_what_is_urgent_to_many():
    queue = queue_of(*(Job(f"{i % 40}", seconds=2) for i in range(400)))
    for turn in range(100):
        queue.next()
        queue.add(thumbnail := Job(f"light {turn}", urgent=False, seconds=0.1))
        assert queue.next() is thumbnail


def test_a_batch_takes_its_own_kind_from_everybody_in_turns():
    a = [Job("a"), Job("a", kind=1), Job("a")]
    b = [Job("b"), Job("b")]
    queue = queue_of(*a, *b)
    first = queue.next()
    assert [first, *queue.next_like(first, 2)] == [a[0], b[0], a[2]]
    assert len(queue) == 2


def test_who_has_had_least_time_is_next_however_long_the_others_take():
    """A light visitor beside 40 who want much: one turn, whatever it is that runs."""
    heavy = [Job(f"heavy {i}", seconds=4) for i in range(40) for _ in range(10)]
    queue = queue_of(*heavy)
    for turn in range(300):
        if turn % 10 == 5:
            queue.add(light := Job("light", seconds=0.1))
            assert queue.before(light) == 0
            assert queue.next() is light
        else:
            queue.next()


def test_time_is_shared_and_not_turns():
    queue = queue_of(
        *(Job("long", seconds=4) for _ in range(10)), *(Job("short") for _ in range(40))
    )
    served = [queue.next().client for _ in range(25)]
    assert served.count("short") == 20 and served.count("long") == 5


def test_who_wants_little_does_not_wait_for_the_turns_of_many_who_want_much():
    """Though these have waited for long: an equal share would be a 41st of the time."""
    queue = queue_of(*(Job(f"{i % 40}", urgent=False, seconds=0.8) for i in range(320)))
    for turn in range(200):
        queue.next()
        if turn % 3 == 0:
            queue.add(light := Job("light", urgent=False, seconds=0.25))
            assert queue.next() is light


def test_who_wants_much_is_served_though_many_want_little():
    queue = queue_of(*(Job("sheet", urgent=False, seconds=0.5) for _ in range(10)))
    for turn in range(400):
        queue.add(Job(f"{turn}", urgent=False, seconds=0.25))
    served = [queue.next().client for _ in range(90)]
    assert served.count("sheet") in (8, 9)


def test_waiting_for_nothing_earns_nothing():
    queue = queue_of(*(Job("a") for _ in range(20)))
    for _ in range(10):
        queue.next()
    for _ in range(20):
        queue.add(Job("b"))
    assert [queue.next().client for _ in range(10)].count("a") in (4, 5)


def test_an_empty_line_says_so():
    with pytest.raises(IndexError):
        FairQueue().next()


jobs = st.builds(Job, st.sampled_from("abc"), st.booleans(), st.integers(0, 2), st.floats(0.01, 9))


@given(st.lists(jobs, max_size=30), st.data())
def test_everybody_is_served_once_and_removed_once(waiting, data):
    queue = queue_of(*waiting)
    removed = data.draw(st.lists(st.sampled_from(waiting), unique_by=id)) if waiting else []
    for job in removed:
        queue.remove(job)
    served = []
    while len(queue):
        job = queue.next()
        served += [job, *queue.next_like(job, data.draw(st.integers(0, 5)))]
        assert all(
            other.kind == job.kind and other.urgent == job.urgent
            for other in served[served.index(job) :]
        )
    assert len(served) == len(waiting) - len(removed)
    assert set(map(id, served)) == set(map(id, waiting)) - set(map(id, removed))


@given(st.lists(jobs, min_size=1, max_size=20), st.data())
def test_the_place_in_line_is_kept(waiting, data):
    for number, job in enumerate(waiting):
        job.seconds += 1 + number / 977  # no two ends are the same, and everybody wants much
    queue = queue_of(*waiting)
    job = data.draw(st.sampled_from(waiting))
    before = queue.before(job)
    assert len(list(iter(queue.next, job))) == before
