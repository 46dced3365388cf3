"""Pillow's drawing with smooth edges, for the stand-in faces.

Coordinates are pixels of a 500x500 picture with x = 0 on its vertical axis and y downwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageChops, ImageDraw

from train.data.stand_in_faces.curves import Point

Color = tuple[int, ...]

INK: Color = (58, 40, 36)
WHITE: Color = (255, 255, 255)

SIZE = 500
SCALE = 2  # rendered larger and then reduced, which smooths the edges


class Canvas:
    """A transparent picture to render on."""

    def __init__(self) -> None:
        self._image = Image.new("RGBA", (SIZE * SCALE, SIZE * SCALE))
        self._pen = ImageDraw.Draw(self._image)

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
            self._pen.polygon(points_there, fill=fill)
        else:
            xs, ys = zip(*points_there, strict=True)
            box = (int(min(xs)), int(min(ys)), int(max(xs)) + 1, int(max(ys)) + 1)
            mask = ImageChops.multiply(_mask(points_there, box), _mask(_scaled(inside), box))
            self._image.paste(fill, box, mask)
        if outline:
            self.line([*points, *points[:2]], outline, width)

    def line(self, points: Sequence[Point], color: Color, width: float = 4) -> None:
        """A line with round ends."""
        self._pen.line(_scaled(points), fill=color, width=round(width * SCALE), joint="curve")
        for end in (points[0], points[-1]):
            self.disc(end, width / 2, color)

    def disc(self, center: Point, radius: float, color: Color) -> None:
        """A filled circle."""
        [(x, y)], r = _scaled([center]), radius * SCALE
        self._pen.ellipse((x - r, y - r, x + r, y + r), fill=color)


def _scaled(points: Sequence[Point]) -> list[Point]:
    return [((SIZE / 2 + x) * SCALE, y * SCALE) for x, y in points]


def _mask(points: Sequence[Point], box: tuple[int, int, int, int]) -> Image.Image:
    left, top, right, bottom = box
    mask = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in points], fill=255)
    return mask


def mix(a: Color, b: Color, share_of_b: float) -> Color:
    """A colour between two others."""
    return tuple(round(x + (y - x) * share_of_b) for x, y in zip(a, b, strict=True))
