"""Hair and beards of the stand-in faces: 10 haircuts x 11 fringes, and 14 beards."""

from __future__ import annotations

import math
from collections.abc import Sequence

from train.data.stand_in_faces.canvas import INK, WHITE, Canvas, Color, mix
from train.data.stand_in_faces.curves import Point, mirror, oval, smooth

TEMPLE_Y = 232
"""Where the hair in front ends, beside the eyes."""

# Right half of the outline, from the top of the head downwards.
_OUTLINES: dict[str, tuple[Point, ...]] = {
    "cropped": ((0, 110), (55, 116), (92, 150), (104, 200), (103, 244)),
    "flat top": ((0, 98), (70, 98), (100, 98), (106, 106), (107, 190), (105, 244)),
    "bob": (
        *((0, 104), (62, 110), (112, 150), (132, 230)),
        *((140, 320), (118, 356), (60, 350), (0, 340)),
    ),
    "long straight": (
        *((0, 104), (62, 110), (108, 150), (122, 230)),
        *((128, 340), (134, 440), (0, 440)),
    ),
    "long wavy": (
        *((0, 100), (64, 106), (112, 146), (126, 196), (138, 236), (154, 270)),
        *((138, 304), (156, 338), (142, 372), (158, 406), (70, 424), (0, 400)),
    ),
}
# Radius, number and radius of the curls around the head, and how far down they go, in degrees.
_CURLS = {"curls": (104, 15, 24, 40), "afro": (113, 14, 28, 60), "puffs": (97, 31, 8, 40)}
HAIRCUTS: tuple[str, ...] = (*_OUTLINES, "quiff", "spikes", *_CURLS)

# The edge on the forehead, from temple to temple: x in half widths of the face, y in pixels.
FRINGES: dict[str, tuple[Point, ...]] = {
    "high hairline": ((-0.82, 186), (-0.45, 160), (0, 153), (0.45, 160), (0.82, 186)),
    "straight fringe": ((-0.9, 192), (-0.5, 194), (0, 195), (0.5, 194), (0.9, 192)),
    "heavy fringe": ((-0.95, 213), (-0.5, 217), (0, 218), (0.5, 217), (0.95, 213)),
    "swept left": ((-0.9, 218), (-0.5, 204), (0, 182), (0.4, 150), (0.85, 190)),
    "swept right": ((-0.85, 190), (-0.4, 150), (0, 182), (0.5, 204), (0.9, 218)),
    "curtain": ((-0.88, 216), (-0.45, 192), (0, 136), (0.45, 192), (0.88, 216)),
    "zigzag": tuple((x / 5, 210 if x % 2 else 170) for x in range(-4, 5)),
    "scallops": tuple((x / 8, 198 - 24 * abs(math.cos(x * math.pi / 4))) for x in range(-7, 8)),
    "widow's peak": ((-0.8, 180), (-0.4, 148), (0, 194), (0.4, 148), (0.8, 180)),
    "strand": ((-0.8, 178), (-0.25, 150), (-0.05, 222), (0.12, 150), (0.8, 178)),
    "two waves": ((-0.8, 180), (-0.5, 212), (0, 166), (0.5, 212), (0.8, 180)),
}
_ANGULAR = ("straight fringe", "curtain", "zigzag", "scallops", "widow's peak")

BEARDS = (
    *("stubble", "pencil moustache", "moustache", "handlebar", "walrus moustache", "soul patch"),
    *("goatee", "circle beard", "van dyke", "chin strap", "sideburns", "mutton chops"),
    *("short beard", "long beard", "none"),
)

_MOUSTACHE = ((0, 309), (22, 307), (44, 322), (54, 336), (34, 326), (0, 322))
_WALRUS = ((0, 304), (30, 305), (58, 328), (56, 346), (26, 336), (0, 334))
_LOWER_FACE = ((0, 309), (40, 306), (62, 312), (86, 300), (130, 296), (130, 440), (0, 440))


def edge_color(hair: Color) -> Color:
    """The outline of hair of this colour."""
    return mix(hair, INK, 0.65)


