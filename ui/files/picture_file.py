"""A finished avatar as a file to take away: PNG, WebP or SVG, with its recipe inside.

The recipe travels in the file's metadata, so that the file alone is enough to generate the same
avatar again: a PNG text chunk, the EXIF description of a WebP, the ``<metadata>`` of an SVG.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from xml.sax.saxutils import escape

from PIL import Image, ImageColor, ImageOps
from PIL.PngImagePlugin import PngInfo

from avatar_model.arguments import number, whole
from avatar_model.attributes import NAMES
from ui.files.embedded_json import MAX_OBJECT, find_object
from ui.files.frame import RoundedSquare, background, bands, framed, hex_colour, window
from ui.files.resize import resize
from ui.files.svg import UNITS, trace

FORMATS = ("png", "webp", "svg")
MIN_SIZE, MAX_SIZE = 16, 1024
STYLES = ("smooth", "crisp")
SHAPES = {"square": 0, "circle": 50}
"""What addresses may say instead of a radius."""

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

    Colours are kept as "#rrggbb"; "#rgb" and the "rgba(r, g, b, 1)" of Gradio's ColorPicker are
    understood.

    Attributes:
        format: one of ``FORMATS``.
        size: 16..1024, the side in pixels; of an SVG, its nominal width and height. None is the
            picture's own.
        style: how few pixels become more: "smooth" or "crisp" (every pixel a square). An SVG is
            made of outlines and has no style.
        zoom: 0.5..2.5: 1 is as drawn, less leaves room around the avatar, more comes closer to the
            face.
        flip: whether left and right are swapped.
        radius: of the corners in percent of the side, 0..50; 50 is a circle.
        border: width in percent of the side, 0..20.
        border_color: of the border, if there is one.
        background: None (transparent) or a colour.
        background2: the colour at the lower edge, of a gradient that begins with ``background``.

    Raises:
        ValueError: one sentence that names the parameter and what is allowed.
    """

    format: str = "png"
    size: int | None = 512
    style: str = "smooth"
    zoom: float = 1
    flip: bool = False
    radius: float = 0
    border: float = 0
    border_color: str = "#000000"
    background: str | None = None
    background2: str | None = None

    def __post_init__(self) -> None:
        _check("format", self.format, FORMATS)
        _check("style", self.style, STYLES)
        _check("flip", self.flip, (True, False))
        checked: dict[str, Any] = {
            "zoom": round(number("zoom", self.zoom, 0.5, 2.5), 3),
            "radius": round(number("radius", self.radius, 0, 50), 3),
            "border": round(number("border", self.border, 0, 20), 3),
        }
        if self.size is not None:
            checked["size"] = whole("size", self.size, MIN_SIZE, MAX_SIZE)
        for name in ("border_color", "background", "background2"):
            if (colour := getattr(self, name)) is not None:
                checked[name] = _hex_colour(name, colour)
        for name, value in checked.items():
            # The only way to set a field of a frozen dataclass.
            object.__setattr__(self, name, value)
        if self.background2 and not self.background:
            raise ValueError("background2 needs a background, where the gradient begins")

    @property
    def mime_type(self) -> str:
        """Such as ``image/png``."""
        return "image/svg+xml" if self.format == "svg" else f"image/{self.format}"

    @property
    def seconds(self) -> float:
        """About how long one core makes the file."""
        if self.format == "svg":
            return 0.15
        return (0.2 if self.format == "webp" else 0.13) * ((self.size or 256) / 1024) ** 2

    def source_size(self, sizes: Sequence[int]) -> int:
        """From which picture the file is made: the smallest or the largest of a model.

        Args:
            sizes: sides of the pictures that it generates, ascending.
        """
        if self.format == "svg" or self.size is None:
            return sizes[-1]
        enough = self.style == "crisp" or self.size * self.zoom <= sizes[0]
        return sizes[0] if enough else sizes[-1]

    def query(self) -> dict[str, Any]:
        """What differs from the defaults, also the format: ``parse`` makes the same of it.

        For addresses, which have a default ``size`` where it is None.
        """
        changed: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default and value is not None:
                # 2 and not 2.0, 1 and not True.
                whole_number = not isinstance(value, str) and value == int(value)
                changed[field.name] = int(value) if whole_number else value
        return changed

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> FileOptions:
        """From a URL's query or a page's controls; what is missing or empty is the default.

        Names that are no option are left alone: the recipe may stand in the same query.
        """
        given = {
            name: values[name]
            for name in ("format", *OPTIONS)
            if values.get(name) not in (None, "")
        }
        for name in ("size", "zoom", "radius", "border"):
            text = given.get(name)
            if isinstance(text, str) and re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,20})?", text):
                given[name] = float(text)
        if (flip := str(given.get("flip", "")).lower()) in ("0", "1", "false", "true"):
            given["flip"] = flip in ("1", "true")
        if (shape := given.pop("shape", None)) is not None:
            _check("shape", shape, tuple(SHAPES))
            given.setdefault("radius", SHAPES[shape])
        return cls(**given)

    @classmethod
    def parse_leniently(cls, values: Mapping[str, Any]) -> FileOptions:
        """As ``parse``, but what is wrong is at its default."""
        good: dict[str, Any] = {}
        for name in ("format", *OPTIONS):
            try:
                cls.parse(good | {name: values.get(name)})
            except ValueError:
                continue
            good[name] = values.get(name)
        return cls.parse(good)


