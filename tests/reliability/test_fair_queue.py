"""Who is next: clients take turns, what is urgent goes first, and nobody waits for ever."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.inference.fair_queue import URGENT_TURNS, FairQueue


@dataclass(eq=False)
class Job:
    client: str
    urgent: bool = True
    kind: int = 0


def queue_of(*jobs):
    queue = FairQueue()
    for job in jobs:
        queue.add(job)
    return queue


def test_a_newcomer_waits_for_one_turn_of_a_client_with_many():
    many = [Job("a") for _ in range(111)]
    queue = queue_of(*many)
    assert queue.next() is many[0]
    newcomer = Job("b")
    queue.add(newcomer)
    assert queue.before(newcomer) == 1
    assert [queue.next(), queue.next()] == [many[1], newcomer]


def test_urgent_goes_first_but_the_other_is_not_starved():
    thumbnail = Job("a", urgent=False)
    queue = queue_of(thumbnail, *(Job("b") for _ in range(10)))
    drawn = [queue.next() for _ in range(URGENT_TURNS + 1)]
    assert thumbnail is drawn[-1]


def test_a_batch_takes_its_own_kind_from_everybody_in_turns():
    a = [Job("a"), Job("a", kind=1), Job("a")]
    b = [Job("b"), Job("b")]
    queue = queue_of(*a, *b)
    first = queue.next()
    assert [first, *queue.next_like(first, 2)] == [a[0], b[0], a[2]]
    assert len(queue) == 2


def test_an_empty_line_says_so():
    with pytest.raises(IndexError):
        FairQueue().next()


jobs = st.builds(Job, st.sampled_from("abc"), st.booleans(), st.integers(0, 2))


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
    queue = queue_of(*waiting)
    job = data.draw(st.sampled_from(waiting))
    before = queue.before(job)
    served = [other for other in iter(queue.next, job) if other.urgent == job.urgent]
    assert len(served) == before