def render_hair_behind(canvas: Canvas, haircut: str, hair: Color) -> None:
    """All of the hair that the head then stands in front of."""
    edge = edge_color(hair)
    if haircut in _CURLS:
        radius, count, curl, low = _CURLS[haircut]
        angles = [math.radians(-low + (180 + 2 * low) * i / (count - 1)) for i in range(count)]
        discs = [((radius * math.cos(a), 208 - 0.92 * radius * math.sin(a)), curl) for a in angles]
        if haircut == "puffs":
            discs += [((side * 134, 152), 38) for side in (-1, 1)]
        for grow, color in ((5, edge), (0, hair)):  # all edges first: the discs become one shape
            for center, r in discs:
                canvas.disc(center, r + grow, color)
            canvas.shape(oval((0, 208), radius, radius * 0.92), hair)
    elif haircut == "quiff":
        left = [(-103, 244), (-106, 190), (-100, 140), (-84, 96), (-30, 80)]
        right = [(30, 84), (88, 76), (110, 102), (101, 140), (105, 190), (103, 244)]
        canvas.shape(smooth([*left, *right]), hair, edge, 5)
    elif haircut == "spikes":
        spikes: list[Point] = [(-104, 244), (-108, 190)]
        for i in range(13):
            angle, tip = math.pi * (1 - i / 12), i % 2 == 0
            rx, ry = (126, 110) if tip else (100, 82)
            spikes.append((rx * math.cos(angle), 190 - ry * math.sin(angle)))
        canvas.shape([*spikes, (108, 190), (104, 244)], hair, edge, 5)
    else:
        outline = mirror(_OUTLINES[haircut])
        angular = haircut == "flat top"
        canvas.shape(outline if angular else smooth(outline, closed=True), hair, edge, 5)


def render_fringe(canvas: Canvas, fringe: str, face: list[Point], hair: Color) -> None:
    """The hair in front, between the top of the face and the edge of the fringe."""
    top = [(x * 1.04, y - 4) for x, y in face if y < TEMPLE_Y]
    top.sort(key=lambda p: -math.atan2(p[0], TEMPLE_Y - p[1]))  # from the right temple to the left
    half = max(x for x, _ in top)
    edge = [(-half, TEMPLE_Y), *((x * half, y) for x, y in FRINGES[fringe]), (half, TEMPLE_Y)]
    if fringe not in _ANGULAR:
        edge = smooth(edge)
    canvas.shape([*edge, *top], hair)
    canvas.line(edge, edge_color(hair), 5)
    canvas.line(smooth([(-52, 150), (-30, 136), (-6, 130)]), mix(hair, WHITE, 0.45), 6)


def render_beard(canvas: Canvas, beard: str, face: list[Point], skin: Color, hair: Color) -> None:
    """Everything below the nose, before the mouth."""
    color, edge = mix(hair, INK, 0.12), edge_color(hair)
    chin = max(y for _, y in face)
    jaw = max(x for x, y in face if y > 330)

    def patch(half: Sequence[Point]) -> None:
        canvas.shape(smooth(mirror(half), closed=True), color, edge, 3)

    if beard == "stubble":
        dark = hair if sum(hair) < sum(skin) else INK
        canvas.shape(mirror(_LOWER_FACE), mix(skin, dark, 0.3), inside=face)
    elif beard == "pencil moustache":
        canvas.line(smooth([(-36, 317), (-14, 310), (0, 314), (14, 310), (36, 317)]), edge, 6)
    elif beard == "moustache":
        patch(_MOUSTACHE)
    elif beard == "handlebar":
        for side in (-1, 1):
            half = ((0, 313), (24, 312), (46, 320), (62, 312), (64, 296), (54, 292))
            curl = smooth([(side * x, y) for x, y in half])
            canvas.line(curl, edge, 13)
            canvas.line(curl, color, 8)
    elif beard == "walrus moustache":
        patch(_WALRUS)
    elif beard == "soul patch":
        patch(((0, 352), (13, 354), (8, 370), (0, 376)))
    elif beard == "goatee":
        canvas.shape(
            mirror(((0, 356), (20, 354), (36, 366), (36, 440), (0, 440))), color, inside=face
        )
    elif beard == "circle beard":
        canvas.shape(oval((0, 336), 54, 46), color, edge, 3, inside=face)
        canvas.shape(oval((0, 336), 40, 24), skin)
    elif beard == "chin strap":
        outside = [(x, y) for x, y in face if y > 262]
        inside = [(x * 0.84, 250 + (y - 250) * 0.86) for x, y in reversed(outside)]
        canvas.shape([*outside, *inside], color)
    elif beard in ("sideburns", "mutton chops"):
        inner, low = (66, 318) if beard == "sideburns" else (40, 362)
        for side in (-1, 1):
            whisker = [(130, 240), (80, 240), (74, 290), (inner, low - 14), (inner + 14, low)]
            whisker = [(side * x, y) for x, y in (*whisker, (130, low + 20))]
            canvas.shape(whisker, color, inside=face)
        if beard == "mutton chops":
            patch(_MOUSTACHE)
    elif beard in ("short beard", "long beard"):
        if beard == "long beard":
            patch(((jaw, 330), (jaw * 0.96, 376), (jaw * 0.6, 412), (0, 426)))
        canvas.shape(mirror(_LOWER_FACE), color, inside=face)
        canvas.shape(oval((0, 336), 42, 22), skin)
    if beard not in ("none", "long beard"):
        canvas.line([*face, face[0]], INK)  # the outline again, where hair has covered it
    if beard == "van dyke":
        patch(_MOUSTACHE)
        tip = [(-24, 356), (24, 356), (18, 384), (0, chin + 18), (-18, 384)]
        canvas.shape(tip, color, edge, 3)
