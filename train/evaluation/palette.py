"""Which colour an avatar's face, hair and glasses have, read from its pixels.

Three attributes are flat fills: their value alone decides the colour, and another attribute decides
where it lies. Which colours and where is learned from real images. A *place* (a pixel of the 64x64,
say) shows a fill when the images that share a value agree on the colour there and the images of the
other values have another one. It is trusted when most images of the same outline show their own
fill there. docs/evaluation.md says why so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from avatar_model.attributes import ANY, NAMES, attribute
from avatar_model.images import on_white
from train.data.dataset import PackedSet

OUTLINES = {"face_color": "face_shape", "hair_color": "hair", "glasses_color": "glasses"}
"""Per attribute that is a flat fill, the one that decides where that lies."""
COLOURED = tuple(OUTLINES)

MIN_PIXELS = 4
"""A region of fewer pixels is not read."""

TOLERANCE = 8
"""A pixel shows a fill when no channel is further from it, in levels of 255. Resizing overshoots
by as much beside an edge, and the frames of glasses, two pixels wide, have no exact pixels."""

AGREEMENT = 0.7
"""Share of the images of one value that must have the same colour in a place."""
MIN_IMAGES = 8
"""What fewer images agree on may be chance."""
MAX_IMAGES = 64
"""And more do not change it."""
ENOUGH = 12
"""Places in one outline that prove a colour. More prove no more: the lenses of a few styles of
sunglasses have more of them than the frames of all styles together."""
_CANDIDATES = 64
_CHUNK = 512


@dataclass(frozen=True)
class Palette:
    """The fills of one data set, at one image size.

    Attributes:
        colours: attribute -> value -> sRGB of the fill; a value for which none was found is left
            out. Fills of an area are exact; those of thin lines, the frames of glasses, are what
            resizing leaves of them, within a few levels.
        places: attribute -> bool [outlines, H, W]: where an image of that outline shows its fill.
    """

    colours: dict[str, dict[int, tuple[int, int, int]]]
    places: dict[str, np.ndarray]

    def at(self, size: int) -> Palette:
        """The same for images of ``size`` pixels, with every place as many times as wide and high.

        Learning at full size would need gigabytes; a fill of an area has the same colour there.

        Raises:
            ValueError: not a multiple of the size it was learned from.
        """
        learned = next(iter(self.places.values())).shape[1]
        if size % learned:
            raise ValueError(f"a palette of {learned} pixels cannot be used at {size}")
        scale = size // learned
        places = {name: p.repeat(scale, 1).repeat(scale, 2) for name, p in self.places.items()}
        return Palette(self.colours, places)

    def regions(self, attribute: str, images: np.ndarray, attributes: np.ndarray) -> np.ndarray:
        """The pixels that show the fill of each image's own value.

        Args:
            attribute: one of ``COLOURED``.
            images: real ones, uint8 premultiplied RGBA [N, H, W, 4].
            attributes: integers [N, 18], theirs.

        Returns:
            bool [N, H, W]. Empty where the picture has no such fill: hair of a bald head, glasses
            that are not worn or whose frame has other colours than most styles have. Beards have
            the colour of hair but are no part of it here.

        Raises:
            ValueError: images of another size than the palette was learned from.
        """
        places = self.places[attribute]
        if images.shape[1:3] != places.shape[1:]:
            height, width = images.shape[1:3]
            raise ValueError(
                f"images of {height}x{width} pixels, but the palette was learned from "
                f"{places.shape[1]}x{places.shape[2]}"
            )
        own = _shows_own_fill(images, _column(attributes, attribute), self.colours[attribute])
        return own & places[_column(attributes, OUTLINES[attribute])]

    def read(self, attribute: str, images: np.ndarray, regions: np.ndarray) -> np.ndarray:
        """The value whose fill is nearest, by CIEDE2000, to the median colour inside the region.

        Of the real images themselves it is right by construction: a region holds only pixels near
        the right fill. That an image cannot be read is then all that can go wrong.

        Args:
            attribute: one of ``COLOURED``.
            images: generated or real, uint8 premultiplied RGBA [N, H, W, 4]; seen on white.
            regions: bool [N, H, W], of the real images.

        Returns:
            int64 [N]; ``ANY`` where the region has fewer than ``MIN_PIXELS`` pixels.

        Raises:
            ValueError: the shapes differ.
        """
        if images.shape[:3] != regions.shape:
            raise ValueError(f"images of shape {images.shape} and regions of {regions.shape}")
        found = np.full(len(images), ANY, dtype=np.int64)
        rows = np.flatnonzero(regions.sum(axis=(1, 2)) >= MIN_PIXELS)
        fills = self.colours[attribute]
        if len(rows) and fills:
            # Each channel's own median: one colour that an odd edge or highlight does not move.
            typical = [np.median(on_white(images[i][regions[i]]), axis=0) for i in rows]
            distances = ciede2000(np.array(typical)[:, None], np.array(list(fills.values())))
            found[rows] = np.array(list(fills))[distances.argmin(axis=1)]
        return found


def measure_palette(data: PackedSet) -> Palette:
    """Learn the fills, and where they lie, from real images (take the rows of the train split).

    A value with fewer than ``MIN_IMAGES`` images gets no fill. An outline with fewer is taken to
    have its fill where all outlines together have it.

    Raises:
        ValueError: there are no images.
    """
    if not len(data):
        raise ValueError("a palette cannot be learned from no images")
    colours, places = {}, {}
    for name in COLOURED:
        values, shapes = _column(data.attributes, name), _column(data.attributes, OUTLINES[name])
        count = attribute(OUTLINES[name]).num_values
        outlines = [np.flatnonzero(shapes == shape) for shape in range(count)]
        fills = colours[name] = _fills(data.images, values, outlines)
        own = _shows_own_fill(data.images, values, fills)
        known = np.isin(values, list(fills))
        everywhere = _mostly(own[known])
        places[name] = np.stack(
            [
                _mostly(own[r]) if (r := rows[known[rows]]).size >= MIN_IMAGES else everywhere
                for rows in outlines
            ]
        )
    return Palette(colours, places)


def ciede2000(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The colour difference CIEDE2000; about 1 is just noticeable side by side.

    Source: Sharma, Wu & Dalal 2005, with all weights 1, D65 and the 2 degree observer.

    Args:
        a, b: sRGB in 0..255, uint8 or float, [..., 3]; they broadcast.

    Returns:
        float64 [...].
    """
    lab_a, lab_b = (rgb2lab(np.asarray(c, dtype=np.float64) / 255) for c in (a, b))
    # scikit-image broadcasts only arrays with as many axes.
    return deltaE_ciede2000(*np.broadcast_arrays(lab_a, lab_b))


