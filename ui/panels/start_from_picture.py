"""Start from a picture: our own files bring their recipe, others the classifier looks at."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate  # until Python 3.10 another than the usual
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from avatar_model import ATTRIBUTES, AvatarPipeline, CheckpointError
from avatar_model.classifier import AvatarClassifier
from avatar_model.open_picture import open_picture
from avatar_model.read_picture import SURE, read_attributes
from ui.files.picture_file import MAX_FILE, read_recipe
from ui.html.elements import html
from ui.recipe import Recipe

CLASSIFIER = Path(__file__).parents[2] / "assets" / "classifier"
READING_SECONDS = 30
"""A visitor waits for a reading no longer, the pictures in front included; the worst takes 3 s."""

logger = logging.getLogger(__name__)
# One at a time: a few bytes can be half a gigabyte of pixels, of which a thread keeps a part.
_reader = ThreadPoolExecutor(1, "read-picture")


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
        ValueError: with one sentence: not a picture, too large, nothing to see in it, or too many
            others are being read.
    """
    if len(content) > MAX_FILE:
        raise ValueError(f"the file is larger than {MAX_FILE >> 20} MB")
    if (values := read_recipe(content)) is not None:
        recipe, notes = Recipe.parse_leniently(pipeline, values)
        return Found(recipe, notes, {})
    reading = _reader.submit(_read, content, pipeline.network.config.crop)
    try:
        seen = reading.result(READING_SECONDS)
    except TooLate as error:
        reading.cancel()
        raise ValueError("too many pictures are being read; please try again later") from error
    except CheckpointError as error:
        logger.error("no classifier: %s", error)
        raise ValueError("this page cannot read pictures: its classifier is missing") from error
    finally:
        del reading  # its error has this frame in its traceback, and frames with pictures
    sure = {name: value for name, (value, p) in seen.items() if p >= SURE}
    recipe, notes = Recipe.parse_leniently(pipeline, sure)
    return Found(recipe, notes, seen)


def _read(content: bytes, crop: int) -> dict[str, tuple[int, float]]:
    return read_attributes(open_picture(content), _classifier(), crop)


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
        file_types=[".png", ".webp", ".svg", ".svgz", ".jpg", ".jpeg", ".gif"],
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
