"""Plain addresses: ``/avatar.png?hair=12&seed=7`` is a picture, ``/health`` how the page is.

The thumbnails of the page are such pictures, so the browser loads those in sight first, keeps
them, and a page closed half-way asks for no more.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from importlib.metadata import version

import gradio as gr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .caller import client_of
from .drawing import LOOK_SECONDS, logger
from .picture_files import FileOptions, encode, mime_type
from .recipe import Recipe
from .studio import TIME_LIMIT, BusyError, Drawn, Studio, too_long

OPTIONS = ("size", "style", "background", "shape")
KEEP_SECONDS = 86_400
ENCODERS = 2
"""At once: the outlines of an SVG take up to 150 MB for a moment."""


class _GoneError(Exception):
    """The client has hung up."""


def make_routes(studio: Studio, model: str) -> list[Route]:
    """The routes, for the server's own."""

    async def avatar(request: Request) -> Response:
        """A picture, or one sentence as JSON with status 400, 500, or 503 when busy."""
        query = dict(request.query_params)
        try:
            options = FileOptions.parse(
                {"format": request.path_params["format"]}
                | {name: query.pop(name) for name in OPTIONS if name in query}
            )
            save = query.pop("download", None)
            recipe = Recipe.parse(studio.pipeline, query)
            if recipe.num_images != 1:
                raise ValueError("an address is one picture: num_images must be 1")
            drawn = await _drawn(studio, recipe, request)
            complete = recipe.single(0, drawn.values)
            content = await asyncio.get_running_loop().run_in_executor(
                encoders, encode, drawn.image, options, complete.values()
            )
        except gr.Error as error:  # ZeroGPU has none to lend, and says so to a visitor
            return _sentence(error.message, 503)
        except ValueError as error:
            return _sentence(str(error), 400)
        except BusyError as error:
            return _sentence(str(error), 503)
        except _GoneError:
            return Response(status_code=499)
        except Exception:
            logger.exception("drawing failed")
            return _sentence("something went wrong while drawing", 500)
        headers = {
            "Cache-Control": f"public, max-age={KEEP_SECONDS}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        }
        if save is not None:
            name = f"avatar-{recipe.seed}.{options.format}"
            headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return Response(content, media_type=mime_type(options), headers=headers)

    async def health(request: Request) -> Response:
        """What runs here and how much waits; status 503 if nothing is drawn any more."""
        pipeline = studio.pipeline
        return JSONResponse(
            {
                "status": "ok" if studio.alive else "the sampler has stopped",
                "model": model,
                "backend": pipeline.backend,
                "device": str(pipeline.device),
                "waiting": studio.waiting,
                "drawn": studio.drawn,
                "uptime_seconds": round(time.monotonic() - started),
                "versions": {name: version(name) for name in ("gradio", "torch")},
            },
            200 if studio.alive else 503,
        )

    started = time.monotonic()
    encoders = ThreadPoolExecutor(ENCODERS, "encode")
    return [
        Route("/avatar.{format:str}", avatar, methods=["GET"]),
        Route("/health", health, methods=["GET"]),
    ]


async def _drawn(studio: Studio, recipe: Recipe, request: Request) -> Drawn:
    """The avatar, unless the client hangs up first."""
    future = studio.submit(recipe, client=client_of(request))
    waiting = asyncio.wrap_future(future)
    deadline = time.monotonic() + TIME_LIMIT
    try:
        while not (await asyncio.wait([waiting], timeout=LOOK_SECONDS))[0]:
            if await request.is_disconnected():
                raise _GoneError
            if time.monotonic() > deadline:
                raise BusyError(too_long())
        return waiting.result()
    except (CancelledError, asyncio.CancelledError) as error:
        raise _GoneError from error
    finally:
        studio.abandon([future])


def _sentence(text: str, status: int) -> Response:
    headers = {"Retry-After": "2"} if status == 503 else {}
    return JSONResponse({"error": text}, status, headers)
