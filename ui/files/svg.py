"""An avatar as an SVG: a path of curves for every colour, in a frame.

It has no id, class or style: in a page they would be those of other files as well. So nothing is
cut out or shaded by reference; what is outside of the frame is not drawn.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from ui.files.areas import find_layers
from ui.files.frame import RoundedSquare
from ui.files.outlines import outlines
from ui.files.resize import resize

UNITS = 2048
"""Of the picture's side: an eighth of a pixel of 256."""
SHARP = 1e4
"""How fast a field falls at the edge of the frame, per grid point."""
MAX_CHANGES = 60_000
"""Of colour from grid point to grid point; of 32 avatars the most was 19,000, of 64 pixels
36,000."""
SMALLEST = 16
"""Pixels a side of what is traced coarsely."""


def trace(image: Image.Image, visible: RoundedSquare) -> Iterator[str]:
    """The avatar's areas of one colour as ``<path>`` elements, the lowest first.

    Args:
        image: square, mode RGBA; it has ``UNITS`` a side.
        visible: what is outside of it is left out.
    """
    layers = find_layers(image)
    if layers is None:
        return
    if (changes := layers.changes) > MAX_CHANGES and image.width > SMALLEST:
        # What has no areas, such as noise, would take seconds, in which nobody else is served.
        fewer = max(SMALLEST, round(image.width * (MAX_CHANGES / changes) / 2))
        yield from trace(resize(image, fewer), visible)
        return
    unit = UNITS / layers.side
    picture = RoundedSquare(0, 0, UNITS)
    fields, colours = [], []
    for area in layers.areas():
        x, y = (
            (start + 0.5 + np.arange(number)) * unit
            for start, number in zip(area.origin, area.field.shape[::-1], strict=True)
        )
        inside = np.minimum(visible.depth(x, y), picture.depth(x, y)) * (SHARP / unit)
        fields.append(
            (np.minimum(area.field, inside), (area.origin[0] + 0.5, area.origin[1] + 0.5))
        )
        colours.append(area.colour)
    for colour, path in zip(colours, outlines(fields, unit), strict=True):
        if path:
            yield f'<path fill="{colour}" d="{path}"/>'
