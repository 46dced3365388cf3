"""What Gradio tells the browser of the page, in another language."""

from __future__ import annotations

import gradio as gr
import pytest

from avatar_model import Vocabulary
from ui import translation
from ui.html.elements import html
from ui.server.page_config import translated, words_of_scripts
from ui.translation import Catalog, _, in_language

WORDS = {
    "Seed": "Startwert",
    "Same seed, same image.": "Gleicher Startwert, gleiches Bild.",
    "Save": "Speichern",
    "Format": "Dateiformat",
    "Smooth": "Glatt",
    "smooth": "wrong",
    "seed": "wrong",
    "Hair": "Haare",
    "Any": "Beliebig",
    "Copied": "Kopiert",
    'Say "no"': "</script>",
    "Hello": "Hallo",
    "Page": "Seite",
}
LABELS = {"hair": {"hair 0": "straße", "hair 1": "ölig"}}
SHOWN = ("label", "info", "placeholder", "value", "choices")
SCRIPT = '() => { t("Copied"); set("Seed"); t( "Say \\"no\\"", {}); t(name); t("Unknown"); }'


@pytest.fixture
def german(monkeypatch):
    """The language of what is done."""
    monkeypatch.setattr(translation, "catalog", lambda code: Catalog(code, WORDS, LABELS))
    with in_language("de"):
        yield


def save(seed: int) -> int:
    """For programs."""
    return seed


@pytest.fixture(scope="module")
def blocks():
    """A page in English."""
    with gr.Blocks(title="Page") as blocks, gr.Tabs(), gr.Tab("Save"):
        gr.Number(label="Seed", info="Same seed, same image.")
        gr.Dropdown([("Smooth", "smooth"), "PNG"], value="smooth", label="Format")
        gr.Dropdown([("Any", -1), ("Hair 0", 0), ("Hair 1", 1)], value=-1, label="Hair")
        gr.Textbox("Save", placeholder="Seed")
        button = gr.Button("Save")
        html(lambda: f"<p>{_('Hello')}</p>")
        html("<p>Hello</p>")
        gr.api(save, api_name="save")
        button.click(None, js=SCRIPT)
    return blocks


def test_words_are_translated_and_values_are_not(blocks, german):
    english = blocks.get_config_file()
    before = str(english)
    config = translated(english, blocks, Vocabulary.numbered())
    found = [
        (c["type"], {k: v for k, v in c["props"].items() if k in SHOWN and v not in (None, "")})
        for c in config["components"]
        if c["type"] not in ("tabs", "form", "api")
    ]
    assert found == [
        ("tabitem", {"label": "Speichern"}),
        ("number", {"label": "Startwert", "info": "Gleicher Startwert, gleiches Bild."}),
        (
            "dropdown",
            {
                "label": "Dateiformat",
                "choices": [["Glatt", "smooth"], ["PNG", "PNG"]],
                "value": "smooth",
            },
        ),
        (
            "dropdown",
            {
                "label": "Haare",
                "choices": [["Beliebig", -1], ["Straße", 0], ["Ölig", 1]],
                "value": -1,
            },
        ),
        ("textbox", {"placeholder": "Startwert", "value": "Save"}),
        ("button", {"value": "Speichern"}),
        ("html", {"value": "<p>Hallo</p>"}),
        ("html", {"value": "<p>Hello</p>"}),
    ]
    assert config["title"] == "Seite"
    assert "wrong" not in str(config), "an endpoint's argument, or a value"
    assert str(english) == before, "everybody's"


def test_scripts_get_the_words_that_they_say(blocks, german):
    config = blocks.get_config_file()
    assert words_of_scripts(config) == {"Copied": "Kopiert", 'Say "no"': "</script>"}
    with in_language("en"):
        translation.catalog = lambda code: Catalog(code, {}, {})  # undone by ``german``
        assert words_of_scripts(config) == {}
