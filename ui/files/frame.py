"""What surrounds an avatar in a file: how near it is, rounded corners, border and background."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageChops, ImageColor, ImageDraw

FACE = 0.55
"""How far down a picture the middle of the face is, to which a zoom comes closer."""
FINE = 256
"""Masks are made with at least so many pixels a side, and four times those of the picture."""
BANDS = 128
"""Of a gradient in an SVG at most; more cannot be told apart."""


def window(zoom: float) -> tuple[float, float, float]:
    """Which part of a picture is seen: left, top and side, each in sides of the picture."""
    middle = FACE if zoom > 1 else 0.5
    return 0.5 - 0.5 / zoom, middle - middle / zoom, 1 / zoom


def hex_colour(levels: Iterable[float]) -> str:
    """Red, green and blue, 0..255, as "#rrggbb"."""
    return "#" + "".join(f"{round(float(level)):02x}" for level in levels)


def background(size: int, top: str, bottom: str | None) -> Image.Image:
    """A plain picture, or a gradient downwards, mode RGBA."""
    plain = Image.new("RGBA", (size, size), top)
    if bottom:
        part = (np.arange(size, dtype=np.float32)[:, None] + 0.5) / size
        colours = np.array([ImageColor.getrgb(top), ImageColor.getrgb(bottom)], np.float32)
        rows = colours[0] * (1 - part) + colours[1] * part
        plain.paste(Image.fromarray(rows.round().astype(np.uint8)[:, None]).resize((size, size)))
    return plain


def framed(picture: Image.Image, radius: float, border: float, colour: str) -> Image.Image:
    """With rounded corners and a border, which covers the edge of the picture.

    Args:
        picture: square, mode RGBA.
        radius: of the corners, in percent of the side.
        border: width in percent of the side.
        colour: of the border.
    """
    if border:
        edge = Image.new("RGBA", picture.size, colour)
        edge.putalpha(ImageChops.invert(_rounded(picture.width, radius - border, border)))
        picture = Image.alpha_composite(picture, edge)
    if radius:
        outside = _rounded(picture.width, radius, 0)
        picture.putalpha(ImageChops.multiply(picture.getchannel("A"), outside))
    return picture


def _rounded(size: int, radius: float, inset: float) -> Image.Image:
    """Mode L, 255 inside a rounded square; radius and inset in percent, soft edges."""
    times = max(4, FINE // size)
    large = Image.new("L", (times * size, times * size))
    percent = times * size / 100
    low, high = inset * percent, (100 - inset) * percent - 1
    ImageDraw.Draw(large).rounded_rectangle(
        (low, low, high, high), max(0, radius) * percent, fill=255
    )
    return large.resize((size, size), Image.Resampling.BOX)


class RoundedSquare:
    """The same as geometry, in the units of an SVG."""

    def __init__(self, left: float, top: float, side: float, radius: float = 0) -> None:
        self.left, self.top, self.side, self.radius = left, top, side, max(0.0, radius)

    def inset(self, width: float) -> RoundedSquare:
        """The one inside with the same centre, so much smaller on each side."""
        left, top, side = self.left + width, self.top + width, self.side - 2 * width
        return RoundedSquare(left, top, side, self.radius - width)

    def outline(self, begin: float = -math.inf, end: float = math.inf) -> str:
        """As path commands; of the part between two heights."""
        begin, end = max(begin, self.top), min(end, self.top + self.side)
        turns = (self.top + self.radius, self.top + self.side - self.radius)
        heights = sorted({begin, end, *(turn for turn in turns if begin < turn < end)})
        right = [(self.left + self.side - self._gap(y), y) for y in heights]
        left = [(self.left + self._gap(y), y) for y in reversed(heights)]
        commands, (x, y) = [f"M{_written(*left[-1])}"], left[-1]
        for to_x, to_y in (*right, *left):
            arc = f"A{_written(self.radius, self.radius)} 0 0 1 "
            commands.append(f"{'L' if to_y == y or to_x == x else arc}{_written(to_x, to_y)}")
            x, y = to_x, to_y
        return "".join(commands) + "Z"

    def _gap(self, height: float) -> float:
        """Between the side and the outline there."""
        into = max(self.top + self.radius - height, height - self.top - self.side + self.radius, 0)
        return self.radius - math.sqrt(max(0.0, self.radius**2 - into**2))

    def depth(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """How far inside points are, negative outside: float [len(y), len(x)]."""
        middle = self.side / 2
        beyond_x, beyond_y = (
            abs(place - start - middle) - (middle - self.radius)
            for place, start in ((x[None, :], self.left), (y[:, None], self.top))
        )
        outside = np.hypot(np.maximum(beyond_x, 0), np.maximum(beyond_y, 0))
        depth: np.ndarray = self.radius - outside - np.minimum(np.maximum(beyond_x, beyond_y), 0)
        return depth


def bands(
    area: RoundedSquare, height: tuple[float, float], top: str, bottom: str, most: int
) -> list[str]:
    """A gradient as SVG paths, because an SVG's own is found by its id.

    Args:
        area: that is filled.
        height: where the colours begin and end.
        most: how many there may be, each of them a colour.
    """
    first, last = (np.array(ImageColor.getrgb(colour), dtype=float) for colour in (top, bottom))
    count = min(BANDS, most, max(1, int(abs(first - last).max())))
    step, paths = (height[1] - height[0]) / count, []
    if count > 1:
        # Shown smaller than a pixel for each, bands alone would let something through.
        paths.append(_filled(area.inset(area.side / 100).outline(), (first + last) / 2))
    for i in range(count):
        begin, part = height[0] + i * step, (i + 0.5) / count
        end = begin + 1.5 * step  # below the next one, so that nothing shows between them
        if end > area.top and begin < area.top + area.side:
            paths.append(_filled(area.outline(begin, end), first * (1 - part) + last * part))
    return paths


def _filled(outline: str, colour: np.ndarray) -> str:
    return f'<path fill="{hex_colour(colour)}" d="{outline}"/>'


def _written(x: float, y: float) -> str:
    return f"{round(x, 2):g} {round(y, 2):g}"
