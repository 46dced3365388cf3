"""Outlines of fields as curves: the ``d`` of SVG paths.

A contour is smoothed, reduced to the few points that it needs, and drawn as a quadratic B-spline
through them, whose pieces need one pair of numbers each (SVG 2, 9.3.7: "t"). Its corners stay.
"""

from __future__ import annotations

from collections.abc import Sequence

import contourpy
import numpy as np

FAR = 1e6
"""Below 0: what is outside of a field."""
SMOOTHINGS = 3
SPECKLE = 12
"""Square grid points: nothing smaller is an area, nor a hole."""
TOLERANCE = 0.35
"""Grid points that a dropped point may be beside the line."""
LONGEST = 24
"""Grid points between two points that are kept."""
CORNER = np.cos(np.radians(54))
"""A sharper turn is a corner."""


def outlines(fields: Sequence[tuple[np.ndarray, tuple[float, float]]], unit: float) -> list[str]:
    """The outlines of what is above 0 in each field, as relative path commands.

    Args:
        fields: float [H, W], and where the centre of its first value is, in grid points.
        unit: of the numbers in the paths, per grid point.

    Returns:
        for each field the ``d`` of a path, which is empty if there is nothing to see.
    """
    points, sizes, owners = [np.empty((0, 2))], [0], [0]
    for owner, (field, origin) in enumerate(fields):
        closed = np.pad(field, 1, constant_values=-FAR)
        for line in contourpy.contour_generator(z=closed).lines(0):
            points.append(np.asarray(line)[:-1] + np.subtract(origin, 1))  # the first comes again
            sizes.append(len(points[-1]))
            owners.append(owner)
    contours = _Rings(np.concatenate(points), np.repeat(np.arange(len(sizes)), sizes))
    simple = contours.smooth().without_speckles().simplified()
    return simple.paths(owners, len(fields), unit)


class _Rings:
    """Many closed outlines at once.

    Attributes:
        points: float [N, 2].
        ring: which outline each belongs to, ascending: int [N].
    """

    def __init__(self, points: np.ndarray, ring: np.ndarray) -> None:
        self.points = points
        self.ring = ring
        first = np.flatnonzero(np.diff(ring, prepend=-1))
        last = np.append(first[1:], len(ring))[: len(first)] - 1
        self.last, self.before, self.after = (
            last,
            np.arange(len(ring)) - 1,
            np.arange(len(ring)) + 1,
        )
        self.before[first], self.after[last] = last, first

    def keep(self, kept: np.ndarray) -> _Rings:
        return _Rings(self.points[kept], self.ring[kept])

    def smooth(self) -> _Rings:
        points = self.points
        for _ in range(SMOOTHINGS):
            points = points / 2 + (points[self.before] + points[self.after]) / 4
        return _Rings(points, self.ring)

    def without_speckles(self) -> _Rings:
        (x, y), (next_x, next_y) = self.points.T, self.points[self.after].T
        areas = np.bincount(self.ring, x * next_y - y * next_x) / 2
        return self.keep(abs(areas[self.ring]) >= SPECKLE)

    def simplified(self) -> _Rings:
        """Without points that are as good as between their neighbours."""
        rings = self
        while True:
            before, after = rings.points[rings.before], rings.points[rings.after]
            step, way = after - before, rings.points - before
            length = np.hypot(*step.T)
            beside = abs(step[:, 0] * way[:, 1] - step[:, 1] * way[:, 0]) / np.maximum(length, 1e-6)
            beside[length > LONGEST] = np.inf
            # Of neighbours only one at a time.
            least = (beside <= beside[rings.before]) & (beside < beside[rings.after])
            dropped = least & (beside < TOLERANCE)
            if not dropped.any():
                return rings
            rings = rings.keep(~dropped)

    def paths(self, owners: Sequence[int], count: int, unit: float) -> list[str]:
        """The ``d`` of each of ``count`` owners of outlines.

        Args:
            owners: of each outline that there was.
        """
        before, after = self.points[self.before], self.points[self.after]
        one, other = self.points - before, after - self.points
        lengths = np.maximum(np.hypot(*one.T) * np.hypot(*other.T), 1e-9)
        corner = (one * other).sum(axis=1) / lengths < CORNER
        # Control points, so that the curve goes through the points: in the middle of a piece a
        # B-spline is at 1/8, 6/8, 1/8 of three of them.
        control = self.points.copy()
        for _ in range(2):
            there = (control[self.before] + 6 * control + control[self.after]) / 8
            control[~corner] += (self.points - there)[~corner]
        # Even numbers have whole ones between them.
        halves = np.round(control * (unit / 2)).astype(int)
        parts: list[list[str]] = [[] for _ in range(count)]
        start = 0
        for end in self.last + 1:
            if end - start > 2:
                path = _written(halves[start:end].tolist(), corner[start:end].tolist())
                parts[owners[self.ring[start]]].append(path)
            start = end
        return ["".join(part) for part in parts]


def _written(halves: list[list[int]], corners: list[bool]) -> str:
    """A closed B-spline with corners, of control points in half units."""
    previous = halves[-1]
    x, y = previous[0] + halves[0][0], previous[1] + halves[0][1]
    words, last = [f"M{x} {y}"], ""
    for (hx, hy), (next_x, next_y), corner in zip(
        halves, [*halves[1:], halves[0]], corners, strict=True
    ):
        to_x, to_y = hx + next_x, hy + next_y  # half-way to the next one
        numbers: tuple[int, ...] = (to_x - x, to_y - y)
        if corner:
            command, numbers = "l", (2 * hx - x, 2 * hy - y, to_x - 2 * hx, to_y - 2 * hy)
        elif last and last in "qt":
            command = "t"  # mirrors the control point before
        else:
            command, numbers = "q", (2 * hx - x, 2 * hy - y, *numbers)
        words.append((command if command != last else " ") + " ".join(map(str, numbers)))
        x, y, last = to_x, to_y, command
    return "".join(words).replace(" -", "-") + "z"
