"""What Gradio tells the browser of the page, its configuration, in the visitor's language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import gradio as gr

from avatar_model import ATTRIBUTES, Vocabulary
from ui.looks import label
from ui.translation import _, current

WORDS = ("label", "info", "placeholder", "title")
"""Properties of Gradio's components that people read; of a button it is the value."""
FOR_PROGRAMS = "api"
"""The type of components that stand for an endpoint's arguments, whose names stay."""
IN_SCRIPT = re.compile(r"""\bt\(\s*("(?:[^"\\]|\\.)*")""")
"""A sentence in a script: ``t("Copied")``."""
LOOKS = {a.title: a.name for a in ATTRIBUTES}


def translated(config: dict[str, Any], blocks: gr.Blocks, vocabulary: Vocabulary) -> dict[str, Any]:
    """A configuration with the page's words as ``_`` has them.

    What is no sentence of a catalog stays: nothing can be put together when the page is built.

    Args:
        config: as the page was built, in English.
        blocks: the page, whose HTML may be ``written_by`` a function (``ui/html/elements.py``).
    """
    config = {
        **config,
        "title": _(config["title"]),
        "components": deepcopy(config["components"]),
        "i18n_translations": {current().tag: _what_gradio_lacks()},
    }
    for component in config["components"]:
        if component["type"] != FOR_PROGRAMS:
            _translate(component["props"], "button" in component["type"], vocabulary)
            if write := getattr(blocks.blocks[component["id"]], "written_by", None):
                component["props"]["value"] = write()
    return config


def words_of_scripts(config: Any) -> dict[str, str]:
    """What the page's scripts may say: English -> this language; empty in English."""
    words = current().words
    said = (json.loads(word) for text in _strings(config) for word in IN_SCRIPT.findall(text))
    return {word: words[word] for word in said if word in words}


def _what_gradio_lacks() -> dict[str, Any]:
    """Sentences of Gradio's own that it cannot say: a screen reader would be told their keys."""
    return {
        "common": {"complete": _("Complete"), "progress": _("Progress")},
        "status": {"queue_position": _("In queue: {position} of {size}")},
    }


def _translate(props: dict[str, Any], button: bool, vocabulary: Vocabulary) -> None:
    look = LOOKS.get(props.get("label", ""))
    for name in (*WORDS, "value") if button else WORDS:
        if isinstance(props.get(name), str):
            props[name] = _(props[name])
    choices = props.get("choices")
    if look and choices:
        texts = [label(vocabulary, look, value) for _text, value in choices]
        props["choices"] = [
            [text[:1].upper() + text[1:], value]
            for text, (_text, value) in zip(texts, choices, strict=True)
        ]
    elif choices:
        props["choices"] = [[_(text), value] for text, value in choices]


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _strings(child)
