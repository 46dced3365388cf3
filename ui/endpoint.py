"""For programs: ``/generate``, ``/sheet`` and ``/attributes``."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable
from typing import Any, Literal

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from gradio.data_classes import FileData
from gradio.route_utils import FnIndexInferError

from avatar_model import ATTRIBUTES, AvatarPipeline
from avatar_model.arguments import whole
from avatar_model.attributes import ANY_LABEL
from avatar_model.samplers import SAMPLERS

from .contact_sheets import MAX_SHEET, draw_contact_sheet
from .drawing import Avatar, Drawer, errors_as_sentences, random_seed
from .picture_files import SIZES, FileOptions
from .recipe import Recipe
from .served_files import serve

Answer = tuple[list[FileData], list[dict[str, Any]]]


def make_generate(drawer: Drawer) -> Callable[..., Answer]:
    """The function behind ``/generate``."""

    def generate(**given: Any) -> Answer:
        """Draw avatars: square PNG files with a transparent background.

        Every attribute takes a label, a number or "Any", which draws it at random. Image i uses
        seed + i; without a seed it is random. Size is the side of the pictures in pixels; by
        default they are as large as the model draws them, DRAWN. Returns the files and, for each,
        its "seed" and its complete "attributes" (labels) and "values" (numbers): send either of
        these back with the seed to get the same picture.
        """
        with errors_as_sentences():
            options = FileOptions(size=given.pop("size"))
            recipe = _recipe(drawer, given)
            avatars = drawer.draw(recipe, size=options.drawn_size(sizes)).avatars
            files = [_file(avatar.file(options), avatar.file_name) for avatar in avatars]
        return files, [_describe(avatar) for avatar in avatars]

    sizes = drawer.studio.pipeline.sizes
    generate.__doc__ = generate.__doc__.replace("DRAWN", str(sizes[-1]))
    own = ("num_images", 1, int), ("size", None, Literal[SIZES] | None)
    return _with_parameters(drawer, generate, Answer, *own)


def make_sheet(drawer: Drawer) -> Callable[..., FileData]:
    """The function behind ``/sheet``."""

    def sheet(count: int, **given: Any) -> FileData:
        """Draw one PNG file with many avatars, which share the attributes that are given.

        Attributes and settings are those of /generate; "count" is 1..64, avatar i uses seed + i.
        """
        with errors_as_sentences():
            whole("count", count, 1, MAX_SHEET)
            recipe = _recipe(drawer, given)
            file = io.BytesIO()
            draw_contact_sheet(drawer, recipe, int(count)).save(file, "PNG")
            return _file(file.getvalue(), f"avatars-{recipe.seed}.png")

    return _with_parameters(drawer, sheet, FileData, ("count", 24, int))


def make_attributes(pipeline: AvatarPipeline) -> Callable[[], dict[str, Any]]:
    """The function behind ``/attributes``."""

    def attributes() -> dict[str, Any]:
        """The 18 attributes in the order of the data.

        Name -> "title", "group" and "values": label and number of every value that the model has
        seen.
        """
        return {
            a.name: {
                "title": a.title,
                "group": a.group,
                "values": [
                    {"label": label, "value": value}
                    for label, value in pipeline.vocabulary.offered(a.name)
                ],
            }
            for a in ATTRIBUTES
        }

    return attributes


def _recipe(drawer: Drawer, given: dict[str, Any]) -> Recipe:
    if given.get("seed") is None:
        given = {**given, "seed": random_seed()}
    return Recipe.parse(drawer.studio.pipeline, given)


def _with_parameters(
    drawer: Drawer, function: Callable[..., Any], returns: Any, *own: tuple[str, Any, Any]
) -> Callable[..., Any]:
    """``function`` with a parameter for every attribute and setting, as Gradio reads them.

    Gradio takes names, defaults and types off a signature, so this one is written from
    ``ATTRIBUTES`` and the model's own defaults.

    Args:
        own: name, default and type of each further parameter.
    """
    pipeline = drawer.studio.pipeline
    defaults = pipeline.defaults
    parameters: list[tuple[str, Any, Any]] = [
        *((a.name, ANY_LABEL, _labels_or_number(pipeline, a.name)) for a in ATTRIBUTES),
        ("guidance_scale", defaults["guidance_scale"], float),
        ("num_inference_steps", defaults["num_inference_steps"], int),
        ("sampler", defaults["sampler"], Literal[tuple(SAMPLERS)]),
        ("seed", None, int | None),
        *own,
    ]
    signature = inspect.Signature(
        [
            inspect.Parameter(
                name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=kind
            )
            for name, default, kind in parameters
        ],
        return_annotation=returns,
    )

    def called_by_gradio(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return function(**bound.arguments)

    called_by_gradio.__name__ = function.__name__
    called_by_gradio.__doc__ = function.__doc__
    called_by_gradio.__signature__ = signature
    called_by_gradio.__annotations__ = {n: kind for n, _, kind in parameters} | {"return": returns}
    return called_by_gradio


def _labels_or_number(pipeline: AvatarPipeline, name: str) -> Any:
    """A type that tells the readers of the API documentation every label."""
    labels = [label for label, _ in pipeline.vocabulary.offered(name)]
    return Literal[(ANY_LABEL, *labels)] | int


async def answer_unknown_parameter(request: Request, error: Exception) -> JSONResponse:
    """Gradio meets a parameter that an endpoint does not have with a TypeError: say so.

    Anything else that raises a TypeError goes on to be the server error that it is.
    """
    if "is not a valid key-word argument" not in str(error):
        raise error
    sentence = " ".join(str(error).partition(". ")[0].split())[:200]
    return JSONResponse({"error": f"{sentence}; /gradio_api/info lists them all"}, 400)


async def answer_unreadable_body(request: Request, error: Exception) -> JSONResponse:
    """A body that is no JSON, or none that Gradio expects.

    FastAPI would send the body back, and has no JSON for a NaN in it: a server error.
    """
    return JSONResponse({"error": "the body must be a JSON object: parameters by name"}, 422)


async def answer_unknown_endpoint(request: Request, error: Exception) -> JSONResponse:
    """Gradio looks an endpoint up by its name or number, and meets an unknown one with a KeyError
    or an error of its own.

    A handler's errors do not come here: Gradio catches those.
    """
    if not request.url.path.startswith("/gradio_api/"):
        raise error
    return JSONResponse({"error": "no such endpoint; /gradio_api/info lists them all"}, 404)


EXCEPTION_HANDLERS = {
    KeyError: answer_unknown_endpoint,
    FnIndexInferError: answer_unknown_endpoint,
    TypeError: answer_unknown_parameter,
    RequestValidationError: answer_unreadable_body,
}


def _file(content: bytes, name: str) -> dict[str, Any]:
    path = serve(content, name)
    return FileData(path=path, orig_name=name, mime_type="image/png").model_dump()


def _describe(avatar: Avatar) -> dict[str, Any]:
    return {"seed": avatar.recipe.seed, "attributes": avatar.labels, "values": avatar.values}
