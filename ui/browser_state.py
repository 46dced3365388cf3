"""What the browser keeps for the page, besides its controls.

It travels with every event, so the server keeps nothing about a visitor and may restart at any
time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from avatar_model import AvatarPipeline
from avatar_model.attributes import NAMES
from ui.link import MAX_QUERY, from_query
from ui.recipe import Recipe

MAX_UNDO = 50


@dataclass(frozen=True)
class BrowserState:
    """Immutable; the methods return a changed copy.

    Attributes:
        open: the look whose sheet of thumbnails is shown.
        now: the query of the recipe that is shown.
        picked: which of its images is shown large.
        turn: milliseconds; when the request was made. Requests may overtake one another on their
            way; what was asked for last counts.
        past, future: queries that undo and redo go to, the nearest last.
    """

    open: str = "hair"
    now: str = ""
    picked: int = 0
    turn: int = 0
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()

    @classmethod
    def parse(cls, value: Any) -> BrowserState:
        """From what a browser sent, which may be anything; what is wrong is forgotten."""
        value = value if isinstance(value, dict) else {}
        picked, turn = value.get("picked"), value.get("turn")
        return cls(
            open=value["open"] if value.get("open") in NAMES else cls.open,
            now="".join(_queries([value.get("now")])),
            picked=picked if isinstance(picked, int) and 0 <= picked < 100 else 0,
            turn=turn if isinstance(turn, int) and turn >= 0 else 0,
            past=_queries(value.get("past")),
            future=_queries(value.get("future")),
        )

    def to_json(self) -> dict[str, Any]:
        """For the browser."""
        return asdict(self)

    def picked_recipe(self, pipeline: AvatarPipeline) -> Recipe:
        """Of the one picture that is shown large; "Any" is as the seed decides."""
        return from_query(pipeline, self.now).single(self.picked)

    def shows(self, query: str, picked: int = 0) -> BrowserState:
        """Another recipe and image of it; the one before can be undone."""
        if query == self.now:
            return self
        past = (*self.past, self.now)[-MAX_UNDO:] if self.now else self.past
        return replace(self, now=query, picked=picked, past=past, future=())

    def undone(self) -> BrowserState:
        """One step back, if there is one."""
        if not self.past:
            return self
        *past, now = self.past
        return replace(self, now=now, picked=0, past=tuple(past), future=(*self.future, self.now))

    def redone(self) -> BrowserState:
        """One step forth, if there is one."""
        if not self.future:
            return self
        *future, now = self.future
        return replace(self, now=now, picked=0, past=(*self.past, self.now), future=tuple(future))


def locked_looks(locked: Any) -> list[str]:
    """Names of looks, from what a browser sent, which may be anything."""
    return [name for name in NAMES if name in locked] if isinstance(locked, list) else []


def _queries(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(v for v in value[-MAX_UNDO:] if isinstance(v, str) and len(v) <= MAX_QUERY)
