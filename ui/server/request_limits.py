"""How much a request may bring along, and how many drawings a client may have under way."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.inference.client import client_of
from ui.inference.listeners import Listeners

MAX_BODY = 2**18
"""Bytes; what the page sends has at most 0.2 million."""
PASSED_OVER = 8 * 2**20
"""Bytes of a body too large that are read, only so that its sender hears of it."""
HAS_LIMITS_OF_ITS_OWN = "/read-picture"
JOINS = re.compile(r"/gradio_api/(queue/join|call/(v2/)?[^/]+)/?")
LISTENS = re.compile(r"/gradio_api/(queue/data|call/(?:v2/)?[^/]+/([^/]+))/?")
TOO_LARGE = f"the body is larger than {MAX_BODY >> 10} kB"
TOO_MANY = "too much is waiting to be drawn or read; please try again in a minute"


class RequestLimits:
    """ASGI middleware: reads a body within limits, before anything looks into it.

    A body too large is status 413, one for which there is no room 503.
    """

    def __init__(self, app: ASGIApp, listeners: Listeners) -> None:
        self.app, self.listeners = app, listeners

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its whole body, or refuse it."""
        if scope["type"] != "http" or scope["path"].rstrip("/") == HAS_LIMITS_OF_ITS_OWN:
            await self.app(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD", "OPTIONS"):  # nobody reads their bodies
            with self._listening(scope):
                await self.app(scope, receive, send)
        else:
            await self._with_body(scope, receive, send)

    def _listening(self, scope: Scope) -> AbstractContextManager[None]:
        found = LISTENS.fullmatch(scope["path"])
        if not found:
            return nullcontext()
        query = parse_qs(scope["query_string"].decode("latin-1"))
        return self.listeners.listening(found[2] or query.get("session_hash", [""])[0])

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, content = Request(scope), bytearray()
        announced = request.headers.get("Content-Length", "")
        too_large = announced.isdecimal() and int(announced) > MAX_BODY
        more = not too_large
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            content += message.get("body", b"")
            too_large = len(content) > MAX_BODY
            more = message.get("more_body", False) and not too_large
        if too_large:
            refused = JSONResponse({"error": TOO_LARGE}, 413, {"Connection": "close"})
            await refused(scope, receive, _after(lambda: _passed_over(receive), send))
        elif JOINS.fullmatch(scope["path"]) and not self.listeners.make_room(
            client_of(request), len(content), _session_hash(content)
        ):
            refused = JSONResponse({"error": TOO_MANY}, 503, {"Retry-After": "2"})
            await refused(scope, receive, send)
        else:
            scope["body_size"] = len(content)
            await self.app(scope, _once(bytes(content), receive), send)


def _after(wait: Callable[[], Awaitable[None]], send: Send) -> Send:
    """Sends an answer, but its end only after something else."""

    async def send_and_wait(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        await send({**message, "more_body": True})
        await wait()
        await send({"type": "http.response.body", "body": b""})

    return send_and_wait


async def _passed_over(receive: Receive) -> None:
    """What still comes, for a while: who is hung up on while sending does not see the answer."""
    passed, more = 0, True
    with suppress(asyncio.TimeoutError):
        while more and passed < PASSED_OVER:
            message = await asyncio.wait_for(asyncio.ensure_future(receive()), 1)
            passed += len(message.get("body", b""))
            more = message.get("more_body", False)


def _once(content: bytes, receive: Receive) -> Receive:
    """Gives the body, and then what comes after it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": content, "more_body": False}

    return again


def _session_hash(content: bytearray) -> str:
    """Of an event of the page; "" if there is none."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    found = value.get("session_hash") if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""
