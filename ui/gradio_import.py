"""Imports Gradio in about half the time, by keeping it from writing its type stubs.

On import Gradio parses the source of every component and compares it with the ``.pyi`` beside it,
which helps an editor and nobody else: 1.4 of 2.9 s on two CPU cores, of which a visitor of a Space
that wakes up waits for every one. It leaves out a class that has no file, so for as long as the
import takes its classes seem to have none (``gradio.component_meta.create_or_modify_pyi``). If it
ever looks in another way, the stubs are written as usual.
"""

from __future__ import annotations

import inspect
from typing import Any

getfile = inspect.getfile


def _hidden(thing: Any) -> str:
    if isinstance(thing, type) and thing.__module__.split(".")[0] == "gradio":
        raise OSError(f"{thing.__name__} has no file while Gradio is imported")
    return getfile(thing)


inspect.getfile = _hidden  # type: ignore[assignment]
try:
    import gradio.components.api_component  # noqa: F401  the one that is not imported by itself
finally:
    inspect.getfile = getfile
