"""Pillow's drawing with smooth edges and curves, for :mod:`train.drawing.face`.

Coordinates are pixels of a 500x500 picture with x = 0 on its vertical axis and y downwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageChops, ImageDraw

Point = tuple[float, float]
Color = tuple[int, int, int]

INK: Color = (58, 40, 36)
WHITE: Color = (255, 255, 255)

SIZE = 500
SCALE = 2  # drawn larger and then reduced, which smooths the edges


class Canvas:
    """A transparent picture to draw on."""

    def __init__(self) -> None:
        self._image = Image.new("RGBA", (SIZE * SCALE, SIZE * SCALE))
        self._draw = ImageDraw.Draw(self._image)

    def finish(self) -> Image.Image:
        """The picture: RGBA, 500x500, straight alpha."""
        # Reduced with premultiplied colour: else the transparent black would darken the edges.
        return self._image.convert("RGBa").reduce(SCALE).convert("RGBA")

    def shape(
        self,
        points: Sequence[Point],
        fill: Color,
        outline: Color | None = None,
        width: float = 4,
        inside: Sequence[Point] | None = None,
    ) -> None:
        """A filled polygon; with ``inside``, only the part within that other polygon."""
        points_there = _scaled(points)
        if inside is None:
            self._draw.polygon(points_there, fill=fill)
        else:
            xs, ys = zip(*points_there, strict=True)
            box = (int(min(xs)), int(min(ys)), int(max(xs)) + 1, int(max(ys)) + 1)
            mask = ImageChops.multiply(_mask(points_there, box), _mask(_scaled(inside), box))
            self._image.paste(fill, box, mask)
        if outline:
            self.line([*points, *points[:2]], outline, width)

    def line(self, points: Sequence[Point], color: Color, width: float = 4) -> None:
        """A line with round ends."""
        self._draw.line(_scaled(points), fill=color, width=round(width * SCALE), joint="curve")
        for end in (points[0], points[-1]):
            self.disc(end, width / 2, color)

    def disc(self, center: Point, radius: float, color: Color) -> None:
        [(x, y)], r = _scaled([center]), radius * SCALE
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=color)


def _scaled(points: Sequence[Point]) -> list[Point]:
    return [((SIZE / 2 + x) * SCALE, y * SCALE) for x, y in points]


def _mask(points: Sequence[Point], box: tuple[int, int, int, int]) -> Image.Image:
    left, top, right, bottom = box
    mask = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in points], fill=255)
    return mask


def mix(a: Color, b: Color, share_of_b: float) -> Color:
    return tuple(round(x + (y - x) * share_of_b) for x, y in zip(a, b, strict=True))


def mirror(points: Sequence[Point]) -> list[Point]:
    """A closed outline from its right half, top to bottom."""
    return [*points, *((-x, y) for x, y in reversed(points) if x)]


def smooth(points: Sequence[Point], closed: bool = False, steps: int = 8) -> list[Point]:
    """A Catmull-Rom curve through the points."""
    before, after = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    p = [*before, *points, *after]
    curve: list[Point] = []
    for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False):
        for t in (i / steps for i in range(steps)):
            wa = (-t + 2 * t**2 - t**3) / 2
            wb = 1 - 2.5 * t**2 + 1.5 * t**3
            wc = (t + 4 * t**2 - 3 * t**3) / 2
            wd = (t**3 - t**2) / 2
            x, y = (wa * a[k] + wb * b[k] + wc * c[k] + wd * d[k] for k in (0, 1))
            curve.append((x, y))
    return curve if closed else [*curve, points[-1]]


def oval(center: Point, rx: float, ry: float, power: float = 2) -> list[Point]:
    """A superellipse, from the right end downwards; ``power`` 2 is an ellipse, more is squarer."""
    points = []
    for i in range(48):
        x, y = math.cos(math.tau * i / 48), math.sin(math.tau * i / 48)
        across = rx * math.copysign(abs(x) ** (2 / power), x)
        points.append(
            (center[0] + across, center[1] + ry * math.copysign(abs(y) ** (2 / power), y))
        )
    return points
