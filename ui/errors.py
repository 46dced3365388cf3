"""Every error as one sentence for the visitor; what is no fault of theirs is logged as well."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

import gradio as gr

from ui.inference.busy import BusyError
from ui.inference.listeners import Listeners
from ui.translation import _

UNFIT = "what was sent does not fit this endpoint; /gradio_api/info lists its parameters"

logger = logging.getLogger(__name__)


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """A visitor's mistake keeps its message; anything else is ours, and is logged."""
    try:
        yield
    except CancelledError:
        raise
    except gr.Error as error:  # for the visitor, also one of Gradio's own
        error.print_exception = False
        raise
    except BusyError as error:
        raise gr.Error(str(error).capitalize(), print_exception=False, title=_("Busy")) from error
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False, title=_("Not possible")) from error
    except OSError as error:  # only files to take away are written
        logger.error("event=no_file error=%r", error.strerror)
        sentence = _("The server cannot store files at the moment; please try again later.")
        raise gr.Error(sentence, print_exception=False, title=_("Not possible")) from error
    except Exception as error:
        logger.exception("drawing failed")
        sentence = _("Something went wrong while drawing; please try again.")
        raise gr.Error(sentence, print_exception=False, title=_("Not possible")) from error


def has_file(value: Any) -> bool:
    """Whether what was sent names a file, for Gradio to read."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case {"meta": {"_type": _}}:
                return True
            case dict(found):
                waiting += found.values()
            case list(found) | tuple(found):
                waiting += found
    return False


class Page(gr.Blocks):
    """``gr.Blocks``, except that every error ends in a sentence and nobody's input in a traceback.

    Nothing is done for whom nobody listens to.

    Gradio checks the number of values and the files among them before it calls a handler; what it
    raises there would be logged as a fault of ours and answered with nothing.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.listeners = Listeners(self)

    async def preprocess_data(self, *args: Any, **kwargs: Any) -> Any:
        """As Gradio's, with a ``gr.Error`` for whatever it raises."""
        try:
            # The page takes none; Gradio would read the whole file in the event loop.
            if has_file(args[1] if len(args) > 1 else kwargs["inputs"]):
                raise gr.Error(UNFIT, print_exception=False)
            return await super().preprocess_data(*args, **kwargs)
        except gr.Error as error:  # a file that is not the visitor's
            error.print_exception = False
            raise
        except Exception as error:
            raise gr.Error(UNFIT, print_exception=False) from error

    async def postprocess_data(self, *args: Any, **kwargs: Any) -> Any:
        """As Gradio's, which writes files of pictures."""
        with errors_as_sentences():
            return await super().postprocess_data(*args, **kwargs)

    async def call_function(self, *args: Any, **kwargs: Any) -> Any:
        """As Gradio's, which calls every handler and endpoint: their errors become sentences."""
        event_id = kwargs.get("event_id", args[4] if len(args) > 4 else None)
        if event_id is not None and not await self.listeners.wait_for_one(event_id):
            raise gr.Error("Nobody listens.", print_exception=False)
        with errors_as_sentences():
            return await super().call_function(*args, **kwargs)
