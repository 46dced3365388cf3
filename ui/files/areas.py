"""The areas of an avatar: few colours, and of each the field that is above 0 where it is seen.

Half-transparent and mixed pixels, along every edge, are no areas of their own: they only tell where
between two others the edge is, more exactly than a pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ui.files.frame import hex_colour
from ui.files.resize import resize

GRID = 512
"""Fields have about so many points a side."""
MIN_SIDE = 192
"""Pixels; in a smaller picture lines are too thin to tell from the mixtures along edges."""
MAX_COLOURS = 32
SAME_COLOUR, DISTINCT_COLOUR = 10, 32
"""Distances in RGB, 0..441: up to the first, colours are one fill and its noise; a fill nearer to a
more common one than the second would only make bands in shades."""
MIN_PIXELS = 12
"""Of a fill."""
MAX_BINS = 2048
"""Different colours that are compared with one another."""
EDGE = 60
"""Two pixels further apart than this distance have an edge between them."""
NEAR, ENOUGH = 3, 5
"""Where fewer pixels than this have the same colour, so near, it is noise."""
STRANGE = 8_000.0
"""What a colour without support in its neighbourhood has to be nearer by, squared."""
SUPPORT = 0.2
"""Of a blurred area, that is enough; a line one pixel wide has 0.375."""
OVERLAP, INSET = 1, 2
"""Grid points by which an area goes on below the next ones, and the lowest one keeps away from
where nothing is: two outlines in the same place would show as a dark seam."""


@dataclass(frozen=True)
class Area:
    """All places of one colour, painted over the areas before.

    Attributes:
        colour: "#rrggbb".
        field: float32 [H, W], above 0 inside. It goes on below the areas that are painted later.
        origin: x and y of the first value, in points of a grid over the whole picture.
    """

    colour: str
    field: np.ndarray
    origin: tuple[int, int]


@dataclass(frozen=True)
class Layers:
    """A picture as the distances of its grid points from every colour.

    Attributes:
        side: of the picture, in grid points.
        colours: float32 [K, 4], premultiplied; the first is nothing, then in the order of painting.
        distances: squared, float32 [K, H, W], all less the same at each point.
        origin: x and y of the first point.
    """

    side: int
    colours: np.ndarray
    distances: np.ndarray
    origin: tuple[int, int]

    @property
    def changes(self) -> int:
        """How many points have another colour than the one beside or above them."""
        nearest = self.distances.argmin(axis=0)
        beside = (nearest[:, 1:] != nearest[:, :-1]).sum()
        return int(beside + (nearest[1:] != nearest[:-1]).sum())

    def areas(self) -> Iterator[Area]:
        """From the lowest to the uppermost."""
        count = len(self.colours)
        lower = self.distances[0].copy()  # the nearest of those below
        upper = [*self.distances, np.full_like(lower, np.inf)]  # and from here on
        for k in reversed(range(1, count)):
            upper[k] = np.minimum(self.distances[k], upper[k + 1])
        for k in range(1, count):
            own = np.minimum(lower, upper[k + 1]) - self.distances[k]
            if (box := _bounds(own > 0, OVERLAP + 2)) is not None:
                visible = lower[box] - upper[k][box]  # this one and all above
                field = _widened(own[box], OVERLAP)
                if k == 1:
                    field = np.maximum(field, -_widened(-visible, INSET))
                origin = (self.origin[0] + box[1].start, self.origin[1] + box[0].start)
                yield Area(hex_colour(self.colours[k, :3]), np.minimum(visible, field), origin)
            np.minimum(lower, self.distances[k], out=lower)


def find_layers(image: Image.Image) -> Layers | None:
    """Few colours for a square RGBA picture; None if nothing is to be seen."""
    if image.width < MIN_SIDE:
        image = resize(image, GRID // 2)
    scale = max(1, round(GRID / image.width))
    # Two pixels around it, so that areas go on beyond the edge of the picture.
    image = Image.fromarray(np.pad(np.asarray(image), ((2, 2), (2, 2), (0, 0)), "edge"))
    box = _bounds(np.asarray(image.getchannel("A")) >= 64, 3)
    if box is None:
        return None
    small = np.asarray(image.convert("RGBa"))[box].astype(np.float32)
    pure = _is_pure(small)
    opaque, solid = small[..., 3] >= 128, pure & (small[..., 3] >= 240)
    if not opaque.any():
        return None
    fills = _palette(np.asarray(image)[box][solid if solid.any() else opaque, :3])
    colours = np.zeros((len(fills) + 1, 4), dtype=np.float32)
    colours[1:, :3], colours[1:, 3] = fills, 255

    distances = _distances(small, colours)
    penalty = np.zeros_like(distances)
    for _ in range(2):  # what is gone the first time supports nothing the second
        labels = (distances + penalty).argmin(axis=0).astype(np.int8)
        kept = pure & (_number_alike(labels) >= ENOUGH)
        support = _blurred((labels == np.arange(len(colours))[:, None, None]) & kept)
        penalty = STRANGE * (1 - np.minimum(1, support / SUPPORT))

    seen = np.bincount(labels[kept], minlength=len(colours))
    order = [0, *(k for k in np.argsort(-seen, kind="stable") if k and seen[k])]
    grid = tuple(slice(scale * part.start, scale * part.stop) for part in box)
    large = np.asarray(resize(image, scale * image.width).convert("RGBa"))[grid]
    fine = _distances(large.astype(np.float32), colours[order])
    for plane, coarse in zip(fine, penalty[order], strict=True):
        shape = (plane.shape[1], plane.shape[0])
        plane += np.asarray(Image.fromarray(coarse).resize(shape, Image.Resampling.BILINEAR))
    origin = (grid[1].start - 2 * scale, grid[0].start - 2 * scale)
    return Layers(scale * (image.width - 4), colours[order], fine, origin)


def _bounds(inside: np.ndarray, margin: int) -> tuple[slice, slice] | None:
    """The rows and columns of what is inside, and a margin."""
    slices = []
    for axis in (1, 0):
        found = np.flatnonzero(inside.any(axis=axis))
        if not len(found):
            return None
        slices.append(slice(max(0, int(found[0]) - margin), int(found[-1]) + 1 + margin))
    return slices[0], slices[1]


def _is_pure(pixels: np.ndarray) -> np.ndarray:
    """Where the colour is not a mixture of those on both sides: bool [H, W]."""
    around = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), "edge")
    height, width = pixels.shape[:2]
    pure = np.ones((height, width), dtype=bool)
    for y, x in ((0, 1), (1, 0), (1, 1), (1, -1)):
        before = around[1 - y : 1 - y + height, 1 - x : 1 - x + width]
        step = around[1 + y : 1 + y + height, 1 + x : 1 + x + width] - before
        length, way = (step**2).sum(axis=-1), pixels - before
        place = (way * step).sum(axis=-1) / np.maximum(length, 1)
        beside = (way**2).sum(axis=-1) - place**2 * length
        between = (place > 0.2) & (place < 0.8) & (beside < 0.06 * length)
        pure &= ~(between & (length > EDGE**2))
    return pure


def _palette(pixels: np.ndarray) -> np.ndarray:
    """The fills, the most common first: uint8 [N, 3] -> float32 [K, 3], K <= ``MAX_COLOURS``."""
    _, bins, counts = np.unique(
        (pixels // 8).astype(np.int32) @ (1024, 32, 1), return_inverse=True, return_counts=True
    )
    sums = np.stack([np.bincount(bins, channel) for channel in pixels.T], axis=1)
    common = np.argsort(-counts, kind="stable")[:MAX_BINS]
    means, counts = (sums / counts[:, None])[common].astype(np.float32), counts[common]
    distances = _distances(means, means) + (means**2).sum(axis=1)
    alike = distances < SAME_COLOUR**2
    popularity, left = alike @ counts, np.ones(len(means), dtype=bool)
    palette: list[np.ndarray] = []
    while left.any() and len(palette) < MAX_COLOURS:
        best = int((popularity * left).argmax())
        if palette and popularity[best] < MIN_PIXELS:
            break
        palette.append(np.average(means, axis=0, weights=alike[best] * counts))
        left &= distances[best] >= DISTINCT_COLOUR**2
    return np.array(palette, dtype=np.float32).reshape(-1, 3)


def _distances(pixels: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Squared, from [..., C] to [K, C], all less the square of the pixel: float32 [K, ...]."""
    flat = pixels.reshape(-1, colours.shape[1])
    distances = (colours**2).sum(axis=1)[:, None] - 2 * colours @ flat.T
    return distances.reshape(len(colours), *pixels.shape[:-1])


