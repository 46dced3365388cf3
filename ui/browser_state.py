"""What the browser keeps for the page, besides its controls.

It travels with every event, so the server keeps nothing about a visitor and may restart at any
time. What undo and redo go to stays in the browser (``html/result.js``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from avatar_model import AvatarPipeline
from avatar_model.attributes import NAMES
from ui.link import MAX_QUERY, from_query
from ui.recipe import Recipe

AGAIN = "again"
"""In the place of a query: what the controls say could not be drawn, and is to be drawn now."""


@dataclass(frozen=True)
class BrowserState:
    """Immutable; the methods return a changed copy.

    Attributes:
        open: the look whose sheet of thumbnails is shown.
        now: the query of the recipe that is shown.
        picked: which of its images is shown large.
        turn: milliseconds; when the request was made. Requests may overtake one another on their
            way; what was asked for last counts.
    """

    open: str = "hair"
    now: str = ""
    picked: int = 0
    turn: int = 0

    @classmethod
    def parse(cls, value: Any) -> BrowserState:
        """From what a browser sent, which may be anything; what is wrong is forgotten."""
        value = value if isinstance(value, dict) else {}
        picked, turn = value.get("picked"), value.get("turn")
        return cls(
            open=value["open"] if value.get("open") in NAMES else cls.open,
            now=_query(value.get("now")),
            picked=picked if isinstance(picked, int) and 0 <= picked < 100 else 0,
            turn=turn if isinstance(turn, int) and turn >= 0 else 0,
        )

    def to_json(self) -> dict[str, Any]:
        """For the browser."""
        return asdict(self)

    def picked_recipe(self, pipeline: AvatarPipeline) -> Recipe:
        """Of the one picture that is shown large; "Any" is as the seed decides."""
        return from_query(pipeline, self.now).single(self.picked)

    def shows(self, query: str, picked: int = 0) -> BrowserState:
        """Another recipe and image of it."""
        return self if query == self.now else replace(self, now=query, picked=picked)


def locked_looks(locked: Any) -> list[str]:
    """Names of looks, from what a browser sent, which may be anything."""
    return [name for name in NAMES if name in locked] if isinstance(locked, list) else []


def _query(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= MAX_QUERY else ""
