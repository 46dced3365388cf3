"""Plain addresses: ``/avatar.png?hair=12`` is a picture, ``/avatars.zip`` several, ``/health``.

The thumbnails of the page are such pictures, so the browser loads those in sight first, keeps
them, and a page closed half-way asks for no more.
"""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from functools import partial
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ui.files.picture_file import FileOptions, encode
from ui.inference.client import client_of
from ui.inference.scheduler import TIME_LIMIT, Scheduler, too_long
from ui.inference.worker_pool import workers
from ui.link import model_identity
from ui.recipe import Recipe
from ui.routes.answer_headers import PUBLIC
from ui.routes.answering import or_sentence, unless_gone

OPTIONS = ("size", "style", "background", "shape")
KEEP = "public, max-age=3600"
"""Afterwards a browser asks again; so long pictures may be those of a model that was replaced."""
KEEP_OF_THIS_MODEL = "public, max-age=31536000, immutable"
"""Of an address that says which model it means, as those of the page's thumbnails do."""
NEVER_KEEP = "no-store"
"""Of a model that stands in for the one that should be here, or that is not the one asked for."""


def make_routes(scheduler: Scheduler, model: str, stands_in: bool = False) -> list[Route]:
    """The routes, for the server's own.

    Args:
        model: what ``/health`` calls the model.
        stands_in: whether it does so for another that cannot be had at the moment.
    """

    async def avatar(request: Request) -> Response:
        """A picture."""
        query = dict(request.query_params)
        options = FileOptions.parse(
            {"format": request.path_params["format"]}
            | {name: query.pop(name) for name in OPTIONS if name in query}
        )
        save, meant = query.pop("download", None), query.pop("model", None)
        recipe = Recipe.parse(scheduler.pipeline, query)
        if recipe.num_images != 1:
            raise ValueError("an address is one picture: num_images must be 1")
        (content,) = await files([recipe], options, request)
        name = f"avatar-{recipe.seed}.{options.format}" if save is not None else ""
        return _file(content, options.mime_type, name, keep(meant))

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
        name = f"avatars-{recipe.seed}.zip"
        return _file(content.getvalue(), "application/zip", name, keep(None))

    def keep(meant: str | None) -> str:
        """How long a picture is good, if its address says that this model is meant."""
        if meant == identity:
            return KEEP_OF_THIS_MODEL
        return NEVER_KEEP if meant is not None or stands_in else KEEP

    async def files(recipes: list[Recipe], options: FileOptions, request: Request) -> list[bytes]:
        """Generated, and each as a file that knows its recipe."""
        size = options.source_size(scheduler.pipeline.sizes)
        client = client_of(request)
        futures = scheduler.submit_all(recipes, size, client=client)
        try:
            images = await unless_gone(futures, request, TIME_LIMIT, too_long)
        finally:
            scheduler.abandon(futures)

        def make() -> list[bytes]:
            return [
                encode(one.image, options, recipe.single(0, one.values).values())
                for recipe, one in zip(recipes, images, strict=True)
            ]

        made = workers.submit(make, client=client, seconds=len(recipes) * options.seconds)
        try:
            return (await unless_gone([made], request, TIME_LIMIT, too_long))[0]
        finally:
            made.cancel()

    async def health(request: Request) -> Response:
        """What runs here and how much waits; status 503 if nothing is generated any more."""
        pipeline, trouble = scheduler.pipeline, scheduler.trouble
        return JSONResponse(
            {
                "status": trouble or "ok",
                "model": model,
                "stands_in": stands_in,
                "sizes": pipeline.sizes,
                "device": str(pipeline.device),
                "waiting": scheduler.waiting,
                "files_waiting": workers.waiting,
                "drawn": scheduler.generated,
                "uptime_seconds": round(time.monotonic() - started),
                "versions": {name: version(name) for name in ("gradio", "torch")},
            },
            503 if trouble else 200,
        )

    for_any_site = partial(or_sentence, doing="drawing", headers=PUBLIC)
    started, identity = time.monotonic(), model_identity(scheduler.pipeline)
    return [
        Route("/avatar.{format:str}", for_any_site(avatar), methods=["GET"]),
        Route("/avatars.zip", for_any_site(archive), methods=["GET"]),
        Route("/health", health, methods=["GET"]),
    ]


def _file(content: bytes, media_type: str, name: str, keep: str) -> Response:
    """A file, to be saved under its name if it has one."""
    headers = {
        "Cache-Control": keep,
        "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
        "Accept-Ranges": "none",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    }
    if name:
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return Response(content, media_type=media_type, headers=headers)
