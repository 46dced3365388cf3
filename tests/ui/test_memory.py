"""What the page remembers: undo, redo, and a browser that sends anything."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st

from avatar_model.arguments import MAX_SEED
from ui.memory import MAX_QUERY, MAX_UNDO, Memory

QUERIES = st.text("abc=&1%", min_size=1, max_size=12)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)


@given(st.lists(QUERIES, max_size=8))
def test_there_and_back_through_the_browser(queries):
    memory = Memory()
    for query in queries:
        memory = memory.shows(query)
    memory = memory.undone()
    assert Memory.parse(json.loads(json.dumps(memory.to_json()))) == memory


@given(
    ANYTHING
    | st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("open", "now", "picked", "past", "future"), ANYTHING)
    )
)
def test_garbage_is_forgotten(value):
    memory = Memory.parse(value)
    assert Memory.parse(memory.to_json()) == memory
    assert memory.undone().redone().undone()
    memory.picked_query()


@given(st.lists(QUERIES, min_size=2, max_size=10), st.integers(1, 10))
def test_undo_and_redo_are_opposites(queries, steps):
    memory = Memory()
    for query in queries:
        memory = memory.shows(query)
    back = memory
    for _ in range(min(steps, len(memory.past))):
        back = back.undone()
    forth = back
    for _ in range(len(back.future)):
        forth = forth.redone()
    assert (forth.now, forth.past, forth.future) == (memory.now, memory.past, ())


def test_undo_goes_back_one_by_one_and_a_new_drawing_forgets_the_future():
    memory = Memory().shows("a=1").shows("a=2").shows("a=2").shows("a=3")
    assert (memory.now, memory.past) == ("a=3", ("a=1", "a=2"))
    back = memory.undone()
    assert (back.now, back.past, back.future) == ("a=2", ("a=1",), ("a=3",))
    assert back.shows("a=4").future == ()
    assert back.shows("a=4").undone().now == "a=2"
    assert Memory().undone() == Memory() and Memory().redone() == Memory()


def test_there_are_limits():
    memory = Memory()
    for i in range(MAX_UNDO + 10):
        memory = memory.shows(f"a={i}")
    assert len(memory.past) == MAX_UNDO and memory.past[-1] == f"a={MAX_UNDO + 8}"
    long = "x" * (MAX_QUERY + 1)
    assert Memory.parse({"now": long, "past": [long, "a=1"]}) == Memory(past=("a=1",))
    assert Memory.parse({"open": "hare", "picked": -1}) == Memory()
    assert Memory.parse({"open": "glasses", "picked": 3}) == Memory("glasses", picked=3)


def test_the_picked_picture():
    memory = Memory(now=f"hair=3&seed={MAX_SEED}&num_images=4", picked=2)
    assert dict(parse_qsl(memory.picked_query())) == {"hair": "3", "seed": "1"}
    assert Memory().picked_query() == ""
