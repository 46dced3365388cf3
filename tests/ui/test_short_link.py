"""Short links: what is in a code, for ever, and what is no code."""

from __future__ import annotations

import string

import pytest

from avatar_model import ANY, ATTRIBUTES
from avatar_model.arguments import MAX_SEED
from avatar_model.attributes import NAMES
from avatar_model.guidance import GUIDANCE_METHODS
from avatar_model.samplers import SAMPLERS
from ui import short_link
from ui.recipe import MAX_GUIDANCE_SCALE, MAX_IMAGES, MAX_STEPS, SETTINGS
from ui.short_link import RANGES, WORDS, decode, encode

PLAIN = {
    "hair": 12,
    "glasses": 11,
    "guidance_scale": 1.0,
    "guidance_method": "condition",
    "num_inference_steps": 1,
    "sampler": "ddim",
    "seed": 7,
}
LARGEST = {
    **{a.name: a.num_values - 1 for a in ATTRIBUTES},
    "guidance_scale": 9.999,
    "guidance_method": "projected",
    "num_inference_steps": MAX_STEPS,
    "sampler": "dpm++",
    "seed": MAX_SEED,
    "num_images": MAX_IMAGES,
}


@pytest.mark.parametrize(
    ("values", "code"), [(PLAIN, "AQmAG21uJwhAAADYslEAUbHY"), (LARGEST, "AhMANeGAf________rqva8EG")]
)
def test_a_code_means_the_same_for_ever(values, code):
    """They stand in other people's pages."""
    assert encode(values) == code and len(code) == 24
    assert decode(code) == {**dict.fromkeys(NAMES, ANY), "num_images": 1, **values}


def test_everything_that_the_page_offers_has_its_place():
    assert set(RANGES) == {*NAMES, *SETTINGS}
    assert set(WORDS["guidance_method"]) == set(GUIDANCE_METHODS)
    assert set(WORDS["sampler"]) == set(SAMPLERS)
    assert all(len(words) <= len(RANGES[name]) for name, words in WORDS.items())
    assert RANGES["guidance_scale"][-1] == 1000 * MAX_GUIDANCE_SCALE
    assert RANGES["num_inference_steps"][-1] == MAX_STEPS and RANGES["num_images"][-1] == MAX_IMAGES


@pytest.mark.parametrize(
    "other",
    [
        {"guidance_scale": 1.0005},
        {"guidance_scale": 0.1 + 0.2},
        {"num_inference_steps": 60},
        {"sampler": "new"},
        {"guidance_method": "new"},
    ],
)
def test_what_does_not_fit_has_no_code(other):
    assert encode(PLAIN | other) is None


def test_no_mistyped_character_gives_somebody_elses_avatar():
    code = encode(PLAIN)
    for i in range(len(code)):
        for character in string.ascii_letters + string.digits + "-_":
            if character != code[i]:
                with pytest.raises(ValueError, match="mistyped or cut off"):
                    decode(code[:i] + character + code[i + 1 :])


@pytest.mark.parametrize("code", ["", None, 7, "A" * 24, "é" * 24, "A" * 10_000, "====", ["A"]])
def test_what_is_no_code_is_one_sentence(code):
    with pytest.raises(ValueError, match="^a is no short link") as raised:
        decode(code)
    assert len(str(raised.value)) < 200 and "\n" not in str(raised.value)


@pytest.mark.parametrize("change", [("VERSION", 2), ("WORDS", {**WORDS, "sampler": ("x", "ddim")})])
def test_a_code_of_a_newer_version_is_told_from_a_mistyped_one(monkeypatch, change):
    with monkeypatch.context() as newer:
        newer.setattr(short_link, *change)
        code = encode(PLAIN | {"sampler": "ddim"})
    if change[0] == "WORDS":
        monkeypatch.setattr(short_link, "WORDS", {**WORDS, "sampler": ("x",)})
    with pytest.raises(ValueError, match=f"^a={code} is a short link of a newer version"):
        decode(code)
