"""What the page remembers besides its controls.

It lives in the browser and travels with every event, so the server keeps nothing about a visitor
and may restart at any time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from avatar_model.arguments import MAX_SEED
from avatar_model.attributes import NAMES

MAX_UNDO = 50
MAX_QUERY = 2000


@dataclass(frozen=True)
class Memory:
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
    def parse(cls, value: Any) -> Memory:
        """From what a browser sent, which may be anything; what is wrong is forgotten."""
        value = value if isinstance(value, dict) else {}
        picked, turn = value.get("picked"), value.get("turn")
        return cls(
            open=value["open"] if value.get("open") in NAMES else cls.open,
            now="".join(_texts([value.get("now")])),
            picked=picked if isinstance(picked, int) and 0 <= picked < 100 else 0,
            turn=turn if isinstance(turn, int) and turn >= 0 else 0,
            past=_texts(value.get("past")),
            future=_texts(value.get("future")),
        )

    def to_json(self) -> dict[str, Any]:
        """For the browser."""
        return asdict(self)

    def picked_query(self) -> str:
        """The query of the one picture that is shown large; "Any" is as the seed decides."""
        values = dict(parse_qsl(self.now))
        values.pop("num_images", None)
        seed = values.get("seed", "")
        if seed.isdecimal():
            values["seed"] = str((int(seed) + self.picked) % (MAX_SEED + 1))
        return urlencode(values, errors="replace")

    def shows(self, query: str, picked: int = 0) -> Memory:
        """A new drawing; the one before can be undone.

        Args:
            picked: which of its images is shown large.
        """
        if query == self.now:
            return self
        past = (*self.past, self.now)[-MAX_UNDO:] if self.now else self.past
        return replace(self, now=query, picked=picked, past=past, future=())

    def undone(self) -> Memory:
        """One step back, if there is one."""
        if not self.past:
            return self
        return replace(
            self,
            now=self.past[-1],
            picked=0,
            past=self.past[:-1],
            future=(*self.future, self.now),
        )

    def redone(self) -> Memory:
        """One step forth, if there is one."""
        if not self.future:
            return self
        return replace(
            self,
            now=self.future[-1],
            picked=0,
            past=(*self.past, self.now),
            future=self.future[:-1],
        )


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(v for v in value[-MAX_UNDO:] if isinstance(v, str) and len(v) <= MAX_QUERY)
