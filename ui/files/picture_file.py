"""A finished avatar as a file to take away: PNG, WebP or SVG, with its recipe inside.

The recipe travels in the file's metadata, so that the file alone is enough to generate the same
avatar again: a PNG text chunk, the EXIF description of a WebP, the ``<metadata>`` of an SVG.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from PIL import Image, ImageChops, ImageColor, ImageDraw
from PIL.PngImagePlugin import PngInfo

from avatar_model.attributes import NAMES
from ui.files.circle import inside_circle
from ui.files.embedded_json import MAX_OBJECT, find_object
from ui.files.resize import resize
from ui.files.svg import trace

FORMATS = ("png", "webp", "svg")
SIZES = (64, 256, 512, 1024)
STYLES = ("smooth", "crisp")
SHAPES = ("square", "circle")

RECIPE_KEY = "avatar-recipe"
MAX_RECIPE = MAX_OBJECT
"""Characters of JSON; ours have about 500."""
MAX_FILE = 16 * 1024 * 1024
"""Bytes; a larger file is not searched for a recipe. Our largest has about 1 MB."""

_IMAGE_DESCRIPTION = 0x010E  # EXIF 2.32, table 4
_NUMBER = r"\s*(\d{1,3}(?:\.\d{1,20})?)\s*"
_RGBA = re.compile(rf"rgba?\({_NUMBER},{_NUMBER},{_NUMBER}(?:,{_NUMBER})?\)")


@dataclass(frozen=True)
class FileOptions:
    """What kind of file.

    Attributes:
        format: one of ``FORMATS``.
        size: one of ``SIZES``, the side in pixels; of an SVG, its nominal width and height. None
            is the picture's own.
        style: how few pixels become more: "smooth" or "crisp" (every pixel a square). An SVG is
            made of outlines and has no style.
        background: None (transparent) or a colour, kept as "#rrggbb"; "#rgb" and the
            "rgba(r, g, b, 1)" of Gradio's ColorPicker are understood.
        shape: "square", or "circle": cut out the largest circle.

    Raises:
        ValueError: one sentence that names the parameter and what is allowed.
    """

    format: str = "png"
    size: int | None = 512
    style: str = "smooth"
    background: str | None = None
    shape: str = "square"

    def __post_init__(self) -> None:
        _check("format", self.format, FORMATS)
        if self.size is not None:
            _check("size", self.size, SIZES)
        _check("style", self.style, STYLES)
        _check("shape", self.shape, SHAPES)
        if self.background is not None:
            # The only way to set a field of a frozen dataclass.
            object.__setattr__(self, "background", _hex_colour(self.background))

    @property
    def mime_type(self) -> str:
        """Such as ``image/png``."""
        return "image/svg+xml" if self.format == "svg" else f"image/{self.format}"

    @property
    def seconds(self) -> float:
        """About how long one core makes the file."""
        if self.format == "svg":
            return 0.1
        return (0.2 if self.format == "webp" else 0.13) * ((self.size or 256) / 1024) ** 2

    def source_size(self, sizes: Sequence[int]) -> int:
        """From which picture the file is made: the smallest or the largest of a model.

        Args:
            sizes: sides of the pictures that it generates, ascending.
        """
        if self.format == "svg" or self.size is None:
            return sizes[-1]
        return sizes[0] if self.style == "crisp" or self.size <= sizes[0] else sizes[-1]

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> FileOptions:
        """From strings, such as a URL's query; what is missing or empty is the default.

        Names that are no option are left alone: the recipe may stand in the same query.
        """
        given: dict[str, Any] = {
            name: values[name] for name in cls.__dataclass_fields__ if values.get(name)
        }
        if re.fullmatch(r"[0-9]{1,4}", given.get("size", "")):
            given["size"] = int(given["size"])
        return cls(**given)


def _check(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    # 64.0 and True would pass ``in``, and True is no size.
    if not any(value == a and type(value) is type(a) for a in allowed):
        choices = ", ".join(map(str, allowed[:-1]))
        raise ValueError(f"{name} must be {choices} or {allowed[-1]}, not {str(value)[:40]!r}")


def _hex_colour(value: Any) -> str:
    """A colour, "#rgb", "#rrggbb" or "rgb(a)(...)", as "#rrggbb" in lower case."""
    text = value.strip().lower() if isinstance(value, str) else ""
    if re.fullmatch(r"#([0-9a-f]{3}|[0-9a-f]{6})", text):
        return "#{:02x}{:02x}{:02x}".format(*ImageColor.getrgb(text))
    if match := _RGBA.fullmatch(text):
        *levels, alpha = (float(n or 1) for n in match.groups())
        if max(levels) <= 255 and alpha == 1:
            return "#{:02x}{:02x}{:02x}".format(*(round(n) for n in levels))
    raise ValueError(
        "background must be an opaque colour such as #ffcc00, or be left out for a transparent "
        f"one, not {str(value)[:40]!r}"
    )


def encode(
    image: Image.Image, options: FileOptions, recipe: Mapping[str, Any] | None = None
) -> bytes:
    """The content of the file.

    Args:
        image: an avatar as the pipeline gives it, square, mode RGBA.
        options: what kind of file.
        recipe: stored in the file; must survive JSON. ``read_recipe`` finds it again.

    Raises:
        ValueError: an image of another shape or mode, or a recipe that JSON cannot hold or that is
            longer than ``MAX_RECIPE``.
        TypeError: a recipe with something in it that JSON has no word for.
    """
    if image.mode != "RGBA" or image.width != image.height:
        raise ValueError(f"an avatar is square and RGBA, not {image.size} {image.mode}")
    text = None
    if recipe is not None:
        text = json.dumps(dict(recipe), allow_nan=False, separators=(",", ":"))
        if len(text) > MAX_RECIPE:
            raise ValueError(f"the recipe has {len(text)} characters; at most {MAX_RECIPE} fit")
    if options.format == "svg":
        return _svg(image, options, text).encode()

    picture = resize(image, options.size or image.width, options.style)
    if options.background:
        plain = Image.new("RGBA", picture.size, options.background)
        picture = Image.alpha_composite(plain, picture)
    if options.shape == "circle":
        picture.putalpha(ImageChops.multiply(picture.getchannel("A"), _disc(picture.width)))
    elif options.background:
        picture = picture.convert("RGB")
    return _save(picture, options, text)


def _disc(size: int) -> Image.Image:
    """Mode L, 255 inside the largest circle; made 4 times as large for soft edges."""
    large = Image.new("L", (4 * size, 4 * size))
    ImageDraw.Draw(large).ellipse((0, 0, 4 * size - 1, 4 * size - 1), fill=255)
    return large.resize((size, size), Image.Resampling.BOX)


def _save(picture: Image.Image, options: FileOptions, recipe: str | None) -> bytes:
    out, info, exif = io.BytesIO(), PngInfo(), Image.Exif()
    if recipe is not None:
        info.add_text(RECIPE_KEY, recipe)
        exif[_IMAGE_DESCRIPTION] = _named(recipe)
    if options.format == "png":
        # Half the time of Pillow's 6, and 1 % larger.
        picture.save(out, "PNG", pnginfo=info, compress_level=4)
    else:
        # Squares of one colour must stay so, and are smaller lossless anyway.
        lossless = options.style == "crisp" or options.size == 64
        picture.save(out, "WEBP", lossless=lossless, quality=90, exif=exif)
    return out.getvalue()


def _svg(image: Image.Image, options: FileOptions, recipe: str | None) -> str:
    """Without an id, a class or a style: in a page they would be those of other files as well."""
    size = options.size or image.width
    side, paths = trace(image)
    shape = f'<rect width="{side}" height="{side}"'
    if options.shape == "circle":
        shape = f'<circle cx="{side / 2:g}" cy="{side / 2:g}" r="{side / 2:g}"'
        paths = [part for path in paths if (part := inside_circle(path, side))]
    sides = f'width="{size}" height="{size}" viewBox="0 0 {side} {side}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {sides}>']
    if recipe is not None:
        lines.append(f"<metadata>{escape(_named(recipe))}</metadata>")
    if options.background:
        lines.append(f'{shape} fill="{options.background}"/>')
    return "\n".join([*lines, *paths, "</svg>"]) + "\n"


def _named(recipe: str) -> str:
    """What has a fixed set of names, or none, holds ours inside."""
    return f'{{"{RECIPE_KEY}":{recipe}}}'


def read_recipe(content: bytes) -> dict[str, Any] | None:
    """The recipe in a file that ``encode`` made, whatever other programs have made of it since.

    None if there is none, whatever the file is. No pixel is decoded and no XML parsed. What is
    found may come from anybody: check every name and value.
    """
    if len(content) > MAX_FILE:
        return None
    return find_object(content, RECIPE_KEY, "seed", {*NAMES})
