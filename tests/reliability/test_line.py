"""Who is next: clients take turns, what is urgent goes first, and nobody waits for ever."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.line import URGENT_TURNS, Line


@dataclass(eq=False)
class Job:
    client: str
    urgent: bool = True
    kind: int = 0


def line_of(*jobs):
    line = Line()
    for job in jobs:
        line.add(job)
    return line


def test_a_newcomer_waits_for_one_turn_of_a_client_with_many():
    many = [Job("a") for _ in range(111)]
    line = line_of(*many)
    assert line.next() is many[0]
    newcomer = Job("b")
    line.add(newcomer)
    assert line.before(newcomer) == 1
    assert [line.next(), line.next()] == [many[1], newcomer]


def test_urgent_goes_first_but_the_other_is_not_starved():
    thumbnail = Job("a", urgent=False)
    line = line_of(thumbnail, *(Job("b") for _ in range(10)))
    drawn = [line.next() for _ in range(URGENT_TURNS + 1)]
    assert thumbnail is drawn[-1]


def test_a_batch_takes_its_own_kind_from_everybody_in_turns():
    a = [Job("a"), Job("a", kind=1), Job("a")]
    b = [Job("b"), Job("b")]
    line = line_of(*a, *b)
    first = line.next()
    assert [first, *line.next_like(first, 2)] == [a[0], b[0], a[2]]
    assert len(line) == 2


def test_an_empty_line_says_so():
    with pytest.raises(IndexError):
        Line().next()


jobs = st.builds(Job, st.sampled_from("abc"), st.booleans(), st.integers(0, 2))


@given(st.lists(jobs, max_size=30), st.data())
def test_everybody_is_served_once_and_removed_once(waiting, data):
    line = line_of(*waiting)
    removed = data.draw(st.lists(st.sampled_from(waiting), unique_by=id)) if waiting else []
    for job in removed:
        line.remove(job)
    served = []
    while len(line):
        job = line.next()
        served += [job, *line.next_like(job, data.draw(st.integers(0, 5)))]
        assert all(
            other.kind == job.kind and other.urgent == job.urgent
            for other in served[served.index(job) :]
        )
    assert len(served) == len(waiting) - len(removed)
    assert set(map(id, served)) == set(map(id, waiting)) - set(map(id, removed))


@given(st.lists(jobs, min_size=1, max_size=20), st.data())
def test_the_place_in_line_is_kept(waiting, data):
    line = line_of(*waiting)
    job = data.draw(st.sampled_from(waiting))
    before = line.before(job)
    served = [other for other in iter(line.next, job) if other.urgent == job.urgent]
    assert len(served) == before
