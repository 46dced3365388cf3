"""The page's words in other languages: which one a visitor gets, and whether catalogs are whole."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from avatar_model import ATTRIBUTES
from tests.ui.words import UI, in_python, words
from ui import translation
from ui.translation import DEFAULT, FOLDER, LANGUAGES, best_language, catalog, in_language

ALL = ("en", "ar", "de", "es", "fr", "ja", "pt", "zh")
BUNDLED = UI.parent / "assets" / "model" / "config.json"
TRANSLATED = [code for code in LANGUAGES if code != DEFAULT]


@pytest.fixture
def languages(monkeypatch):
    """As if there were all of them."""
    monkeypatch.setattr(translation, "LANGUAGES", ALL)


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("pt-BR", "pt"),
        ("zh-TW,zh;q=0.9", "zh"),
        ("ZH-hans-cn", "zh"),
        ("ko", "en"),
        ("ko,fr;q=0.5,de;q=0.7", "de"),
        ("en-GB,de;q=0.9", "en"),
        ("fr;q=0.1, ja ; Q=0.8", "ja"),
        ("de;q=0,*", "en"),
        ("deu,germanic", "en"),
        ("", "en"),
        ("*", "en"),
        (";;;,,,q=1,de;q=x", "de"),
        ("../../etc/passwd," * 1000, "en"),
    ],
)
def test_a_visitor_gets_the_language_that_is_read_best(languages, accepted, code):
    assert best_language(accepted) == code


def test_a_sentence_without_a_translation_is_english():
    with in_language(DEFAULT):
        assert translation._("Nobody has {this}.", this=3) == "Nobody has 3."


def test_there_are_all_languages_or_none_yet():
    assert LANGUAGES == ALL


def test_words_are_found_wherever_they_are_said():
    source = """
TITLE = "One"
def f(x):
    "Such as t("no")."
    return _(TITLE), _("Two {n} "
        "lines", n=1), _("Three" if x else "Four"), _(x.title), "() => t(\\"Five\\")"
"""
    source = source.replace('"Such as t("no")."', "'Such as t(\"no\").'")
    assert set(in_python(source)) == {"One", "Two {n} lines", "Three", "Four", "Five"}


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalog_has_every_sentence_of_the_page_and_no_other(code):
    known, said = set(catalog(code).words), words()
    assert (said - known, known - said) == (set(), set())


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalog_has_every_value_of_the_bundled_model_and_no_other(code):
    options = json.loads(BUNDLED.read_text("utf-8"))["vocabulary"]
    labels = catalog(code).labels
    assert set(labels) == {a.name for a in ATTRIBUTES}
    for name, known in labels.items():
        assert set(known) == set(options[name]["labels"])


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_has_the_places_and_the_elements_of_the_original(code):
    content = json.loads((FOLDER / f"{code}.json").read_text("utf-8"))
    assert content.keys() == {"words", "labels"}
    pairs = [content["words"], *content["labels"].values()]
    for english, translated in (pair for one in pairs for pair in one.items()):
        assert translated.strip() == translated != "", english
        for part in (r"\{\w+\}", r"<[^>]*>"):
            assert Counter(re.findall(part, english)) == Counter(re.findall(part, translated))
