"""What the page remembers: undo, redo, and a browser that sends anything."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_model.arguments import MAX_SEED
from ui.browser_state import MAX_UNDO, BrowserState
from ui.link import MAX_QUERY
from ui.recipe import Recipe

QUERIES = st.text("abc=&1%", min_size=1, max_size=12)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)


@given(st.lists(QUERIES, max_size=8))
def test_there_and_back_through_the_browser(queries):
    state = BrowserState()
    for query in queries:
        state = state.shows(query)
    state = state.undone()
    assert BrowserState.parse(json.loads(json.dumps(state.to_json()))) == state


@settings(deadline=None)
@given(
    value=ANYTHING
    | st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("open", "now", "picked", "past", "future"), ANYTHING)
    )
)
def test_garbage_is_forgotten(pipeline, value):
    state = BrowserState.parse(value)
    assert BrowserState.parse(state.to_json()) == state
    assert state.undone().redone().undone()
    state.picked_recipe(pipeline)


@given(st.lists(QUERIES, min_size=2, max_size=10), st.integers(1, 10))
def test_undo_and_redo_are_opposites(queries, steps):
    state = BrowserState()
    for query in queries:
        state = state.shows(query)
    back = state
    for _ in range(min(steps, len(state.past))):
        back = back.undone()
    forth = back
    for _ in range(len(back.future)):
        forth = forth.redone()
    assert (forth.now, forth.past, forth.future) == (state.now, state.past, ())


def test_undo_goes_back_one_by_one_and_a_new_drawing_forgets_the_future():
    state = BrowserState().shows("a=1").shows("a=2").shows("a=2").shows("a=3")
    assert (state.now, state.past) == ("a=3", ("a=1", "a=2"))
    back = state.undone()
    assert (back.now, back.past, back.future) == ("a=2", ("a=1",), ("a=3",))
    assert back.shows("a=4").future == ()
    assert back.shows("a=4").undone().now == "a=2"
    assert BrowserState().undone() == BrowserState() and BrowserState().redone() == BrowserState()


def test_there_are_limits():
    state = BrowserState()
    for i in range(MAX_UNDO + 10):
        state = state.shows(f"a={i}")
    assert len(state.past) == MAX_UNDO and state.past[-1] == f"a={MAX_UNDO + 8}"
    long = "x" * (MAX_QUERY + 1)
    assert BrowserState.parse({"now": long, "past": [long, "a=1"]}) == BrowserState(past=("a=1",))
    assert BrowserState.parse({"open": "hare", "picked": -1}) == BrowserState()
    assert BrowserState.parse({"open": "glasses", "picked": 3}) == BrowserState("glasses", picked=3)


def test_the_picked_picture(pipeline):
    state = BrowserState(now=f"hair=3&seed={MAX_SEED}&num_images=4", picked=2)
    assert state.picked_recipe(pipeline) == Recipe.parse(pipeline, {"hair": 3, "seed": 1})
    assert BrowserState().picked_recipe(pipeline) == Recipe.parse(pipeline, {})
