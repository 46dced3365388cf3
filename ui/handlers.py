"""What happens on the page's events. Every handler returns the components it changes, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
import numpy as np

from avatar_model import ANY, ATTRIBUTES, AvatarPipeline
from avatar_model.attributes import GROUPS, NAMES

from .controls import Controls
from .drawing import Drawer, Drawing, random_seed
from .memory import MAX_QUERY, Memory
from .recipe import Recipe
from .result import result_html
from .sheets import board_html, guidance_sheet, look_sheet
from .start_from import find_recipe, seen_html, uploaded
from .visit import Updates, Views, Visit, handler

OPEN = "Looks are left on Any instead, the rest at its default."


class Handlers:
    """The event handlers of one page."""

    def __init__(self, drawer: Drawer, controls: Controls, views: Views) -> None:
        self.drawer = drawer
        self.controls = controls
        self.views = views

    @property
    def pipeline(self) -> AvatarPipeline:
        """The model."""
        return self.drawer.studio.pipeline

    @handler
    def open_page(self, visit: Visit) -> Updates:
        """Draw what the link asks for; without one, a surprise."""
        recipe, notes = Recipe.parse_leniently(self.pipeline, visit.query)
        if "seed" not in visit.query:
            recipe = replace(recipe, seed=random_seed())
        _tell("Not all of this link can be drawn", notes, OPEN)
        return self._draw(visit, recipe)

    @handler
    def change(self, visit: Visit) -> Updates:
        """A control has changed: draw again with the same seed."""
        return self._draw(visit, self._recipe(visit), same_people=True)

    @handler
    def choose(self, visit: Visit) -> Updates:
        """A thumbnail was chosen.

        The controls mostly know already; but of two choices within milliseconds, which the browser
        works on side by side, they may have ended up with the first.
        """
        match visit.values.pop("chosen"):
            case {"name": str(name), "value": value} if name in (*NAMES, "guidance_scale"):
                recipe = self._recipe(visit, {name: value})
                return self._draw(visit, recipe, same_people=True)
        return {}

    @handler
    def preview(self, visit: Visit) -> Updates:
        """A slider is being dragged: a quick look, nothing to undo."""
        recipe, _ = self._asked(visit, {})  # what is wrong is told when it is let go
        drawing = self.drawer.preview(recipe, visit.visitor)
        return {self.views.result: result_html(drawing, picked_of(drawing, visit.memory))}

    @handler
    def generate(self, visit: Visit) -> Updates:
        """Draw again, with a new seed unless it is kept."""
        recipe = self._recipe(visit)
        return self._draw(visit, recipe if visit.lock_seed else replace(recipe, seed=random_seed()))

    @handler
    def stop(self, visit: Visit) -> Updates:
        """Draw no further; the controls say again what is shown."""
        self.drawer.stop(visit.visitor)
        return self._controls(visit, Recipe.from_query(self.pipeline, visit.memory.now))

    @handler
    def randomize(self, visit: Visit) -> Updates:
        """Set every look that is not locked."""
        return self._randomize(visit, NAMES, visit.lock_seed)

    @handler
    def reset(self, visit: Visit) -> Updates:
        """All looks on Any, all settings and locks as on the first day."""
        recipe = Recipe.parse(self.pipeline, {"seed": random_seed()})
        updates = self._draw(visit, recipe)
        return updates | {self.views.board: self._board(recipe, visit.memory, value=[])}

    @handler
    def undo(self, visit: Visit) -> Updates:
        """Back to the drawing before."""
        return self._go(visit, visit.memory.undone())

    @handler
    def redo(self, visit: Visit) -> Updates:
        """Forth again."""
        return self._go(visit, visit.memory.redone())

    @handler
    def on_board(self, visit: Visit) -> Updates:
        """A look is opened, or a group randomized."""
        match visit.data:
            case {"open": name} if name in NAMES:
                return self._show(visit, replace(visit.memory, open=name))
            case {"randomize": group} if group in GROUPS:
                members = [a.name for a in ATTRIBUTES if a.group == group]
                return self._randomize(visit, members, lock_seed=True)
        return {}

    @handler
    def on_result(self, visit: Visit) -> Updates:
        """One of several images is picked, or what "Any" became is kept."""
        match visit.data:
            case {"pick": int(index)} if index >= 0:
                return self._show(visit, replace(visit.memory, picked=index))
            case {"keep": str(name)}:
                shown = self._shown(visit)
                kept = shown if name == "all" else {name: shown[name]} if name in shown else {}
                return self._draw(visit, self._recipe(visit, kept), same_people=True)
        return {}

    @handler
    def on_drop(self, visit: Visit) -> Updates:
        """A picture was dropped on the page."""
        return self._start_from(visit, uploaded(visit.data.get("path")))

    @handler
    def on_file(self, visit: Visit) -> Updates:
        """A picture was given in the panel."""
        file = visit.values.pop("file")
        if file is None:
            return {}
        return self._start_from(visit, Path(file)) | {self.views.file: None}

    @handler
    def on_saved(self, visit: Visit) -> Updates:
        """A saved avatar is taken up again."""
        query = str(visit.data.get("recipe"))[:MAX_QUERY]
        return self._draw(visit, Recipe.from_query(self.pipeline, query))

    def _recipe(self, visit: Visit, new: Mapping[str, Any] | None = None) -> Recipe:
        """What the controls say, and what is new; what cannot be drawn is told."""
        recipe, notes = self._asked(visit, new or {})
        _tell("This cannot be drawn", notes, "It stays as it was.")
        return recipe

    def _asked(self, visit: Visit, new: Mapping[str, Any]) -> tuple[Recipe, list[str]]:
        """The same, with the sentences; what cannot be drawn stays as it was."""
        before = dict(parse_qsl(visit.memory.now))
        return Recipe.parse_leniently(self.pipeline, {**visit.values, **new}, before)

    def _randomize(self, visit: Visit, names: Sequence[str], lock_seed: bool) -> Updates:
        drawn = self.pipeline.vocabulary.sample({}, np.random.default_rng())
        new = {name: drawn[name] for name in names if name not in visit.locked}
        if any(visit.values[name] == ANY for name in visit.locked):
            shown = self._shown(visit)  # what is locked is the look that is seen
            new |= {name: shown[name] for name in visit.locked}
        seed = {} if lock_seed else {"seed": random_seed()}
        return self._draw(visit, self._recipe(visit, {**new, **seed}))

    def _go(self, visit: Visit, memory: Memory) -> Updates:
        recipe = Recipe.from_query(self.pipeline, memory.now)
        return self._draw(replace(visit, memory=replace(memory, now=recipe.query())), recipe)

    def _start_from(self, visit: Visit, path: Path) -> Updates:
        try:
            found = find_recipe(self.pipeline, path.read_bytes())
        except ValueError as error:
            gr.Warning(escape(str(error)), title="No avatar")
            return {self.views.seen: f"<p>{escape(str(error).capitalize())}.</p>"}
        finally:
            path.unlink()
        _tell("Not all of this picture's recipe can be drawn", found.notes, OPEN)
        updates = self._draw(visit, found.recipe)
        return updates | {self.views.seen: seen_html(self.pipeline, found)}

    def _shown(self, visit: Visit) -> dict[str, int]:
        """The 18 looks of the avatar that is shown large."""
        recipe = self._recipe(visit)
        index = min(visit.memory.picked, recipe.num_images - 1)
        return self.drawer.draw(recipe).avatars[index].values

    def _draw(self, visit: Visit, recipe: Recipe, *, same_people: bool = False) -> Updates:
        """Draw, remember, show; and set the controls that say something else.

        Args:
            same_people: whether the one of several that was shown large stays so.
        """
        picked = min(visit.memory.picked, recipe.num_images - 1) if same_people else 0
        memory = visit.memory.shows(recipe.query(), picked)
        drawing = self.drawer.draw(recipe, visit.visitor, visit.memory.turn)
        return self._controls(visit, recipe) | self._views(drawing, memory)

    def _controls(self, visit: Visit, recipe: Recipe) -> Updates:
        """Those that say something else than the recipe."""
        new = recipe.named_looks | {name: getattr(recipe, name) for name in self.controls.settings}
        return {
            component: new[name]
            for name, component in self.controls.named().items()
            if visit.values.get(name) != new[name]
        }

    def _show(self, visit: Visit, memory: Memory) -> Updates:
        """The same drawing seen otherwise; the studio still has its pictures."""
        return self._views(self.drawer.draw(self._recipe(visit)), memory)

    def _views(self, drawing: Drawing, memory: Memory) -> Updates:
        views, recipe = self.views, drawing.recipe
        picked = picked_of(drawing, memory)
        avatar = drawing.avatars[picked]
        chosen = recipe.named_looks[memory.open]
        return {
            views.result: result_html(drawing, picked),
            views.board: self._board(recipe, memory),
            views.sheet: gr.HTML(
                options=look_sheet(self.pipeline, memory.open, avatar.recipe, chosen)
            ),
            views.guidance: gr.HTML(options=guidance_sheet(self.pipeline, avatar.recipe)),
            views.memory: memory.to_json(),
            views.undo: gr.update(interactive=bool(memory.past)),
            views.redo: gr.update(interactive=bool(memory.future)),
        }

    def _board(self, recipe: Recipe, memory: Memory, **locked: Any) -> gr.HTML:
        """An update of the board, which knows best what is locked."""
        return gr.HTML(looks=board_html(self.pipeline.vocabulary, recipe, memory.open), **locked)


def picked_of(drawing: Drawing, memory: Memory) -> int:
    """Which image is shown large: there may be fewer than when it was picked."""
    return min(memory.picked, len(drawing.avatars) - 1)


def _tell(title: str, notes: list[str], end: str) -> None:
    """All of them in one warning: of several the page shows only the last, and no title."""
    if notes:
        sentences = ".<br>".join(escape(note) for note in notes)
        gr.Warning(f"{title}:<br>{sentences}.<br>{end}")
