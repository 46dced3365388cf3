"""Anything sent as a recipe: an avatar or one sentence, never a traceback, a 500 or a wait.

``FUZZ_CASES=10000 pytest tests/reliability/test_bad_input.py`` is the long version.
"""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from avatar_model.attributes import ATTRIBUTES, NAMES
from ui.files.found_recipe import Found
from ui.files.picture_file import OPTIONS
from ui.link import to_query
from ui.panels.start_from_picture import seen_html
from ui.recipe import SETTINGS, SHORTHANDS, Recipe

from .conftest import CASES, last_event

fuzz = settings(
    max_examples=CASES,
    deadline=10_000,  # ms for one case: nothing hangs
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 120)
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(["Any", "any ", "", "0", "-1", "1e999", "nan", "none", "ddpm", "..", "٣"])
    | st.sampled_from(["<script>alert(1)</script>", "{{7*7}}", "%00", "' OR 1=1--", "\ud800"])
)
a_file = st.fixed_dictionaries(
    {
        "path": st.sampled_from(["/etc/passwd", "app.py", "../app.py", "", "/dev/zero"]),
        "meta": st.just({"_type": "gradio.FileData"}),
    },
    optional={"url": st.sampled_from(["http://127.0.0.1:1/", "file:///etc/passwd", "x"])},
)
values = st.recursive(
    scalars | a_file,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
names = st.sampled_from([*NAMES, *SETTINGS, *SHORTHANDS, "size"])
anything = st.dictionaries(names | st.text(max_size=20), values, max_size=8)
good = st.fixed_dictionaries(
    {},
    optional={
        **{a.name: st.integers(0, a.num_values - 1) for a in ATTRIBUTES if a.name != "face_shape"},
        "seed": st.integers(0, 2**32 - 1),
        "guidance_scale": st.floats(0, 10),
        "num_inference_steps": st.integers(1, 50),
        "sampler": st.sampled_from(["ddim", "ddpm", "dpm++"]),
        "num_images": st.integers(1, 16),
    },
)


def one_sentence(text):
    return bool(text.strip()) and "\n" not in text and len(text) < 700 and "Traceback" not in text


@fuzz
@given(values=anything)
@example(values={"hair": 10**400})
@example(values={"seed": 10**400})
def test_a_recipe_is_whole_or_one_sentence(pipeline, values):
    try:
        recipe = Recipe.parse(pipeline, values)
    except ValueError as error:
        assert one_sentence(str(error)), str(error)
    else:
        assert Recipe.parse(pipeline, recipe.values()) == recipe


@fuzz
@given(values=anything)
def test_an_old_or_forged_link_is_always_some_recipe(pipeline, values):
    recipe, notes = Recipe.parse_leniently(pipeline, values)
    assert all(map(one_sentence, notes)), notes
    assert Recipe.parse_leniently(pipeline, dict(parse_qsl(to_query(recipe)))) == (recipe, [])


@fuzz
@given(values=good)
def test_a_link_brings_its_recipe_back(pipeline, values):
    recipe = Recipe.parse(pipeline, values)
    assert Recipe.parse(pipeline, dict(parse_qsl(to_query(recipe)))) == recipe


@fuzz
@given(
    data=st.fixed_dictionaries(
        {},
        optional={
            "recipe": good.map(urlencode) | values,
            "notes": st.lists(values, max_size=3) | values,
            "seen": st.dictionaries(names, st.lists(scalars, max_size=2), max_size=5) | values,
        },
    )
)
def test_of_what_a_browser_says_a_picture_shows_there_is_always_a_table(pipeline, data):
    found = Found.parse(pipeline, data)
    assert all(map(one_sentence, filter(None, found.notes)))
    "".join([*found.notes, seen_html(pipeline, found)]).encode()
    assert Found.parse(pipeline, found.to_json()) == found


beginnings = st.sampled_from(
    [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF", b"<svg"]
)


@fuzz
@given(content=st.tuples(beginnings, st.binary(max_size=200)).map(b"".join))
def test_what_is_no_picture_is_one_sentence(site, content):
    answer = site.client.post(f"{site.server.address}/read-picture", content=content)
    assert answer.status_code == 400, (answer.status_code, answer.text)
    assert one_sentence(answer.json()["error"])


def few_steps(values):
    """Most of the cases are to be answered, not drawn for long."""
    most = {"num_inference_steps": 3, "num_images": 3}
    return {name: min(v, most[name]) if name in most else v for name, v in values.items()}


def single(values):
    """What is one picture."""
    return {name: v for name, v in few_steps(values).items() if name != "num_images"}


def answered(status, text):
    """Whether ``/generate`` has ended in pictures or in one sentence."""
    if status != 200:
        return status in (400, 422) and one_sentence(text)
    event, data = last_event(text)
    return event == "complete" or (event == "error" and one_sentence(data["error"] or ""))


sized = st.tuples(good.map(few_steps), st.sampled_from([64, 256])).map(
    lambda both: {**both[0], "size": both[1]}
)


@fuzz
@given(values=anything | sized)
@example(values={"hair": "x" * 100_000})
def test_generate_answers_with_pictures_or_one_sentence(site, values):
    status, text = site.generate(json.dumps(values))
    assert answered(status, text), (status, text)


@fuzz
@given(data=st.lists(values, max_size=30))
@example(data=[])
@example(data=["Any"] * 18 + [1, 1, "ddim", 7, 2])
def test_the_older_form_of_generate_too(site, data):
    status, text = site.generate(json.dumps({"data": data}), "call")
    assert answered(status, text), (status, text)


@fuzz
@given(body=values.map(json.dumps) | st.text(max_size=60) | st.just("[" * 5000))
def test_a_body_that_is_no_set_of_parameters_is_refused(site, body):
    status, text = site.generate(body)
    assert status in (200, 400, 422), (status, text)


flat = st.dictionaries(
    names | st.sampled_from([*OPTIONS, "download", "<b>"]),
    scalars.filter(lambda v: not (isinstance(v, str) and "\ud800" in v)).map(str),
    max_size=6,
)


@fuzz
@given(query=flat | good.map(single), format=st.sampled_from(["png"] * 6 + ["webp", "exe"]))
def test_a_picture_address_is_a_picture_or_one_sentence(site, query, format):
    answer = site.get(f"/avatar.{format}?{urlencode(query)}")
    if answer.status_code == 200:
        assert answer.headers["content-type"] == f"image/{format}"
    else:
        assert answer.status_code == 400, (answer.status_code, answer.text)
        assert one_sentence(answer.json()["error"])


@settings(fuzz, max_examples=max(10, CASES // 20))
@given(query=flat)
def test_the_page_opens_whatever_its_link_says(site, query):
    answer = site.get(f"/?{urlencode(query)}")
    assert answer.status_code == 200
    assert "<script>alert(1)" not in answer.text


@fuzz
@given(query=flat | good.map(few_steps), remembered=values, board=values)
def test_the_page_draws_whatever_its_link_says(site, query, remembered, board):
    *_, end = site.opened(query, remembered, board)
    assert end["msg"] == "close_stream"


@pytest.mark.parametrize("path", ["/avatar.png?%ff=%fe&seed=%00", "/avatar.png?" + "a=1&" * 5000])
def test_bytes_that_are_no_text_and_very_long_queries(site, path):
    assert site.get(path).status_code == 400


@pytest.mark.parametrize("path", ["run/generate", "api/generate", "run/predict"])
def test_nobody_draws_past_the_queue(site, path):
    answer = site.post(f"/gradio_api/{path}", {"data": [], "fn_index": None})
    assert answer.status_code == 404 and one_sentence(answer.text)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("call/nothing", {"data": []}),
        ("call/v2/nothing", {}),
        ("queue/join", {"data": [], "fn_index": 999, "session_hash": "x"}),
    ],
)
def test_an_endpoint_that_there_is_not(site, path, body):
    answer = site.post(f"/gradio_api/{path}", body)
    assert answer.status_code == 404 and one_sentence(answer.json()["error"])