def _fills(
    images: np.ndarray, values: np.ndarray, outlines: list[np.ndarray]
) -> dict[int, tuple[int, int, int]]:
    """The fill of each value; ``outlines`` are the rows of the images of each outline."""
    seen: dict[int, list[np.ndarray]] = {}
    # All images at once for a fill that is large whatever its outline, then outline by outline.
    for rows in (np.arange(len(values)), *outlines):
        for value, colours in _colours_by_value(images, values, rows):
            seen.setdefault(value, []).append(colours)
    return {value: _most_common(groups) for value, groups in sorted(seen.items())}


def _colours_by_value(
    images: np.ndarray, values: np.ndarray, rows: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """(value, int16 [P, 3]): the colours in the P places where that value has one of its own."""
    cells = {value: rows[values[rows] == value][:MAX_IMAGES] for value in np.unique(values[rows])}
    cells = {value: cell for value, cell in cells.items() if len(cell) >= MIN_IMAGES}
    typical, agreed = {}, {}
    for value, cell in cells.items():
        pixels = np.ascontiguousarray(np.moveaxis(images[cell], 0, -1))  # [H, W, 4, images]
        # The upper median, which is never half way between two colours.
        middle = np.partition(pixels, len(cell) // 2)[..., len(cell) // 2]
        typical[value] = middle.astype(np.int16)
        alike = _apart(pixels, typical[value][..., None], axis=-2) <= TOLERANCE
        agreed[value] = (alike.mean(axis=-1) >= AGREEMENT) & (middle[..., 3] == 255)
    for value, colour in typical.items():
        # Itself included, so a value that is alone shares all its colours.
        same = sum(_apart(colour, other) <= TOLERANCE for other in typical.values())
        own = agreed[value] & (same <= 0.5 * len(typical))
        if own.sum() >= MIN_PIXELS:
            yield int(value), colour[own][:, :3]


def _most_common(groups: list[np.ndarray]) -> tuple[int, int, int]:
    """The colour that the most groups, int [P, 3] each, have enough of."""
    colours, copies = np.unique(np.concatenate(groups), axis=0, return_counts=True)
    frequent = (-copies).argsort(kind="stable")[:_CANDIDATES]
    near = np.stack(
        [(_apart(colours[frequent, None], group) <= TOLERANCE).sum(axis=1) for group in groups]
    )  # [groups, candidates]
    best, before = frequent[np.minimum(near, ENOUGH).sum(axis=0).argmax()], None
    while best != before:  # from a shade beside an edge up to the fill itself
        around = np.flatnonzero(_apart(colours, colours[best]) <= TOLERANCE)
        best, before = around[copies[around].argmax()], best
    red, green, blue = colours[best].tolist()
    return red, green, blue


def _shows_own_fill(
    images: np.ndarray, values: np.ndarray, fills: dict[int, tuple[int, int, int]]
) -> np.ndarray:
    """bool [N, H, W]: opaque pixels within ``TOLERANCE`` of the fill of the image's own value."""
    table = np.full((256, 3), 1000, dtype=np.int16)  # near nothing
    for value, colour in fills.items():
        table[value] = colour
    shown = np.zeros(images.shape[:3], dtype=bool)
    for start in range(0, len(images), _CHUNK):
        part = slice(start, start + _CHUNK)
        apart = _apart(images[part], table[values[part], None, None])
        shown[part] = (apart <= TOLERANCE) & (images[part, ..., 3] == 255)
    return shown


def _mostly(shown: np.ndarray) -> np.ndarray:
    """bool [N, H, W] -> bool [H, W]: where at least half of the images show it."""
    return shown.sum(axis=0) * 2 >= max(len(shown), 1)


def _apart(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
    """The largest difference of red, green or blue; the shapes broadcast and lose ``axis``."""
    # One channel after the other: NumPy is slow at the maximum along an axis of three.
    channels = (
        np.abs(np.take(a, c, axis).astype(np.int16) - np.take(b, c, axis)) for c in range(3)
    )
    return reduce(np.maximum, channels)


def _column(attributes: np.ndarray, name: str) -> np.ndarray:
    return np.asarray(attributes)[:, NAMES.index(name)].astype(np.int64)
