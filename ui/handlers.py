"""What happens on the page's events. Every handler returns the components it changes, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
import numpy as np

from avatar_model import ANY
from avatar_model.attributes import NAMES
from ui.browser_state import AGAIN, BrowserState
from ui.event import Event, Updates, Views
from ui.files.found_recipe import Found, plain
from ui.files.picture_file import FileOptions
from ui.from_name import looks_and_seed
from ui.generation import AvatarGenerator, Generation, random_seed
from ui.html.board import board_html
from ui.html.result import result_html
from ui.html.thumbnails import guidance_sheet, look_sheet
from ui.link import from_query, to_query
from ui.looks import GROUPS, in_groups
from ui.panels.start_from_picture import refused_html, seen_html
from ui.panels.take_away import chosen, take_away_html
from ui.recipe import SEEDED_BY, SETTINGS, Recipe, limits
from ui.translation import _

OPEN = "Looks are left on Any instead, the rest at its default."
NO_CHANCE = "Generate has nothing to choose: leave a look on Any, or press Randomize."


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
        """What the link asks for; without one, a surprise.

        Or what was asked for while there was no server, says ``OPEN`` in ``ui/page.py``.
        """
        if event.state.now == AGAIN:
            recipe = self._recipe(event)
            event = replace(event, values={})  # the controls do not have them
        else:
            recipe, notes = Recipe.parse_leniently(self.pipeline, event.query)
            if not any(name in event.query for name in SEEDED_BY):
                recipe = replace(recipe, seed=random_seed())
            _tell(_("Not all of this link can be drawn"), notes, _(OPEN))
        locked = self._board(recipe, event.state, value=event.locked)
        return self._generate(event, recipe) | {self.views.board: locked}

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
        picked = picked_of(generation, event.state)
        return {self.views.result: result_html(generation, picked, event.options, preview=True)}

    def generate(self, event: Event) -> Updates:
        """Once more, with a new seed: what is left on Any is chosen anew."""
        return self._generate(event, replace(self._recipe(event), seed=random_seed()))

    def stop(self, event: Event) -> Updates:
        """Generate no further; the controls say again what is shown."""
        self.generator.stop(event.visitor, event.state.turn)
        return self._controls(event, from_query(self.pipeline, event.state.now))

    def randomize(self, event: Event) -> Updates:
        """Set every look that is not locked."""
        return self._randomize(event, NAMES)

    def reset(self, event: Event) -> Updates:
        """All looks on Any, all settings and locks as on the first day."""
        recipe = Recipe.parse(self.pipeline, {"seed": random_seed()})
        updates = self._generate(event, recipe)
        return updates | {self.views.board: self._board(recipe, event.state, value=[])}

    def go(self, event: Event) -> Updates:
        """To what was shown before or after."""
        event = replace(event, state=replace(event.state, picked=0))
        return self._generate(event, from_query(self.pipeline, event.state.now))

    def name(self, event: Event) -> Updates:
        """The avatar of a name, but for the looks that are locked."""
        if not str(event.values["name"]).strip():
            return {}
        found = looks_and_seed(event.values.pop("name"), self.pipeline.vocabulary)
        new = {name: value for name, value in found.items() if name not in event.locked}
        return self._generate(event, self._recipe(event, new | self._locked(event)))

    def file(self, event: Event) -> Updates:
        """Another file to take away: the same picture shows it."""
        try:
            FileOptions.parse(chosen(event.values))
        except ValueError as error:
            _tell(_("There is no such file"), [str(error)], _("The default is taken instead."))
        return self._show(event, event.state)

    def on_board(self, event: Event) -> Updates:
        """A look is opened, or a group randomized."""
        match event.data:
            case {"open": name} if name in NAMES:
                return self._show(event, replace(event.state, open=name))
            case {"randomize": str(group)} if group in GROUPS:
                members = [a.name for a in in_groups()[group]]
                return self._randomize(event, members, same_seed=True)
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
            gr.Warning(escape(sentence), title=_("No avatar"))
            return {self.views.seen: refused_html(sentence)}
        found = Found.parse(self.pipeline, event.data)
        _tell(_("Not all of this picture's recipe can be drawn"), found.notes, _(OPEN))
        updates = self._generate(event, found.recipe)
        return updates | {self.views.seen: seen_html(self.pipeline, found)}

    def on_saved(self, event: Event) -> Updates:
        """A saved avatar is taken up again."""
        return self._generate(event, from_query(self.pipeline, str(event.data.get("recipe"))))

    def _recipe(
        self, event: Event, new: Mapping[str, Any] | None = None, *, tell: bool = True
    ) -> Recipe:
        """What the controls say, and what is new; what is wrong stays as it was, and is told.

        A number beyond its limit is the limit.
        """
        values, before = {**event.values, **(new or {})}, dict(parse_qsl(event.state.now))
        beyond = []
        for name, (low, high) in limits(self.pipeline).items():
            if isinstance(values[name], (int, float)) and not low <= values[name] <= high:
                values[name] = low if values[name] < low else high
                setting = _(self.controls[name].label)
                beyond.append(
                    _("{setting} goes from {low} to {high}", setting=setting, low=low, high=high)
                )
        recipe, notes = Recipe.parse_leniently(self.pipeline, values, before)
        if tell:
            _tell(_("This is the limit"), beyond)
            _tell(_("This cannot be drawn"), notes, _("It stays as it was."))
        return recipe

    def _randomize(self, event: Event, names: Sequence[str], *, same_seed: bool = False) -> Updates:
        sampled = self.pipeline.vocabulary.sample({}, np.random.default_rng())
        new = {name: sampled[name] for name in names if name not in event.locked}
        if not same_seed:
            new["seed"] = random_seed()
        return self._generate(event, self._recipe(event, new | self._locked(event)))

    def _locked(self, event: Event) -> dict[str, int]:
        """What is locked is the look that is seen, also if that is what Any became."""
        if not any(event.values[name] == ANY for name in event.locked):
            return {}
        shown = self._shown(event)
        return {name: shown[name] for name in event.locked}

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
        return self._controls(event, recipe) | self._views(event, generation, state)

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
        return self._views(event, self.generator.generate(self._recipe(event)), state)

    def _views(self, event: Event, generation: Generation, state: BrowserState) -> Updates:
        views, recipe = self.views, generation.recipe
        picked = picked_of(generation, state)
        avatar = generation.avatars[picked]
        chosen = recipe.named_looks[state.open]
        return {
            views.result: result_html(generation, picked, event.options),
            views.board: self._board(recipe, state),
            views.sheet: gr.HTML(
                options=look_sheet(self.pipeline, state.open, avatar.recipe, chosen)
            ),
            views.guidance: gr.HTML(options=guidance_sheet(self.pipeline, avatar.recipe)),
            views.take_away: take_away_html(avatar, event.options),
            views.state: state.to_json(),
            views.generate: gr.update(interactive=ANY in recipe.looks),
            views.no_chance: "" if ANY in recipe.looks else f"<p>{escape(_(NO_CHANCE))}</p>",
        }

    def _board(self, recipe: Recipe, state: BrowserState, **locked: Any) -> gr.HTML:
        """An update of the board, which knows best what is locked."""
        return gr.HTML(looks=board_html(self.pipeline.vocabulary, recipe, state.open), **locked)


def picked_of(generation: Generation, state: BrowserState) -> int:
    """Which image is shown large: there may be fewer than when it was picked."""
    return min(state.picked, len(generation.avatars) - 1)


def _tell(title: str, notes: list[str], end: str = "") -> None:
    """All of them in one warning: of several the page shows only the last, and no title."""
    if notes:
        sentences = ".<br>".join(escape(note) for note in notes)
        gr.Warning(f"{escape(title)}:<br>{sentences}.<br>{end}")
