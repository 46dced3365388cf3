"""Outlines cut to a circle by geometry.

An SVG's own way, a ``clipPath``, is found by its id, and in a page that holds several files an id
may be found in another one.
"""

from __future__ import annotations

import cmath
import math
import re
from itertools import pairwise

ARC = 2 * math.pi / 3
"""Longest arc of one command, in radians: under a half circle there is no doubt which way round."""
ROUNDING = 1e-9
"""Of a number near 1."""

_PATH = re.compile(r'<path d="([^"]*)" (fill="[^"]*") transform="translate\((-?\d+),(-?\d+)\)"/>')
_OUTLINE = re.compile(r"M([^Z]*)Z")
_POINT = re.compile(r"(-?\d+),(-?\d+)")


def inside_circle(path: str, side: int) -> str:
    """The part of an area inside the largest circle of a picture.

    Args:
        path: an element from ``ui.files.svg.trace``.
        side: of the picture.

    Returns:
        An element that fills the same points inside, none outside; empty if there are none.
    """
    match = _PATH.fullmatch(path)
    if not match:
        raise ValueError(f"not a traced path: {path:.80}")
    radius, commands = side / 2, []
    origin = complex(int(match[3]), int(match[4])) - complex(radius, radius)
    outside = False
    for outline in _OUTLINE.findall(match[1]):
        points = [origin + complex(int(x), int(y)) for x, y in _POINT.findall(outline)]
        outside |= any(abs(point) > radius for point in points)
        commands.append(_cut(points, radius))
    if not outside:
        return path
    if not any(commands):
        return ""
    centre = f"translate({radius:g},{radius:g})"
    return f'<path d="{"".join(commands)}" {match[2]} transform="{centre}"/>'


def _cut(points: list[complex], radius: float) -> str:
    """A closed outline, its parts outside the circle around 0 moved straight in onto it.

    On their way they pass no point inside, so the outline winds around every one of those as often
    as before. Parts that only go there and back vanish.
    """
    commands, angle = [], 0.0

    def turn() -> None:
        """The arc to where the outline comes in again."""
        nonlocal angle
        steps = math.ceil(abs(angle) / ARC - ROUNDING)
        for step in range(steps - 1, -1, -1):
            to = _written(start * cmath.exp(-1j * angle * step / steps))
            commands.append(f"A{radius:g} {radius:g} 0 0 {int(angle > 0)} {to}")
        angle = 0.0

    start = _on(points[0], radius)
    for a, b in pairwise([*points, points[0]]):
        stops = [a, *(a + t * (b - a) for t in _crossings(a, b, radius)), b]
        for p, q in pairwise(stops):
            if max(abs(p), abs(q)) > radius * (1 + ROUNDING):
                angle += cmath.phase(q / p)
                start = _on(q, radius)
                continue
            turn()
            start = q
            commands.append(f"L{_written(q)}")
    turn()
    return f"M{_written(_on(points[0], radius))}{''.join(commands)}Z" if commands else ""


def _crossings(a: complex, b: complex, radius: float) -> list[float]:
    """Where between a (0) and b (1) a line crosses the circle around 0, in ascending order."""
    step = b - a
    square, half = abs(step) ** 2, (a * step.conjugate()).real
    root = half**2 - square * (abs(a) ** 2 - radius**2)
    if root <= 0 or not square:
        return []
    places = ((-half - math.sqrt(root)) / square, (-half + math.sqrt(root)) / square)
    return [place for place in places if 0 < place < 1]


def _on(point: complex, radius: float) -> complex:
    return point / abs(point) * radius if abs(point) > radius else point


def _written(point: complex) -> str:
    return f"{round(point.real, 2):g},{round(point.imag, 2):g}"
