"""Recipes: there and back through links and files, and what is wrong in them."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_model import ANY
from avatar_model.arguments import MAX_SEED
from avatar_model.attributes import NAMES
from avatar_model.guidance import GUIDANCE_METHODS
from avatar_model.samplers import SAMPLERS
from ui.from_name import looks_and_seed
from ui.link import to_query, to_short_query
from ui.recipe import MAX_IMAGES, MAX_STEPS, SETTINGS, SHORTHANDS, Recipe

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
GARBAGE = st.dictionaries(
    st.sampled_from((*NAMES, *SETTINGS, *SHORTHANDS)) | st.text(max_size=20),
    JSON | st.text(),
    max_size=6,
)


def recipes(pipeline):
    """Any recipe of this model."""
    offered = [[ANY, *(v for _, v in pipeline.vocabulary.offered(name))] for name in NAMES]
    return st.builds(
        Recipe,
        looks=st.tuples(*(st.sampled_from(values) for values in offered)),
        seed=st.integers(0, MAX_SEED),
        guidance_scale=st.integers(0, 100).map(lambda tenths: tenths / 10),
        guidance_method=st.sampled_from(GUIDANCE_METHODS),
        num_inference_steps=st.integers(1, MAX_STEPS),
        sampler=st.sampled_from(sorted(SAMPLERS)),
        num_images=st.integers(1, MAX_IMAGES),
    )


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_there_and_back(pipeline, data):
    """Through JSON and through an address."""
    recipe = data.draw(recipes(pipeline))
    assert Recipe.parse(pipeline, json.loads(json.dumps(recipe.values()))) == recipe
    for address in (to_query(recipe), short := to_short_query(recipe)):
        query = dict(parse_qsl(address, strict_parsing=True))
        assert Recipe.parse(pipeline, query) == recipe
        assert Recipe.parse_leniently(pipeline, query) == (recipe, [])
    assert len(short) == len("a=") + 24


@settings(deadline=None, max_examples=150)
@given(values=GARBAGE)
def test_garbage_is_a_value_error_and_leniently_a_note(pipeline, values):
    recipe, notes = Recipe.parse_leniently(pipeline, values)
    assert Recipe.parse(pipeline, recipe.values()) == recipe
    assert all(note and "\n" not in note and len(note) < 400 for note in notes)
    try:
        assert Recipe.parse(pipeline, values) == recipe
        assert not notes
    except ValueError as error:
        assert notes or "there is no parameter" in str(error)


def test_what_is_left_out(pipeline):
    recipe = Recipe.parse(pipeline, {"hair": None, "seed": None})
    assert set(recipe.looks) == {ANY}
    assert (recipe.seed, recipe.num_images) == (0, 1)
    assert recipe.num_inference_steps == pipeline.defaults["num_inference_steps"]
    assert "num_images" not in recipe.values() and "hair" not in recipe.values()


def test_leniently_only_the_wrong_is_left_out(pipeline):
    values = {"hair": "12", "glasses": "999", "seed": "5", "steps": "9", "guidance_scale": "x"}
    recipe, notes = Recipe.parse_leniently(pipeline, values)
    assert dict(zip(NAMES, recipe.looks, strict=True)) == {
        name: 12 if name == "hair" else ANY for name in NAMES
    }
    assert (recipe.seed, recipe.guidance_scale) == (5, 1)
    assert [note.split()[0] for note in notes] == ["glasses", "guidance_scale"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_images", MAX_IMAGES + 1),
        ("num_inference_steps", MAX_STEPS + 1),
        ("guidance_scale", 10.1),
        ("guidance_method", "magic"),
        ("seed", MAX_SEED + 1),
        ("seed", 1.5),
        ("sampler", "magic"),
        ("hare", 1),
    ],
)
def test_the_culprit_is_named(pipeline, name, value):
    with pytest.raises(ValueError, match=name):
        Recipe.parse(pipeline, {name: value})


def test_one_of_several(pipeline):
    recipe = Recipe.parse(pipeline, {"seed": MAX_SEED, "num_images": 3, "hair": 5})
    single = recipe.single(2, dict.fromkeys(NAMES, 0))
    assert (single.seed, single.num_images, set(single.looks)) == (1, 1, {0})


def test_with_value(pipeline):
    recipe = Recipe.parse(pipeline, {"hair": 5})
    other = recipe.with_value("glasses", 3).with_value("guidance_scale", 2.0)
    changed = {"hair": 5, "glasses": 3, "guidance_scale": 2.0}
    assert other.values() == recipe.values() | changed


@pytest.mark.parametrize(
    ("given", "method"),
    [
        ({}, "condition"),
        ({"guidance_scale": 1}, "condition"),
        ({"guidance_scale": "1"}, "condition"),
        ({"guidance_scale": 3}, "classic"),
        ({"guidance_scale": "0.5"}, "classic"),
        ({"guidance_scale": 3, "guidance_method": "projected"}, "projected"),
        ({"guidance_scale": 3, "guidance_method": "condition"}, "condition"),
    ],
)
def test_a_scale_from_before_methods_means_what_it_meant(pipeline, given, method):
    """Links and files from when classifier-free guidance was the only kind."""
    model = copy.copy(pipeline)
    model.base = copy.copy(pipeline.base)
    model.base.defaults = pipeline.defaults | {"guidance_method": "condition"}
    assert Recipe.parse(model, given).guidance_method == method
    assert Recipe.parse_leniently(model, given)[0].guidance_method == method


def test_what_is_wrong_stays_as_it_was_unless_that_is_wrong_too(pipeline):
    values = {"hair": 5, "seed": -1, "num_images": 2.5, "sampler": "magic"}
    before = {"seed": "7", "num_images": "4", "sampler": "nothing", "glasses": "2"}
    recipe, notes = Recipe.parse_leniently(pipeline, values, before)
    assert (recipe.seed, recipe.num_images, recipe.sampler) == (7, 4, "ddim")
    assert recipe.named_looks["hair"] == 5 and recipe.named_looks["glasses"] == ANY
    assert len(notes) == 3


def test_beside_a_short_link_and_a_name_what_is_said_wins(pipeline):
    """A short link, then the name, then looks and settings one by one."""
    recipe = Recipe.parse(pipeline, {"hair": 5, "guidance_scale": 2, "seed": 3, "num_images": 2})
    link = dict(parse_qsl(to_short_query(recipe)))
    ada = looks_and_seed("Ada", pipeline.vocabulary)
    for parse in (Recipe.parse, lambda *given: Recipe.parse_leniently(*given)[0]):
        one_more = parse(pipeline, link | {"glasses": "3", "num_images": "4", "sampler": None})
        assert one_more == replace(recipe.with_value("glasses", 3), num_images=4)
        named = parse(pipeline, {"name": "Ada", "name_version": "1", "hair": "Any", "seed": "7"})
        assert named.named_looks | {"seed": named.seed} == ada | {"hair": ANY, "seed": 7}
        both = parse(pipeline, link | {"name": "Ada"})
        assert both.named_looks | {"seed": both.seed} == ada
        assert both.settings == recipe.settings and both.num_images == 2
    assert not {"name", "name_version", "a"} & set(both.values())


@pytest.mark.parametrize(
    "values",
    [
        {"a": "hello"},
        {"a": 7},
        {"name": ""},
        {"name": "x" * 201},
        {"name": ["Ada"]},
        {"name": "Ada", "name_version": "2"},
        {"name": "Ada", "name_version": True},
        {"name": "Ada", "name_version": "latest"},
        {"name_version": 1},
    ],
)
def test_of_a_wrong_shorthand_there_is_one_sentence_without_the_name(pipeline, values):
    culprit = [*values][-1]
    with pytest.raises(ValueError, match=f"^{culprit} ") as raised:
        Recipe.parse(pipeline, values)
    assert "Ada" not in str(raised.value) and "xx" not in str(raised.value)
    expected = Recipe.parse(pipeline, {"hair": 5}), [str(raised.value)]
    assert Recipe.parse_leniently(pipeline, values | {"hair": 5}) == expected
