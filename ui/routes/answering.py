"""How our routes answer: once it is there what the client waits for, or with one sentence."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from typing import TypeVar

import gradio as gr
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from ui.inference.busy import BusyError
from ui.inference.scheduler import POLL_SECONDS

T = TypeVar("T")
Answer = Callable[[Request], Awaitable[Response]]

logger = logging.getLogger(__name__)


class GoneError(Exception):
    """The client has hung up."""


def or_sentence(answer: Answer, doing: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that is a sentence of JSON where it raises: status 400, 500, or 503 when busy.

    Args:
        doing: what goes wrong if it is no fault of the client's, such as "drawing".
        headers: of every answer.
    """

    async def answer_or_sentence(request: Request) -> Response:
        response = await answered(request)
        response.headers.update(headers or {})
        return response

    async def answered(request: Request) -> Response:
        try:
            return await answer(request)
        except gr.Error as error:  # ZeroGPU has none to lend, and says so to a visitor
            return _sentence(error.message, 503)
        except HTTPException as error:
            return _sentence(error.detail, error.status_code)
        except ValueError as error:
            return _sentence(str(error), 400)
        except BusyError as error:
            return _sentence(str(error), 503)
        except (GoneError, ClientDisconnect):
            return Response(status_code=499)
        except Exception:
            logger.exception("%s failed", doing)
            return _sentence(f"something went wrong while {doing}", 500)

    return answer_or_sentence


async def unless_gone(
    futures: Sequence[Future[T]],
    request: Request,
    seconds: float,
    too_long: Callable[[], Exception],
) -> list[T]:
    """Their results, unless the client hangs up first.

    Args:
        seconds: to wait for them.
        too_long: makes what is raised afterwards.

    Raises:
        GoneError: the client has hung up.
    """
    waiting = asyncio.gather(*map(asyncio.wrap_future, futures), return_exceptions=True)
    deadline = time.monotonic() + seconds
    try:
        while not (await asyncio.wait([waiting], timeout=POLL_SECONDS))[0]:
            if await request.is_disconnected():
                raise GoneError
            if time.monotonic() > deadline:
                raise too_long()
        return list(map(Future.result, futures))
    except (CancelledError, asyncio.CancelledError) as error:
        raise GoneError from error
    finally:
        # An error has this frame in its traceback, and those of the thread with all that they hold.
        del futures, waiting


def _sentence(text: str, status: int) -> Response:
    headers = {"Retry-After": "2"} if status == 503 else {}
    return JSONResponse({"error": text}, status, headers)
