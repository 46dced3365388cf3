"""Outlines as lists of points: mirrored halves, smooth curves, ovals."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]


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

    def along(radius: float, x: float) -> float:
        return radius * math.copysign(abs(x) ** (2 / power), x)

    angles = [math.tau * i / 48 for i in range(48)]
    x, y = center
    return [(x + along(rx, math.cos(a)), y + along(ry, math.sin(a))) for a in angles]
