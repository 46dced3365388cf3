"""For programs: ``/generate``, ``/sheet`` and ``/attributes``."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Literal

import gradio as gr
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from gradio.components.api_component import Api
from gradio.data_classes import FileData
from gradio.route_utils import FnIndexInferError
from gradio_client.utils import python_type_to_json_schema

from avatar_model import ATTRIBUTES, AvatarPipeline
from avatar_model.arguments import whole
from avatar_model.attributes import ANY_LABEL
from avatar_model.guidance import GUIDANCE_METHODS
from avatar_model.samplers import SAMPLERS
from ui.contact_sheet import MAX_SHEET, generate_contact_sheet
from ui.files.picture_file import FileOptions
from ui.generation import AvatarGenerator, random_seed
from ui.recipe import Recipe
from ui.routes.served_files import serve

Parameters = dict[str, tuple[Any, Any]]
"""Name -> type and default; one whose default is None has that in its function too."""


def add_endpoints(generator: AvatarGenerator) -> None:
    """Make them part of the page that is being laid out."""
    pipeline = generator.scheduler.pipeline

    def recipe_of(given: dict[str, Any], **optional: Any) -> Recipe:
        if optional["name"] is not None:
            # What was not given has arrived as "Any", and would win over the looks of the name.
            given = {n: None if value == ANY_LABEL else value for n, value in given.items()}
        elif optional["seed"] is None:
            optional["seed"] = random_seed()
        return Recipe.parse(pipeline, given | optional)

    def generate(
        *,
        size: Any = None,
        seed: Any = None,
        name: Any = None,
        name_version: Any = None,
        **given: Any,
    ) -> Any:
        """Draw avatars: square PNG files with a transparent background.

        Every attribute takes a label, a number or "Any", which draws it at random. Image i uses
        seed + i; without a seed it is random. A name has its own looks and seed, always the same,
        for what is left out. Size is the side of the pictures in pixels; by default they are as
        large as the model draws them, DRAWN. Returns the files and, for each, its "seed" and its
        complete "attributes" (labels) and "values" (numbers): send either of these back with the
        seed to get the same picture.
        """
        options = FileOptions(size=size)
        recipe = recipe_of(given, seed=seed, name=name, name_version=name_version)
        source = options.source_size(pipeline.sizes)
        avatars = generator.generate(recipe, size=source).avatars
        files = [_file(a.file(options), f"avatar-{a.recipe.seed}.png") for a in avatars]
        return files, [
            {"seed": a.recipe.seed, "attributes": a.labels, "values": a.recipe.named_looks}
            for a in avatars
        ]

    def sheet(
        *, count: Any, seed: Any = None, name: Any = None, name_version: Any = None, **given: Any
    ) -> Any:
        """Draw one PNG file with many avatars, which share the attributes that are given.

        Attributes and settings are those of /generate; "count" is 1..64, avatar i uses seed + i.
        """
        whole("count", count, 1, MAX_SHEET)
        recipe = recipe_of(given, seed=seed, name=name, name_version=name_version)
        file = io.BytesIO()
        generate_contact_sheet(generator, recipe, int(count)).save(file, "PNG")
        return _file(file.getvalue(), f"avatars-{recipe.seed}.png")

    def attributes() -> Any:
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

    generate.__doc__ = str(generate.__doc__).replace("DRAWN", str(pipeline.sizes[-1]))
    recipe = _recipe_parameters(pipeline)
    own = {"num_images": (int, 1), "size": (int | None, None)}
    _add(generate, recipe | own, files=list[FileData], avatars=list[dict[str, Any]])
    _add(sheet, recipe | {"count": (int, 24)}, file=FileData)
    _add(attributes, {}, attributes=dict[str, Any])


def _recipe_parameters(pipeline: AvatarPipeline) -> Parameters:
    """Every attribute and setting."""
    defaults = pipeline.defaults
    parameters: Parameters = {}
    for a in ATTRIBUTES:
        # The readers of the API documentation are told every label.
        labels = (ANY_LABEL, *(label for label, _ in pipeline.vocabulary.offered(a.name)))
        parameters[a.name] = (Literal[labels] | int, ANY_LABEL)
    return parameters | {
        "guidance_scale": (float, defaults["guidance_scale"]),
        "guidance_method": (Literal[GUIDANCE_METHODS], defaults["guidance_method"]),
        "num_inference_steps": (int, defaults["num_inference_steps"]),
        "sampler": (Literal[tuple(SAMPLERS)], defaults["sampler"]),
        "seed": (int | None, None),
        "name": (str | None, None),
        "name_version": (int | None, None),
    }


def _add(function: Callable[..., Any], parameters: Parameters, **returns: Any) -> None:
    """As ``gr.api``, which would read the parameters off the function's signature."""
    schema = python_type_to_json_schema
    gr.on(
        [],  # nothing on the page calls it
        function,
        inputs_kwargs={n: Api(value, schema(kind), n) for n, (kind, value) in parameters.items()},
        outputs=[Api(None, schema(kind), n) for n, kind in returns.items()],
        api_name=function.__name__,
        preprocess=False,
        postprocess=False,
        show_progress="hidden",
        concurrency_limit=None,
    )


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
    """Gradio meets an unknown name or number of an endpoint with a KeyError or one of its own.

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
