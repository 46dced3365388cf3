"""The page in the visitor's language: ``_("Copy link")`` is the sentence in it.

The English sentence is the key, as with gettext; ``translations/de.json`` has the German ones. A
language that the page does not have is English as a whole.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradio.context import LocalContext

FOLDER = Path(__file__).parent / "translations"
DEFAULT = "en"
LANGUAGES = (DEFAULT, *sorted(path.stem for path in FOLDER.glob("*.json")))
RIGHT_TO_LEFT = ("ar",)
TAGS = {"zh": "zh-CN"}
"""What a browser is told, and Gradio calls them, where that is more than the code."""


@dataclass(frozen=True)
class Catalog:
    """One language.

    Attributes:
        code: such as "de" (BCP 47).
        words: of the page: English -> this language.
        labels: of a data set's values: attribute -> English label -> this language.
    """

    code: str
    words: dict[str, str]
    labels: dict[str, dict[str, str]]

    @property
    def tag(self) -> str:
        """As HTML's ``lang``."""
        return TAGS.get(self.code, self.code)

    @property
    def direction(self) -> str:
        """As HTML's ``dir``."""
        return "rtl" if self.code in RIGHT_TO_LEFT else "ltr"


_chosen: ContextVar[str] = ContextVar("language")


@functools.cache
def catalog(code: str) -> Catalog:
    """The catalog of one of ``LANGUAGES``."""
    if code == DEFAULT:
        return Catalog(code, {}, {})
    content = json.loads((FOLDER / f"{code}.json").read_text(encoding="utf-8"))
    return Catalog(code, content["words"], content["labels"])


def best_language(accepted: str) -> str:
    """The one of ``LANGUAGES`` that a visitor reads best.

    Args:
        accepted: an ``Accept-Language`` header (RFC 9110, 12.5.4).
    """
    wishes = []
    for i, part in enumerate(accepted[:500].lower().split(",")):
        tag, _mark, parameter = part.partition(";")
        given = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", parameter)
        weight = float(given[1]) if given else 1.0
        if weight:
            wishes.append((-weight, i, tag.strip().partition("-")[0]))
    for _weight, _place, language in sorted(wishes):
        if language in LANGUAGES:
            return language
    return DEFAULT


@contextmanager
def in_language(code: str) -> Iterator[None]:
    """Inside, ``_`` speaks one of ``LANGUAGES``, whoever asks."""
    token = _chosen.set(code)
    try:
        yield
    finally:
        _chosen.reset(token)


def current() -> Catalog:
    """Of the visitor whose event this thread works on; English where there is none."""
    code = _chosen.get("")
    if not code:
        request = LocalContext.request.get(None)
        headers = getattr(request, "headers", None) or {}
        code = best_language(headers.get("accept-language") or "")
    return catalog(code)


def _(text: str, **values: Any) -> str:
    """The visitor's words for an English sentence.

    Args:
        values: take the places of ``{name}`` in it.
    """
    translated = current().words.get(text, text)
    return translated.format(**values) if values else translated


def label_of(name: str, label: str) -> str:
    """The visitor's word for what a vocabulary calls a value of an attribute."""
    return current().labels.get(name, {}).get(label, label)
