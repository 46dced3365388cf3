"""A model with its page, ready to be served, and how it is brought to an end."""

from __future__ import annotations

import os
from pathlib import Path

from avatar_model import AvatarPipeline
from ui.inference.scheduler import Scheduler
from ui.inference.worker_pool import workers
from ui.inference.zero_gpu import begin
from ui.page import build_page
from ui.routes.endpoints import EXCEPTION_HANDLERS
from ui.routes.pictures import make_routes
from ui.routes.read_picture import make_route
from ui.routes.served_files import keep_sweeping, private_folder
from ui.server.gradio_app import make_app
from ui.theme import theme

STYLES = sorted((Path(__file__).parents[1] / "styles").glob("*.css"))


class Site:
    """The page of a model.

    Args:
        model: what ``/health`` calls the model.
        notice: a sentence that all visitors should know, if this model stands in for another.
        mcp: whether the endpoints are tools for language models too; needs ``gradio[mcp]``.

    Attributes:
        app: the ASGI application.

    Raises:
        ValueError: ``FORWARDED_ALLOW_IPS`` cannot be read.
    """

    def __init__(
        self,
        pipeline: AvatarPipeline,
        model: str,
        notice: str = "",
        *,
        mcp: bool = False,
    ) -> None:
        os.environ["GRADIO_TEMP_DIR"] = private_folder()
        keep_sweeping()
        self._scheduler = Scheduler(pipeline)
        self._page = build_page(self._scheduler, notice)
        begin()
        self.app = make_app(
            self._page,
            pipeline,
            [*make_routes(self._scheduler, model, bool(notice)), make_route(pipeline)],
            theme=theme,
            css_paths=STYLES,
            footer_links=["api"],
            run_history=False,
            ssr_mode=False,
            app_kwargs={"exception_handlers": EXCEPTION_HANDLERS},
            enable_monitoring=False,
            show_error=False,
            mcp_server=mcp,
            root_path=os.environ.get("GRADIO_ROOT_PATH"),
        )

    @property
    def is_drawing(self) -> bool:
        """Whether somebody waits for an answer that is being made."""
        return bool(self._scheduler.waiting or workers.busy or self._page.listeners.open_events)

    def refuse(self) -> None:
        """From now on what is asked for ends in a sentence, and so does what waits."""
        self._scheduler.stop()

    def give_up(self) -> None:
        """What is still being drawn ends in a sentence as well."""
        self._scheduler.give_up()

    def end_streams(self) -> None:
        """End the answers that would never end."""
        self._page._queue.close()
