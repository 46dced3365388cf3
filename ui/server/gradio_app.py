"""The page as an application of Gradio's, of which only what the page needs is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import copy
from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio.routes import App
from gradio.state_holder import SessionState, StateHolder
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from avatar_model import AvatarPipeline
from ui.errors import Page
from ui.inference.listeners import MAX_EVENTS
from ui.routes.answer_headers import AnswerHeaders
from ui.server.document import document_routes
from ui.server.forwarded import Forwarded, Proxies
from ui.server.request_limits import RequestLimits

KEPT = {
    "/",
    "/config",
    "/config/",
    "/theme.css",
    "/robots.txt",
    "/favicon.ico",
    "/manifest.json",
    "/assets/{path:path}",
    "/static/{path:path}",
    "/svelte/{path:path}",
    *(
        f"/gradio_api/{path}"
        for path in (
            "app_id",
            "info",
            "info/",
            "openapi.json",
            "theme.css",
            "startup-events",
            "heartbeat/{session_hash}",
            "queue/join",
            "queue/data",
            "call/{api_name}",
            "call/{api_name}/",
            "call/{api_name}/{event_id}",
            "call/v2/{api_name}",
            "call/v2/{api_name}/",
            "call/v2/{api_name}/{event_id}",
            "run/{api_name}",
            "cancel",
            "reset",
            "file={path_or_url:path}",
            "mcp",
            "mcp/{path:path}",
        )
    ),
}
"""Gradio's routes that the page, its API document and Gradio's clients ask for; some are ours now
(``ui/server/document.py``)."""


class _OfOneEvent(SessionState):
    """What Gradio knows of a visitor while an event is answered: the page as it was built.

    It would keep the last answers of everybody, which it needs to make a link to them or to build
    parts of the page anew. Our events bring along all that they need.
    """

    def __init__(self, blocks: gr.Blocks) -> None:
        self.blocks_config = copy(blocks.default_config)
        self.config_values, self.state_data, self._state_ttl = {}, {}, {}
        self.is_closed = False

    def __setitem__(self, key: int, value: Any) -> None:
        self.blocks_config.blocks[key] = value

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


class _NoSessions(StateHolder):
    """Keeps nothing."""

    def __getitem__(self, session_id: str) -> SessionState:
        return _OfOneEvent(self.blocks)


def make_app(
    page: Page, pipeline: AvatarPipeline, routes: Sequence[BaseRoute], **options: Any
) -> ASGIApp:
    """The application: these routes, the page at all others, limits and headers around both.

    Args:
        options: of ``gr.mount_gradio_app``.

    Raises:
        ValueError: ``FORWARDED_ALLOW_IPS`` cannot be read.
    """
    listeners = page.listeners

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        forgetting = asyncio.create_task(listeners.forget_the_deserted())
        yield
        forgetting.cancel()

    # Or Gradio would take any file that an event names for one of the page's own.
    page.has_launched = True
    page.max_threads = page._queue.max_thread_count = MAX_EVENTS
    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes.extend(routes)
    gr.mount_gradio_app(app, page, path="/", **options)
    mount = next(r for r in app.router.routes if isinstance(r, Mount))
    assert isinstance(mount.app, App)
    inner = mount.app
    mount.app = _OnlyKept(inner)
    inner.router.routes[:0] = document_routes(inner, pipeline)
    inner.state_holder = _NoSessions()
    inner.state_holder.set_blocks(page)
    limited = RequestLimits(app, listeners)
    return Forwarded(AnswerHeaders(limited), Proxies.of_environment())


class _OnlyKept:
    """ASGI middleware: whatever else Gradio offers is not there."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._paths = [compile_path(path)[0] for path in KEPT]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer with status 404."""
        path = scope.get("path", "")
        if scope["type"] != "http" or any(kept.match(path) for kept in self._paths):
            await self.app(scope, receive, send)
        else:
            await JSONResponse({"error": "there is nothing here"}, 404)(scope, receive, send)
