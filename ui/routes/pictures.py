"""Plain addresses: ``/avatar.png?hair=12`` is a picture, ``/avatars.zip`` several, ``/health``.

The thumbnails of the page are such pictures, so the browser loads those in sight first, keeps
them, and a page closed half-way asks for no more.
"""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from avatar_model import AvatarPipeline
from ui.files.collection_file import MAX_COLLECTION, collection_file
from ui.files.picture_file import OPTIONS, FileOptions, encode, read_recipe
from ui.inference.client import client_of
from ui.inference.scheduler import TIME_LIMIT, Scheduler, too_long
from ui.inference.worker_pool import workers
from ui.link import model_identity
from ui.recipe import Recipe
from ui.routes.answer_headers import PUBLIC
from ui.routes.answering import or_sentence, unless_gone

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
        return _file(content, options.mime_type, name, keep(meant, query))

    async def archive(request: Request) -> Response:
        """All pictures of a recipe, or of a collection, as PNG files in a ZIP file."""
        query = request.query_params
        collection = query.getlist("avatar")
        if collection:
            recipes = _collection(scheduler.pipeline, query, collection)
            names = [f"{i:02}-avatar-{one.seed}.png" for i, one in enumerate(recipes, start=1)]
        else:
            recipes = Recipe.parse(scheduler.pipeline, query).singles()
            names = [f"avatar-{one.seed}.png" for one in recipes]
        pictures = await files(recipes, FileOptions(size=None), request)
        members = dict(zip(names, pictures, strict=True))
        if collection:
            members["recipes.json"] = _recipes_file(names, pictures)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as file:
            for name, member in members.items():
                # By its name alone it would have the time of today, and be another file each time.
                file.writestr(zipfile.ZipInfo(name), member)
        name = "avatars.zip" if collection else f"avatars-{recipes[0].seed}.zip"
        named = dict(parse_qsl("&".join([str(query), *collection])))
        return _file(content.getvalue(), "application/zip", name, keep(None, named))

    def keep(meant: str | None, query: Mapping[str, str]) -> str:
        """How long a picture is good, if its address says that this model is meant."""
        if meant != identity and (meant is not None or stands_in):
            return NEVER_KEEP
        for_all = KEEP_OF_THIS_MODEL if meant == identity else KEEP
        # Whose name it is concerns nobody but the browser that asks.
        return for_all.replace("public", "private") if "name" in query else for_all

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


def _collection(
    pipeline: AvatarPipeline, query: Mapping[str, str], queries: list[str]
) -> list[Recipe]:
    """The recipes of an address with ``avatar=QUERY`` many times."""
    if others := set(query) - {"avatar"}:
        raise ValueError(f"{min(others)!r:.80} cannot stand beside avatar, only inside of it")
    if len(queries) > MAX_COLLECTION:
        raise ValueError(f"there are {len(queries)} times avatar, at most {MAX_COLLECTION}")
    recipes = []
    for number, text in enumerate(queries, start=1):
        try:
            recipe = Recipe.parse(pipeline, dict(parse_qsl(text, keep_blank_values=True)))
            if recipe.num_images != 1:
                raise ValueError("num_images must be 1")
        except ValueError as error:
            raise ValueError(f"avatar {number}: {error}") from None
        recipes.append(recipe)
    return recipes


def _recipes_file(names: list[str], pictures: list[bytes]) -> bytes:
    """Of each picture its file and its recipe."""
    avatars = (
        {"file": name, **(read_recipe(picture) or {})}
        for name, picture in zip(names, pictures, strict=True)
    )
    return collection_file(avatars).encode()


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
