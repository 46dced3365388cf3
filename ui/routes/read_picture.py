"""``POST /read-picture``: the recipe in a picture, which is never more than bytes in memory."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from avatar_model import AvatarPipeline, CheckpointError
from ui.files.found_recipe import Found, find_recipe
from ui.files.picture_file import MAX_FILE
from ui.inference.busy import BusyError
from ui.inference.client import client_of
from ui.inference.scheduler import POLL_SECONDS
from ui.routes.answering import or_sentence, unless_gone

MAX_AT_ONCE = 4
"""Pictures that are in memory, one for each client."""
PLACE_SECONDS = 5
"""How long to wait for a place among them; the next picture of somebody may come that soon."""
RECEIVING_SECONDS = 60
"""Until all of a picture has come: the largest at 2.2 Mbit/s."""
READING_SECONDS = 30
"""Until it has been read, the pictures in front included; the worst takes 3 s."""

logger = logging.getLogger(__name__)
# One at a time: a few bytes can be half a gigabyte of pixels, of which a thread keeps a part.
_reader = ThreadPoolExecutor(1, "read-picture")
_clients: set[str] = set()
"""Who has a picture in memory. Only the event loop's thread looks at it."""


def make_route(pipeline: AvatarPipeline) -> Route:
    """The route, for the server's own."""

    async def read_picture(request: Request) -> Response:
        """The recipe as JSON; see ``Found.to_json``."""
        if _is_from_another_site(request.headers):
            raise HTTPException(403, "only this page and programs may have pictures read here")
        async with _place(client_of(request)):
            try:
                content = await asyncio.wait_for(_received(request), RECEIVING_SECONDS)
            except asyncio.TimeoutError:
                sentence = f"the picture did not arrive within {RECEIVING_SECONDS} seconds"
                raise HTTPException(408, sentence) from None
            try:
                found = await _found(pipeline, content, request)
            except CheckpointError as error:
                logger.error("no classifier: %s", error)
                sentence = "this page cannot read pictures: its classifier is missing"
                raise HTTPException(500, sentence) from error
        return JSONResponse(found.to_json())

    async def closing(request: Request) -> Response:
        response = await answer(request)
        if response.status_code != 200:
            # Whatever is still to come is not waited for.
            response.headers["Connection"] = "close"
        return response

    answer = or_sentence(read_picture, "reading a picture")
    return Route("/read-picture", closing, methods=["POST"])


def _is_from_another_site(headers: Headers) -> bool:
    """Whether a browser says so; without TLS it only says which site. Programs say nothing."""
    if (site := headers.get("Sec-Fetch-Site")) is not None:
        return site not in ("same-origin", "none")
    here = (headers.get("Host"), headers.get("X-Forwarded-Host"))
    return "Origin" in headers and headers["Origin"].partition("://")[2] not in here


@asynccontextmanager
async def _place(client: str) -> AsyncIterator[None]:
    """One of the places for pictures in memory.

    Raises:
        BusyError: none has become free.
    """
    deadline = time.monotonic() + PLACE_SECONDS
    while client in _clients or len(_clients) >= MAX_AT_ONCE:
        if time.monotonic() > deadline:
            raise _too_many()
        await asyncio.sleep(POLL_SECONDS)
    _clients.add(client)
    try:
        yield
    finally:
        _clients.remove(client)


async def _received(request: Request) -> bytearray:
    """The body.

    Raises:
        HTTPException: it is too large; no more of it is read than shows that.
        ClientDisconnect: the client has hung up.
    """
    content, announced = bytearray(), request.headers.get("Content-Length", "")
    too_large = HTTPException(413, f"the file is larger than {MAX_FILE >> 20} MB")
    if announced.isdecimal() and int(announced) > MAX_FILE:
        raise too_large
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_FILE:
            raise too_large
    return content


async def _found(pipeline: AvatarPipeline, content: bytearray, request: Request) -> Found:
    """What the reader finds, unless the client hangs up first; ``content`` is empty afterwards.

    Raises:
        ValueError, CheckpointError: as ``find_recipe``.
        BusyError: it took too long.
        GoneError: the client has hung up.
    """
    reading = _reader.submit(lambda: find_recipe(pipeline, bytes(content)))
    try:
        return (await unless_gone([reading], request, READING_SECONDS, _too_many))[0]
    finally:
        reading.cancel()
        content.clear()  # the reader may come to it later
        del reading  # as ``unless_gone`` does


def _too_many() -> BusyError:
    return BusyError("too many pictures are being read; please try again in a minute")
