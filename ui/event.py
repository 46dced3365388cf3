"""What an event of the page brings along, and what its handler may change."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.browser_state import BrowserState, locked_looks
from ui.files.picture_file import FileOptions
from ui.panels.take_away import chosen

Updates = dict[gr.Component, Any]
"""Component to its new value, or to an update of it."""


@dataclass(frozen=True)
class Views:
    """What shows avatars.

    Attributes:
        result: the picture. board, sheet: see ``ui/html``. guidance: the sheet of scales.
        state: holds ``BrowserState``.
        generate: the button that draws what is left to chance anew. no_chance: why it cannot.
        take_away: the link to the file, and what else takes an avatar elsewhere.
        seen: what was seen in a picture that was given.
    """

    result: gr.HTML
    board: gr.HTML
    sheet: gr.HTML
    guidance: gr.HTML
    state: gr.JSON
    generate: gr.Button
    no_chance: gr.HTML
    take_away: gr.HTML
    seen: gr.HTML

    def all(self) -> list[gr.Component]:
        """As Gradio's ``outputs``."""
        return list(vars(self).values())


@dataclass(frozen=True)
class Event:
    """What an event brings along, as the browser has it: all that is known about a visitor.

    Attributes:
        values: of the controls, by name.
        options: how the picture is shown and taken away.
        locked: names of the looks that Randomize leaves alone.
        data: what the event itself says.
        query: of the page's address.
        visitor: one opened page.
    """

    state: BrowserState
    locked: list[str]
    values: dict[str, Any]
    options: FileOptions
    data: dict[str, Any]
    query: dict[str, str]
    visitor: str


Handler = Callable[[Event], Updates]


def for_gradio(handler: Handler) -> Callable[..., Any]:
    """A handler as Gradio calls it; a request that a newer one has replaced changes nothing."""

    def called_by_gradio(
        state: Any,
        locked: Any,
        request: gr.Request,
        event: gr.EventData,
        **values: Any,
    ) -> Any:
        brought = Event(
            BrowserState.parse(state),
            locked_looks(locked),
            values,
            FileOptions.parse_leniently(chosen(values)),
            event._data if isinstance(event._data, dict) else {},
            dict(request.query_params),
            request.session_hash or "",
        )
        try:
            return handler(brought) or gr.skip()
        except CancelledError:
            return gr.skip()

    called_by_gradio.__name__ = handler.__name__  # what Gradio calls the event
    return called_by_gradio
