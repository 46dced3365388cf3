"""What happens on the page's events. Every handler returns the components it changes, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
import numpy as np

from avatar_model import ANY, ATTRIBUTES
from avatar_model.attributes import GROUPS, NAMES
from ui.browser_state import BrowserState
from ui.event import Event, Updates, Views
from ui.files.found_recipe import Found, plain
from ui.generation import AvatarGenerator, Generation, random_seed
from ui.html.board import board_html
from ui.html.result import result_html
from ui.html.thumbnails import guidance_sheet, look_sheet
from ui.link import from_query, to_query
from ui.panels.start_from_picture import refused_html, seen_html
from ui.recipe import SETTINGS, Recipe

OPEN = "Looks are left on Any instead, the rest at its default."


class Handlers:
    """The event handlers of one page.

    Attributes:
        controls: the inputs that a recipe is made of, by name.
    """

    def __init__(self, generator: AvatarGenerator, controls: dict[str, Any], views: Views) -> None:
        self.generator = generator
        self.pipeline = generator.scheduler.pipeline
        self.controls = controls
        self.views = views

    def open_page(self, event: Event) -> Updates:
        """What the link asks for; without one, a surprise."""
        recipe, notes = Recipe.parse_leniently(self.pipeline, event.query)
        if "seed" not in event.query:
            recipe = replace(recipe, seed=random_seed())
        _tell("Not all of this link can be drawn", notes, OPEN)
        return self._generate(event, recipe)

    def change(self, event: Event) -> Updates:
        """A control has changed: generate again with the same seed."""
        return self._generate(event, self._recipe(event), same_people=True)

    def choose(self, event: Event) -> Updates:
        """A thumbnail was chosen.

        The controls mostly know already; but of two choices within milliseconds, which the browser
        works on side by side, they may have ended up with the first.
        """
        match event.values.pop("chosen"):
            case {"name": str(name), "value": value} if name in (*NAMES, "guidance_scale"):
                recipe = self._recipe(event, {name: value})
                return self._generate(event, recipe, same_people=True)
        return {}

    def preview(self, event: Event) -> Updates:
        """A slider is being dragged: a quick look, nothing to undo."""
        recipe = self._recipe(event, tell=False)  # what is wrong is told when it is let go
        generation = self.generator.preview(recipe, event.visitor)
        return {self.views.result: result_html(generation, picked_of(generation, event.state))}

    def generate(self, event: Event) -> Updates:
        """Once more, with a new seed unless it is kept."""
        recipe = self._recipe(event)
        if not event.lock_seed:
            recipe = replace(recipe, seed=random_seed())
        return self._generate(event, recipe)

    def stop(self, event: Event) -> Updates:
        """Generate no further; the controls say again what is shown."""
        self.generator.stop(event.visitor)
        return self._controls(event, from_query(self.pipeline, event.state.now))

    def randomize(self, event: Event) -> Updates:
        """Set every look that is not locked."""
        return self._randomize(event, NAMES, event.lock_seed)

    def reset(self, event: Event) -> Updates:
        """All looks on Any, all settings and locks as on the first day."""
        recipe = Recipe.parse(self.pipeline, {"seed": random_seed()})
        updates = self._generate(event, recipe)
        return updates | {self.views.board: self._board(recipe, event.state, value=[])}

    def undo(self, event: Event) -> Updates:
        """Back to what was shown before."""
        return self._go(event, event.state.undone())

    def redo(self, event: Event) -> Updates:
        """Forth again."""
        return self._go(event, event.state.redone())

    def on_board(self, event: Event) -> Updates:
        """A look is opened, or a group randomized."""
        match event.data:
            case {"open": name} if name in NAMES:
                return self._show(event, replace(event.state, open=name))
            case {"randomize": group} if group in GROUPS:
                members = [a.name for a in ATTRIBUTES if a.group == group]
                return self._randomize(event, members, lock_seed=True)
        return {}

    def on_result(self, event: Event) -> Updates:
        """One of several images is picked, or what "Any" became is kept."""
        match event.data:
            case {"pick": int(index)} if index >= 0:
                return self._show(event, replace(event.state, picked=index))
            case {"keep": str(name)}:
                shown = self._shown(event)
                kept = shown if name == "all" else {name: shown[name]} if name in shown else {}
                return self._generate(event, self._recipe(event, kept), same_people=True)
        return {}

    def on_picture(self, event: Event) -> Updates:
        """A picture of the visitor's was read (``ui/routes/read_picture.py``), or was refused."""
        if "error" in event.data:
            sentence = plain(event.data["error"])
            gr.Warning(escape(sentence), title="No avatar")
            return {self.views.seen: refused_html(sentence)}
        found = Found.parse(self.pipeline, event.data)
        _tell("Not all of this picture's recipe can be drawn", found.notes, OPEN)
        updates = self._generate(event, found.recipe)
        return updates | {self.views.seen: seen_html(self.pipeline, found)}

    def on_saved(self, event: Event) -> Updates:
        """A saved avatar is taken up again."""
        return self._generate(event, from_query(self.pipeline, str(event.data.get("recipe"))))

    def _recipe(
        self, event: Event, new: Mapping[str, Any] | None = None, *, tell: bool = True
    ) -> Recipe:
        """What the controls say, and what is new; what is wrong stays as it was, and is told."""
        values, before = {**event.values, **(new or {})}, dict(parse_qsl(event.state.now))
        recipe, notes = Recipe.parse_leniently(self.pipeline, values, before)
        if tell:
            _tell("This cannot be drawn", notes, "It stays as it was.")
        return recipe

    def _randomize(self, event: Event, names: Sequence[str], lock_seed: bool) -> Updates:
        sampled = self.pipeline.vocabulary.sample({}, np.random.default_rng())
        new = {name: sampled[name] for name in names if name not in event.locked}
        if any(event.values[name] == ANY for name in event.locked):
            shown = self._shown(event)  # what is locked is the look that is seen
            new |= {name: shown[name] for name in event.locked}
        if not lock_seed:
            new["seed"] = random_seed()
        return self._generate(event, self._recipe(event, new))

    def _go(self, event: Event, state: BrowserState) -> Updates:
        recipe = from_query(self.pipeline, state.now)
        return self._generate(replace(event, state=replace(state, now=to_query(recipe))), recipe)

    def _shown(self, event: Event) -> dict[str, int]:
        """The 18 looks of the avatar that is shown large."""
        generation = self.generator.generate(self._recipe(event))
        return generation.avatars[picked_of(generation, event.state)].recipe.named_looks

    def _generate(self, event: Event, recipe: Recipe, *, same_people: bool = False) -> Updates:
        """Generate, remember, show; and set the controls that say something else.

        Args:
            same_people: whether the one of several that was shown large stays so.
        """
        picked = min(event.state.picked, recipe.num_images - 1) if same_people else 0
        state = event.state.shows(to_query(recipe), picked)
        generation = self.generator.generate(recipe, event.visitor, event.state.turn)
        return self._controls(event, recipe) | self._views(generation, state)

    def _controls(self, event: Event, recipe: Recipe) -> Updates:
        """Those that say something else than the recipe."""
        new = recipe.named_looks | {name: getattr(recipe, name) for name in SETTINGS}
        return {
            component: new[name]
            for name, component in self.controls.items()
            if event.values.get(name) != new[name]
        }

    def _show(self, event: Event, state: BrowserState) -> Updates:
        """The same avatars seen otherwise; the scheduler still has their pictures."""
        return self._views(self.generator.generate(self._recipe(event)), state)

    def _views(self, generation: Generation, state: BrowserState) -> Updates:
        views, recipe = self.views, generation.recipe
        picked = picked_of(generation, state)
        avatar = generation.avatars[picked]
        chosen = recipe.named_looks[state.open]
        return {
            views.result: result_html(generation, picked),
            views.board: self._board(recipe, state),
            views.sheet: gr.HTML(
                options=look_sheet(self.pipeline, state.open, avatar.recipe, chosen)
            ),
            views.guidance: gr.HTML(options=guidance_sheet(self.pipeline, avatar.recipe)),
            views.state: state.to_json(),
            views.undo: gr.update(interactive=bool(state.past)),
            views.redo: gr.update(interactive=bool(state.future)),
        }

    def _board(self, recipe: Recipe, state: BrowserState, **locked: Any) -> gr.HTML:
        """An update of the board, which knows best what is locked."""
        return gr.HTML(looks=board_html(self.pipeline.vocabulary, recipe, state.open), **locked)


def picked_of(generation: Generation, state: BrowserState) -> int:
    """Which image is shown large: there may be fewer than when it was picked."""
    return min(state.picked, len(generation.avatars) - 1)


def _tell(title: str, notes: list[str], end: str) -> None:
    """All of them in one warning: of several the page shows only the last, and no title."""
    if notes:
        sentences = ".<br>".join(escape(note) for note in notes)
        gr.Warning(f"{title}:<br>{sentences}.<br>{end}")
