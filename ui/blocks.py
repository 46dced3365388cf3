"""Gradio's blocks, which answer what does not fit an endpoint with a sentence."""

from __future__ import annotations

from typing import Any

import gradio as gr

UNFIT = "what was sent does not fit this endpoint; /gradio_api/info lists its parameters"


class Page(gr.Blocks):
    """``gr.Blocks``, except that nobody's input ends in a traceback.

    Gradio checks the number of values and the files among them before it calls a handler; what it
    raises there would be logged as a fault of ours and answered with nothing.
    """

    async def preprocess_data(self, *args: Any, **kwargs: Any) -> Any:
        """As Gradio's, with a ``gr.Error`` for whatever it raises."""
        try:
            return await super().preprocess_data(*args, **kwargs)
        except gr.Error as error:  # a file that is not the visitor's
            error.print_exception = False
            raise
        except Exception as error:
            raise gr.Error(UNFIT, print_exception=False) from error

    async def call_function(self, *args: Any, **kwargs: Any) -> Any:
        """As Gradio's; a ``gr.Error`` is for the visitor, also one of Gradio's own."""
        try:
            return await super().call_function(*args, **kwargs)
        except gr.Error as error:
            error.print_exception = False
            raise