def _number_alike(labels: np.ndarray) -> np.ndarray:
    """How many pixels within ``NEAR`` have the same label."""
    height, width = labels.shape
    around = np.pad(labels, NEAR, constant_values=-1)
    number = np.zeros(labels.shape, dtype=np.int8)
    for y in range(2 * NEAR + 1):
        for x in range(2 * NEAR + 1):
            number += around[y : y + height, x : x + width] == labels
    return number


def _blurred(inside: np.ndarray) -> np.ndarray:
    """bool [K, H, W] -> float32, by 1 4 6 4 1 in both directions."""
    blurred: np.ndarray = inside.astype(np.float32)
    for _ in range(2):
        around = np.pad(blurred, ((0, 0), (1, 1), (1, 1)), "edge")
        rows = around[:, 1:-1] / 2 + (around[:, :-2] + around[:, 2:]) / 4
        blurred = rows[..., 1:-1] / 2
        blurred += (rows[..., :-2] + rows[..., 2:]) / 4
    return blurred


def _widened(field: np.ndarray, points: int) -> np.ndarray:
    """The highest value within so many points in each direction."""
    for _ in range(points):
        around = np.pad(field, 1, "edge")
        rows = np.maximum(np.maximum(around[:-2], around[1:-1]), around[2:])
        field = np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    return field