OPTIONS = ("shape", *(field.name for field in fields(FileOptions) if field.name != "format"))
"""All names that ``FileOptions.parse`` understands, beside the format."""


def _check(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    # 64.0 and True would pass ``in``, and True is no size.
    if not any(value == a and type(value) is type(a) for a in allowed):
        choices = ", ".join(map(str, allowed[:-1]))
        raise ValueError(f"{name} must be {choices} or {allowed[-1]}, not {str(value)[:40]!r}")


def _hex_colour(name: str, value: Any) -> str:
    """A colour, "#rgb", "#rrggbb" or "rgb(a)(...)", as "#rrggbb" in lower case."""
    text = value.strip().lower() if isinstance(value, str) else ""
    if re.fullmatch(r"#([0-9a-f]{3}|[0-9a-f]{6})", text):
        return hex_colour(ImageColor.getrgb(text))
    if match := _RGBA.fullmatch(text):
        *levels, alpha = (float(n or 1) for n in match.groups())
        if max(levels) <= 255 and alpha == 1:
            return hex_colour(levels)
    clear = "be left out for a transparent one" if name == "background" else "be left out"
    raise ValueError(
        f"{name} must be an opaque colour such as #ffcc00, or {clear}, not {str(value)[:40]!r}"
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
    if options.flip:
        image = ImageOps.mirror(image)
    if options.format == "svg":
        return _svg(image, options, text).encode()
    size = options.size or image.width
    picture = resize(image, size, options.style, window(options.zoom))
    if options.background:
        plain = background(size, options.background, options.background2)
        picture = Image.alpha_composite(plain, picture)
    picture = framed(picture, options.radius, options.border, options.border_color)
    if options.background and not options.radius:
        picture = picture.convert("RGB")
    return _save(picture, options, text)


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
        lossless = options.style == "crisp" or picture.width <= 64
        picture.save(out, "WEBP", lossless=lossless, quality=90, exif=exif)
    return out.getvalue()


def _svg(image: Image.Image, options: FileOptions, recipe: str | None) -> str:
    size = options.size or image.width
    left, top, side = (UNITS * part for part in window(options.zoom))
    frame = RoundedSquare(left, top, side, side * options.radius / 100)
    border = side * options.border / 100
    inside = frame.inset(border / 2)  # the border covers the edge of what is in it
    box = " ".join(f"{round(number, 2):g}" for number in (left, top, side, side))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" viewBox="{box}">'
    ]
    if recipe is not None:
        lines.append(f"<metadata>{escape(_named(recipe))}</metadata>")
    if options.background:
        end = options.background2 or options.background
        lines += bands(inside, (top, top + side), options.background, end, size // 2)
    lines += trace(image, inside)
    if border:
        ring = frame.outline() + frame.inset(border).outline()
        lines.append(f'<path fill="{options.border_color}" fill-rule="evenodd" d="{ring}"/>')
    return "\n".join([*lines, "</svg>"]) + "\n"


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
