"""The collection: avatars saved in the visitor's browser, as files to take away and bring back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

import gradio as gr

from avatar_model import AvatarPipeline
from ui.files.collection_file import (
    MAX_COLLECTION,
    MAX_FILE,
    collection_file,
    read_collection,
)
from ui.generation import AvatarGenerator
from ui.html.elements import UI, html, img
from ui.link import from_query, picture_address, thumbnail_address, to_query, to_short_query
from ui.panels.morph import MAX_MORPHED, make_morph
from ui.panels.sheet import make_sheet
from ui.recipe import Recipe
from ui.translation import _

DOWNLOAD_SIZE = 512
"""Pixels of a single one."""
MAX_SAID = 1000
"""Characters."""
PROBLEM = "() => [window.collection.problem]"
"""Of saving, which the browser does, where the saved avatars are: no answer can lose one."""


@dataclass(frozen=True)
class Shown:
    """What the browser has of the collection; queries, each once.

    Attributes:
        seen: all cards, in their order; kept: those that are not deleted.
        ticked: for a morph, in the order of their ticks.
        said: what has just happened, in a sentence.
    """

    seen: list[str]
    kept: list[str]
    ticked: list[str]
    said: str

    @classmethod
    def parse(cls, value: Any) -> Shown:
        """From what a browser sent, which may be anything; what is wrong is forgotten."""
        value = value if isinstance(value, dict) else {}
        seen, kept, ticked = (
            _queries(value.get(name), most)
            for name, most in (
                ("seen", 2 * MAX_COLLECTION),
                ("kept", MAX_COLLECTION),
                ("ticked", MAX_MORPHED),
            )
        )
        return cls(seen, kept, ticked, str(value.get("said", ""))[:MAX_SAID])

    def morphed(self, pipeline: AvatarPipeline) -> list[Recipe]:
        """The recipes of a morph: those that are ticked, or else those saved last."""
        queries = self.ticked or self.kept[-MAX_MORPHED:]
        return [from_query(pipeline, query).single(0) for query in queries]


def make_saved(
    page: gr.Blocks,
    generator: AvatarGenerator,
    saved: gr.BrowserState,
    state: gr.JSON,
    result: gr.HTML,
    board: gr.HTML,
) -> tuple[gr.HTML, ...]:
    """Lay the panel out.

    Args:
        saved: where the browser kept the saved avatars, as queries, until version 0.1.

    Returns:
        What can be selected to take an avatar up: the saved ones, and a sheet of many.
    """
    pipeline = generator.scheduler.pipeline
    strip = html({}, "saved", script="panels/collection.js", shows="cards")

    def show(value: Any) -> Any:
        return gr.HTML(cards=cards_html(pipeline, Shown.parse(value)))

    def bring(event: gr.EventData) -> Any:
        data = event._data if isinstance(event._data, dict) else {}
        avatars, sentence = read_collection(pipeline, str(data.get("text"))[:MAX_FILE])
        return gr.HTML(value={"found": avatars, "sentence": sentence})

    private: dict[str, Any] = {"api_visibility": "private"}
    limits = {"saved": MAX_COLLECTION, "morphed": MAX_MORPHED, "file": MAX_FILE}
    storage = (UI / "panels/storage.js").read_text(encoding="utf-8")
    storage = storage.replace("LIMITS", json.dumps(limits))
    page.load(None, saved, saved, js=storage, **private)
    result.apply(tell, saved, None, js=PROBLEM, show_progress="hidden", **private)
    latest: dict[str, Any] = {"trigger_mode": "always_last", "show_progress": "hidden", **private}
    strip.input(show, strip, strip, queue=False, **latest)
    strip.upload(bring, None, strip, queue=False, **private)
    make_morph(generator.scheduler, strip, lambda value: Shown.parse(value).morphed(pipeline))
    return strip, make_sheet(generator, state, board)


def tell(problem: str) -> None:
    """Why an avatar was not saved."""
    if problem == "full":
        count = MAX_COLLECTION
        gr.Warning(_("The collection is full: at most {count} avatars are kept.", count=count))
    elif problem:
        gr.Warning(_("This browser keeps nothing for this page."))


def cards_html(pipeline: AvatarPipeline, shown: Shown) -> str:
    """A card for each avatar, and what can be done with all."""
    recipes = {query: from_query(pipeline, query).single(0) for query in shown.seen}
    cards = "".join(
        _card(pipeline, query, recipe, i, shown)
        for i, (query, recipe) in enumerate(recipes.items(), start=1)
    )
    kept = [recipe for query, recipe in recipes.items() if query in shown.kept]
    links = ""
    if kept:
        archive = urlencode([("avatar", to_short_query(recipe)) for recipe in kept])
        file = quote(collection_file(recipe.values() for recipe in kept))
        links = (
            f'<a download href="avatars.zip?{escape(archive)}">{escape(_("All as ZIP"))}</a>'
            f'<a download="avatars.json" href="data:application/json,{file}">'
            f"{escape(_('Export as a file'))}</a>"
            f'<button type="button">{escape(_("Delete all"))}</button>'
        )
    empty = f"<p>{escape(_('Nothing saved yet: press Save below an avatar you like.'))}</p>"
    return (
        f'{f"<ul>{cards}</ul>" if cards else empty}<div class="whole">{links}'
        f"<label>{escape(_('Import a file'))} "
        '<input type="file" accept=".json,application/json"></label></div>'
        f'<p role="status">{escape(shown.said)}</p>'
    )


def _card(pipeline: AvatarPipeline, query: str, recipe: Recipe, number: int, shown: Shown) -> str:
    there = query in shown.kept
    take = escape(_("Saved avatar {number}", number=number))
    load = escape(_("Download avatar {number}", number=number))
    morph = escape(_("Morph avatar {number}", number=number))
    delete = escape(
        _("Delete avatar {number}", number=number)
        if there
        else _("Bring avatar {number} back", number=number)
    )
    file = escape(picture_address(recipe, size=DOWNLOAD_SIZE, download=1))
    place = shown.ticked.index(query) + 1 if query in shown.ticked else 0
    able = place or (there and len(shown.ticked) < MAX_MORPHED)
    state = " checked" if place else "" if able else " disabled"
    return (
        f'<li data-query="{escape(query)}" data-recipe="{escape(to_query(recipe))}"'
        f"{'' if there else ' class=gone'}>"
        f'<button type="button" class="paper" aria-label="{take}">'
        f"{img(thumbnail_address(pipeline, recipe), lazy=True)}</button>"
        f'<label title="{morph}"><input type="checkbox" aria-label="{morph}"{state}>'
        f"{place or ''}</label>"
        f'<a download href="{file}" title="{load}" aria-label="{load}">↓</a>'
        f'<button type="button" title="{delete}" aria-label="{delete}">{"✕" if there else "↶"}'
        "</button></li>"
    )


def _queries(value: Any, most: int) -> list[str]:
    queries = [q for q in value if isinstance(q, str)] if isinstance(value, list) else []
    return list(dict.fromkeys(queries))[-most:]
