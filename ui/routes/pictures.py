"""Plain addresses: ``/avatar.png?hair=12`` is a picture, ``/avatars.zip`` several, ``/health``.

The thumbnails of the page are such pictures, so the browser loads those in sight first, keeps
them, and a page closed half-way asks for no more.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import time
import zipfile
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from importlib.metadata import version

import gradio as gr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ui.files.picture_file import FileOptions, encode
from ui.generation import POLL_SECONDS
from ui.inference.batch_runner import GeneratedImage
from ui.inference.client import client_of
from ui.inference.scheduler import TIME_LIMIT, BusyError, Scheduler, too_long
from ui.recipe import Recipe
from ui.routes.answer_headers import PUBLIC

Answer = Callable[[Request], Awaitable[Response]]
OPTIONS = ("size", "style", "background", "shape")
KEEP_SECONDS = 86_400
"""Afterwards a browser asks again; so long pictures may be those of a model that was replaced."""
ENCODERS = 2
"""At once: the outlines of an SVG take up to 150 MB for a moment."""

logger = logging.getLogger(__name__)


class _GoneError(Exception):
    """The client has hung up."""


def make_routes(scheduler: Scheduler, model: str) -> list[Route]:
    """The routes, for the server's own."""

    async def avatar(request: Request) -> Response:
        """A picture."""
        query = dict(request.query_params)
        options = FileOptions.parse(
            {"format": request.path_params["format"]}
            | {name: query.pop(name) for name in OPTIONS if name in query}
        )
        save = query.pop("download", None)
        recipe = Recipe.parse(scheduler.pipeline, query)
        if recipe.num_images != 1:
            raise ValueError("an address is one picture: num_images must be 1")
        (content,) = await files([recipe], options, request)
        name = f"avatar-{recipe.seed}.{options.format}" if save is not None else ""
        return _file(content, options.mime_type, name)

    async def archive(request: Request) -> Response:
        """All pictures of a recipe as PNG files in a ZIP file."""
        recipe = Recipe.parse(scheduler.pipeline, request.query_params)
        recipes = recipe.singles()
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as file:
            pictures = await files(recipes, FileOptions(size=None), request)
            for one, picture in zip(recipes, pictures, strict=True):
                # By its name alone it would have the time of today, and be another file each time.
                file.writestr(zipfile.ZipInfo(f"avatar-{one.seed}.png"), picture)
        return _file(content.getvalue(), "application/zip", f"avatars-{recipe.seed}.zip")

    async def files(recipes: list[Recipe], options: FileOptions, request: Request) -> list[bytes]:
        """Generated, and each as a file that knows its recipe."""
        size = options.source_size(scheduler.pipeline.sizes)
        images = await _generated(scheduler, recipes, size, request)
        loop = asyncio.get_running_loop()
        return [
            await loop.run_in_executor(
                encoders, encode, one.image, options, recipe.single(0, one.values).values()
            )
            for recipe, one in zip(recipes, images, strict=True)
        ]

    async def health(request: Request) -> Response:
        """What runs here and how much waits; status 503 if nothing is generated any more."""
        pipeline = scheduler.pipeline
        return JSONResponse(
            {
                "status": "ok" if scheduler.alive else "the sampler has stopped",
                "model": model,
                "sizes": pipeline.sizes,
                "backend": pipeline.backend,
                "upscaler_backend": pipeline.upscaler and pipeline.upscaler.backend,
                "device": str(pipeline.device),
                "waiting": scheduler.waiting,
                "drawn": scheduler.generated,
                "uptime_seconds": round(time.monotonic() - started),
                "versions": {name: version(name) for name in ("gradio", "torch")},
            },
            200 if scheduler.alive else 503,
        )

    started = time.monotonic()
    encoders = ThreadPoolExecutor(ENCODERS, "encode")
    return [
        Route("/avatar.{format:str}", _or_sentence(avatar), methods=["GET"]),
        Route("/avatars.zip", _or_sentence(archive), methods=["GET"]),
        Route("/health", health, methods=["GET"]),
    ]


def _or_sentence(answer: Answer) -> Answer:
    """For any site. Without an answer one sentence as JSON: status 400, 500, or 503 when busy."""

    async def answer_or_sentence(request: Request) -> Response:
        response = await answered(request)
        response.headers.update(PUBLIC)
        return response

    async def answered(request: Request) -> Response:
        try:
            return await answer(request)
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

    return answer_or_sentence


async def _generated(
    scheduler: Scheduler, recipes: list[Recipe], size: int, request: Request
) -> list[GeneratedImage]:
    """The avatars, unless the client hangs up first."""
    futures = scheduler.submit_all(recipes, size, client=client_of(request))
    waiting = asyncio.gather(*map(asyncio.wrap_future, futures), return_exceptions=True)
    deadline = time.monotonic() + TIME_LIMIT
    try:
        while not (await asyncio.wait([waiting], timeout=POLL_SECONDS))[0]:
            if await request.is_disconnected():
                raise _GoneError
            if time.monotonic() > deadline:
                raise too_long()
        return [future.result() for future in futures]
    except (CancelledError, asyncio.CancelledError) as error:
        raise _GoneError from error
    finally:
        scheduler.abandon(futures)


def _file(content: bytes, media_type: str, name: str) -> Response:
    """A file, to be saved under its name if it has one."""
    headers = {
        "Cache-Control": f"public, max-age={KEEP_SECONDS}",
        "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
        "Accept-Ranges": "none",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    }
    if name:
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return Response(content, media_type=media_type, headers=headers)


def _sentence(text: str, status: int) -> Response:
    headers = {"Retry-After": "2"} if status == 503 else {}
    return JSONResponse({"error": text}, status, headers)
