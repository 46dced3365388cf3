"""What an event of the page brings along, and what its handler may change."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

import gradio as gr

from .drawing import errors_as_sentences
from .memory import Memory
from .sheets import locked_looks

Updates = dict[gr.Component, Any]
"""Component to its new value, or to an update of it."""


@dataclass(frozen=True)
class Views:
    """What shows a drawing.

    Attributes:
        result: the picture. board, sheet: see ``ui/sheets.py``. guidance: the sheet of scales.
        memory: holds ``Memory``. undo, redo: their buttons.
        file, seen: where a picture is given, and what was seen in it.
    """

    result: gr.HTML
    board: gr.HTML
    sheet: gr.HTML
    guidance: gr.HTML
    memory: gr.JSON
    undo: gr.Button
    redo: gr.Button
    file: gr.File
    seen: gr.HTML

    def all(self) -> list[gr.Component]:
        """As Gradio's ``outputs``."""
        return list(vars(self).values())


@dataclass(frozen=True)
class Visit:
    """What an event brings along, as the browser has it: all that is known about a visitor.

    Attributes:
        values: of the controls, by name.
        locked: names of the looks that Randomize leaves alone.
        data: what the event itself says.
        query: of the page's address.
        visitor: one opened page.
    """

    memory: Memory
    lock_seed: bool
    locked: list[str]
    values: dict[str, Any]
    data: dict[str, Any]
    query: dict[str, str]
    visitor: str


def handler(method: Callable[[Any, Visit], Updates]) -> Callable[..., Any]:
    """A method as Gradio calls it; a request that a newer one has replaced changes nothing."""

    @functools.wraps(method)
    def called_by_gradio(
        self: Any,
        memory: Any,
        lock_seed: bool,
        locked: Any,
        request: gr.Request,
        event: gr.EventData,
        **values: Any,
    ) -> Any:
        data = event._data if isinstance(event._data, dict) else {}
        visit = Visit(
            Memory.parse(memory),
            lock_seed,
            locked_looks(locked),
            values,
            data,
            dict(request.query_params),
            request.session_hash or "",
        )
        try:
            with errors_as_sentences():
                return method(self, visit) or gr.skip()
        except CancelledError:
            return gr.skip()

    # Gradio reads the types of what it calls.
    called_by_gradio.__annotations__ = {"request": gr.Request, "event": gr.EventData}
    del called_by_gradio.__wrapped__
    return called_by_gradio
