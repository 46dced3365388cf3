"""What the page remembers, and a browser that sends anything."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_model.arguments import MAX_SEED
from ui.browser_state import BrowserState
from ui.link import MAX_QUERY
from ui.recipe import Recipe

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    value=ANYTHING
    | st.fixed_dictionaries({}, optional=dict.fromkeys(("open", "now", "picked", "turn"), ANYTHING))
)
def test_garbage_is_forgotten(pipeline, value):
    state = BrowserState.parse(value)
    assert BrowserState.parse(state.to_json()) == state
    state.picked_recipe(pipeline)


def test_there_are_limits():
    long = "x" * (MAX_QUERY + 1)
    assert BrowserState.parse({"now": long}) == BrowserState()
    assert BrowserState.parse({"open": "hare", "picked": -1}) == BrowserState()
    assert BrowserState.parse({"open": "glasses", "picked": 3}) == BrowserState("glasses", picked=3)


def test_the_picked_picture(pipeline):
    state = BrowserState(now=f"hair=3&seed={MAX_SEED}&num_images=4", picked=2)
    assert state.picked_recipe(pipeline) == Recipe.parse(pipeline, {"hair": 3, "seed": 1})
    assert BrowserState().picked_recipe(pipeline) == Recipe.parse(pipeline, {})
