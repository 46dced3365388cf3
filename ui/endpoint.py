"""``/generate`` for programs: one named parameter per attribute, all of them optional."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

from fastapi import Request
from fastapi.responses import JSONResponse
from gradio.data_classes import FileData
from gradio.processing_utils import save_pil_to_cache
from gradio.utils import get_upload_folder

from avatar_model import ATTRIBUTES, AvatarPipeline
from avatar_model.attributes import ANY_LABEL
from avatar_model.samplers import SAMPLERS

from .drawing import Avatar, draw

Answer = tuple[list[FileData], list[dict[str, Any]]]


def make_generate(pipeline: AvatarPipeline) -> Callable[..., Answer]:
    """The function behind ``/generate``.

    Gradio reads names, defaults and types off a signature, so this one is written from
    ``ATTRIBUTES`` and the model's own defaults.
    """
    defaults = pipeline.defaults
    parameters: list[tuple[str, Any, Any]] = [
        *((a.name, ANY_LABEL, _labels_or_number(pipeline, a.name)) for a in ATTRIBUTES),
        ("guidance_scale", defaults["guidance_scale"], float),
        ("num_inference_steps", defaults["num_inference_steps"], int),
        ("sampler", defaults["sampler"], Literal[tuple(SAMPLERS)]),
        ("seed", None, int | None),
        ("num_images", 1, int),
    ]
    signature = inspect.Signature(
        [
            inspect.Parameter(
                name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=kind
            )
            for name, default, kind in parameters
        ],
        return_annotation=Answer,
    )

    def generate(*args: Any, **kwargs: Any) -> Answer:
        """Draw avatars: 64x64 PNG files with a transparent background.

        Every attribute takes a label, a number or "Any", which draws it at random. Image i uses
        seed + i; without a seed it is random. Returns the files and, for each, its "seed" and its
        complete "attributes" (labels) and "values" (numbers): send either of these back with the
        seed to get the same picture.
        """
        given = signature.bind(*args, **kwargs).arguments
        looks = {a.name: given.pop(a.name, ANY_LABEL) for a in ATTRIBUTES}
        avatars = draw(pipeline, looks, **given).avatars
        return [_file(avatar) for avatar in avatars], [_describe(avatar) for avatar in avatars]

    generate.__signature__ = signature
    generate.__annotations__ = {name: kind for name, _, kind in parameters} | {"return": Answer}
    return generate


def _labels_or_number(pipeline: AvatarPipeline, name: str) -> Any:
    """A type that tells the readers of the API documentation every label."""
    labels = [label for label, _ in pipeline.vocabulary.offered(name)]
    return Literal[(ANY_LABEL, *labels)] | int


async def answer_unknown_parameter(request: Request, error: Exception) -> JSONResponse:
    """Gradio meets a parameter that ``/generate`` does not have with a TypeError: say so.

    Anything else that raises a TypeError goes on to be the server error that it is.
    """
    if "is not a valid key-word argument" not in str(error):
        raise error
    sentence = str(error).partition(". ")[0]
    return JSONResponse({"error": f"{sentence}; /gradio_api/info lists them all"}, 400)


def _file(avatar: Avatar) -> dict[str, Any]:
    path = save_pil_to_cache(
        avatar.image, get_upload_folder(), name=avatar.file_name.removesuffix(".png"), format="png"
    )
    file = FileData(path=path, orig_name=avatar.file_name, mime_type="image/png")
    return file.model_dump()


def _describe(avatar: Avatar) -> dict[str, Any]:
    return {"seed": avatar.seed, "attributes": avatar.labels, "values": avatar.values}
