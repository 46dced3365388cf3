"""Avatars from names: always the same, however the name is written, whatever the model."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_model import ATTRIBUTES, Vocabulary
from avatar_model.attributes import NAMES
from ui.from_name import looks_and_seed, normalised

VOCABULARY = Vocabulary.numbered()
FOR_EVER = {
    "Ada Lovelace": "2 1 0 2 1 3 3 4 0 13 0 6 1 11 2 2 2 2 3276383101",
    "Grace Hopper": "1 0 0 0 1 9 3 0 4 58 4 8 6 11 4 0 0 0 2434300739",
    "李小龍": "2 0 1 2 1 1 0 4 14 84 4 4 2 11 1 1 2 2 1126396158",
    "Łukasz Żółć": "2 0 1 2 0 5 1 4 9 35 1 1 1 11 2 1 0 1 2533998183",
    "مريم": "2 0 0 0 0 11 3 5 14 22 1 1 4 2 4 1 0 1 3355894708",
    "👩🏽‍🚀": "1 0 1 0 0 1 2 0 13 96 3 4 5 4 0 2 2 2 1678367703",
    "0": "1 0 1 0 0 11 1 5 1 101 3 6 7 7 3 0 0 1 325885069",
}
"""The 18 values, and the seed. They stand in other people's pages: a change needs a new version."""


@pytest.mark.parametrize("name", FOR_EVER)
def test_a_name_has_the_same_avatar_for_ever(name):
    expected = dict(zip((*NAMES, "seed"), map(int, FOR_EVER[name].split()), strict=True))
    assert looks_and_seed(name, VOCABULARY) == looks_and_seed(name, VOCABULARY, 1) == expected


@pytest.mark.parametrize(
    "written",
    [
        "ada lovelace",
        "  ADA\t\n LOVELACE ",
        "\uff21da\u3000Lovelac\uff45",
        "\ufeffAda Love\u00adlace\u200b",
        "Ada\xa0Lovelace",
        "\x00Ada Lovelace\x7f",
        "\u202eAda Lovelace\u202c",
    ],
)
def test_how_a_name_is_written_does_not_matter(written):
    assert normalised(written) == "ada lovelace"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("José", "Jose\u0301"),
        ("STRASSE", "straße"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("ﬁ", "FI"),
        ("❤", "❤\ufe0f"),
        ("\ud83d\ude00", "😀"),  # halves that belong together
        ("\ud800", "\ufffd"),  # and one that does not, as browsers send it
    ],
)
def test_what_looks_the_same_is_the_same(one, other):
    assert normalised(one) == normalised(other)


@given(st.text(st.characters(), max_size=200))
def test_any_name_has_an_avatar_or_is_empty(name):
    try:
        written = normalised(name)
    except ValueError as error:
        assert str(error) == "name must not be empty"
        return
    assert normalised(written[:200]) == written[:200].rstrip()
    looks_and_seed(name, VOCABULARY)


def test_what_is_normalised_stays_so():
    """Every character that is in use, ten at a time: one can become 18."""
    for code in range(0, 0x30000, 10):
        once = normalised("x" + "".join(map(chr, range(code, code + 10))))
        assert normalised(once) == once, hex(code)


def test_a_value_that_a_model_lacks_moves_only_the_names_that_had_it():
    counts = {**VOCABULARY.counts, "hair": tuple(int(value != 12) for value in range(111))}
    without = replace(VOCABULARY, counts=counts)
    had_it = 0
    for name in map(str, range(300)):
        before, after = looks_and_seed(name, VOCABULARY), looks_and_seed(name, without)
        moved = {look for look, value in before.items() if after[look] != value}
        assert moved == ({"hair"} if before["hair"] == 12 else set())
        had_it += before["hair"] == 12
    assert had_it


def test_how_often_a_value_occurred_in_training_does_not_matter():
    counts = {name: tuple(range(1, 1 + len(c))) for name, c in VOCABULARY.counts.items()}
    other = replace(VOCABULARY, counts=counts)
    assert looks_and_seed("Ada", other) == looks_and_seed("Ada", VOCABULARY)


def test_names_are_spread_as_the_people_of_cartoon_set_are():
    """Evenly; half of them without facial hair, and half without glasses. Within 5 sigma."""
    people = [looks_and_seed(f"name {i}", VOCABULARY) for i in range(1000)]
    for a in ATTRIBUTES:
        weights = [1.0] * a.num_values
        if a.name in ("facial_hair", "glasses"):
            weights[-1] = a.num_values - 1
        found = Counter(person[a.name] for person in people)
        for value, weight in enumerate(weights):
            share = weight / sum(weights)
            sigma = (len(people) * share * (1 - share)) ** 0.5
            assert abs(found[value] - len(people) * share) < 5 * sigma, (a.name, value)
    assert len({person["seed"] for person in people}) == len(people)
