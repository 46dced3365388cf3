"""Start from a picture: our own files bring their recipe, others the classifier looks at."""

from __future__ import annotations

import functools
import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from PIL import Image, UnidentifiedImageError

from avatar_model import ATTRIBUTES, AvatarPipeline, CheckpointError
from avatar_model.classifier import AvatarClassifier
from avatar_model.read_picture import SURE, read_attributes
from ui.files.picture_file import MAX_FILE, read_recipe
from ui.html.elements import html
from ui.recipe import Recipe

CLASSIFIER = Path(__file__).parents[2] / "assets" / "classifier"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """What a picture says.

    Attributes:
        recipe: to start from; looks that were not sure are "Any".
        notes: sentences for the visitor.
        seen: look -> (value, confidence 0..1) if it was looked at; empty if it brought a recipe.
    """

    recipe: Recipe
    notes: list[str]
    seen: Mapping[str, tuple[int, float]]


def find_recipe(pipeline: AvatarPipeline, content: bytes) -> Found:
    """A recipe from the content of a file.

    Raises:
        ValueError: with one sentence: not a picture, too large, or nothing to see in it.
    """
    if len(content) > MAX_FILE:
        raise ValueError(f"the file is larger than {MAX_FILE >> 20} MB")
    if (values := read_recipe(content)) is not None:
        recipe, notes = Recipe.parse_leniently(pipeline, values)
        return Found(recipe, notes, {})
    try:
        with Image.open(io.BytesIO(content)) as image:
            seen = read_attributes(image, _classifier(), pipeline.network.config.crop)
    except UnidentifiedImageError as error:
        raise ValueError("this file is not a picture") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"this picture cannot be read: {error}") from error
    except CheckpointError as error:
        logger.error("no classifier: %s", error)
        raise ValueError("this page cannot read pictures: its classifier is missing") from error
    sure = {name: value for name, (value, p) in seen.items() if p >= SURE}
    recipe, notes = Recipe.parse_leniently(pipeline, sure)
    return Found(recipe, notes, seen)


def seen_html(pipeline: AvatarPipeline, found: Found) -> str:
    """What the classifier saw and how sure it was; or that the file brought its recipe."""
    if not found.seen:
        return "<p>This file brought its recipe along: here is the same avatar again.</p>"
    rows = "".join(
        f"<tr><th scope=row>{a.title}</th>"
        f"<td>{escape(pipeline.vocabulary.label(a.name, value))}</td><td>{p:.0%}</td>"
        f"<td>{'' if p >= SURE else 'unsure: left on Any'}</td></tr>"
        for a in ATTRIBUTES
        for value, p in [found.seen[a.name]]
    )
    return (
        f"<table><thead><tr><th>Look<th>Seen<th>Confidence<th></thead><tbody>{rows}</tbody></table>"
    )


@functools.cache
def _classifier() -> AvatarClassifier:
    # Not on a GPU, which on ZeroGPU is not there for this.
    return AvatarClassifier.from_pretrained(CLASSIFIER, device="cpu")


def make_start_from() -> tuple[gr.File, gr.HTML]:
    """Lay the panel out: where a file goes, and what was seen in it."""
    html(
        "<p>Drop a picture here or anywhere on the page. A file saved here brings back its avatar; "
        "of any other avatar in the style of Cartoon Set the looks are read.</p>"
    )
    file = gr.File(
        label="Picture",
        show_label=False,
        type="filepath",
        file_types=[".png", ".webp", ".svg", ".jpg", ".jpeg", ".gif"],
        height=140,
        elem_id="upload",
    )
    return file, html(elem_id="seen")


def uploaded(data: Any) -> Path:
    """The file that the browser says it has uploaded.

    Raises:
        ValueError: that is no file in the folder of uploads, whatever the browser says.
    """
    path = Path(str(data)).resolve()
    if Path(get_upload_folder()).resolve() not in path.parents or not path.is_file():
        raise ValueError("the picture has not arrived; please drop it again")
    return path
