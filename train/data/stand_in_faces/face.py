"""How the stand-in faces look: 18 attribute values -> a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PIL import Image

from train.data.stand_in_faces.canvas import INK, WHITE, Canvas, Color, mix
from train.data.stand_in_faces.curves import Point, mirror, oval, smooth
from train.data.stand_in_faces.hair import (
    BEARDS,
    FRINGES,
    HAIRCUTS,
    render_beard,
    render_fringe,
    render_hair_behind,
)

EYE_X, EYE_Y = 49, 258


def _colors(codes: str) -> list[Color]:
    return [tuple(bytes.fromhex(code)) for code in codes.split()]


SKIN = _colors("603d30 88594b aa7454 c78b5d d9a16e e3b47e eeaf94 f0c092 f6d8c1 fbcdb6 fbdbd1")
HAIR = _colors("ffde8a ffbb4d ed6f2f c04a2a d89a32 a15332 5b331c 1e1514 90a4ae e0e0e0")
IRIS = _colors("7c4835 3472a0 6aa836 8fa5a5 141010")
FRAME = _colors("26262b 7a4a2b d8343f 2f6fd0 2c9a63 e0a526 f4f1ea")

# Half the width of the face at the temples, eyes, cheeks, jaw and chin.
FACES = {
    "oval": (90, 93, 87, 66, 34),
    "round": (95, 105, 104, 86, 46),
    "square": (93, 97, 97, 92, 62),
    "heart": (97, 99, 82, 52, 20),
    "narrow": (80, 82, 77, 60, 34),
    "diamond": (80, 101, 95, 54, 20),
    "pear": (84, 95, 108, 97, 62),
}

# Height of a brow at its inner end, two points between, and its outer end; and how it gets thinner.
BROWS = {
    "level": (0, 0, 0, 0, "even"),
    "arched": (6, -4, -6, 4, "even"),
    "high arch": (10, -7, -9, 10, "taper"),
    "rising": (9, 3, -4, -9, "even"),
    "falling": (-9, -3, 4, 9, "even"),
    "peak": (5, 0, -12, 6, "even"),
    "inner peak": (6, -12, 0, 5, "even"),
    "cupped": (-7, 4, 5, -7, "even"),
    "wave": (6, -7, 7, -6, "even"),
    "reverse wave": (-6, 7, -7, 6, "even"),
    "drop": (0, 0, 0, 0, "drop"),
    "steep": (13, 5, -6, -13, "taper"),
    "split": (3, -4, -5, 3, "split"),
    "tail": (-4, -6, -4, 13, "taper"),
}

# Of one lens: half width, half height, squareness (2 = ellipse), lift of the outer corner, sag
# towards the nose.
GLASSES = {
    "round": (29, 29, 2, 0, 0),
    "large round": (41, 38, 2, 0, 0),
    "oval": (36, 22, 2, 0, 0),
    "square": (32, 29, 5, 0, 0),
    "rectangular": (39, 20, 5, 0, 0),
    "cat-eye": (37, 24, 2.6, 15, 0),
    "aviator": (37, 31, 2.6, 0, 13),
    "half rim": (35, 26, 3, 0, 0),
    "diamond": (40, 33, 1.2, 0, 0),
    "round sunglasses": (31, 31, 2, 0, 0),
    "square sunglasses": (38, 27, 4, 6, 0),
    "none": None,
}


def render_face(values: Mapping[str, int]) -> Image.Image:
    """One face.

    Args:
        values: all 18 attributes by name.

    Returns:
        mode RGBA, 500x500, straight alpha, transparent background.
    """
    skin, hair = SKIN[values["face_color"]], HAIR[values["hair_color"]]
    haircut, fringe = divmod(values["hair"] - 1, len(FRINGES))
    canvas = Canvas()
    if values["hair"]:  # 0 is bald
        render_hair_behind(canvas, HAIRCUTS[haircut], hair)
    face = _render_head(canvas, values, skin)
    render_beard(canvas, BEARDS[values["facial_hair"]], face, skin, hair)
    _render_nose_and_mouth(canvas, skin)
    if values["hair"]:
        render_fringe(canvas, list(FRINGES)[fringe], face, hair)
    for side in (-1, 1):
        _render_eye(canvas, side, values, skin)
        _render_brow(canvas, side, values, skin, hair)
    _render_glasses(canvas, list(GLASSES)[values["glasses"]], FRAME[values["glasses_color"]], face)
    return canvas.finish()


def _render_head(canvas: Canvas, values: Mapping[str, int], skin: Color) -> list[Point]:
    """Ears, face and cheeks; returns the outline of the face, clockwise from the top."""
    temple, eyes, cheek, jaw, chin = list(FACES.values())[values["face_shape"]]
    longer = 15 * values["chin_length"]
    half: list[Point] = [
        (0, 128),
        (50, 135),
        (temple - 10, 172),
        (temple, 205),
        (eyes, 255),
        (cheek, 300),
    ]
    half += [(jaw, 340 + longer * 0.6), (chin, 370 + longer), (0, 381 + longer)]
    face = smooth(mirror(half), closed=True)
    for side in (-1, 1):
        x = eyes + 6
        canvas.shape(oval((side * x, 268), 17, 25), skin, INK)
        fold = smooth([(side * x, 256), (side * (x + 7), 262), (side * (x + 3), 278)])
        canvas.line(fold, mix(skin, INK, 0.45), 3)
    canvas.shape(face, skin, INK)
    for side in (-1, 1):
        canvas.shape(oval((side * 58, 302), 17, 11), mix(skin, (240, 90, 80), 0.22), inside=face)
    return face


def _render_nose_and_mouth(canvas: Canvas, skin: Color) -> None:
    nose = smooth([(-13, 291), (-7, 298), (0, 300), (7, 298), (13, 291)])
    canvas.line(nose, mix(skin, INK, 0.75))
    upper = smooth([(-34, 324), (-16, 329), (0, 330), (16, 329), (34, 324)])
    lower = smooth([(34, 324), (22, 342), (0, 350), (-22, 342), (-34, 324)])
    canvas.shape([*upper, *lower], WHITE, INK)


def _render_eye(canvas: Canvas, side: int, values: Mapping[str, int], skin: Color) -> None:
    tilt = math.radians((-17, 0, 17)[values["eye_angle"]])

    def placed(points: Sequence[Point]) -> list[Point]:
        """From the eye's own axes, x outwards, to the picture."""
        return [
            (
                side * (EYE_X + x * math.cos(tilt) - y * math.sin(tilt)),
                EYE_Y + x * math.sin(tilt) + y * math.cos(tilt),
            )
            for x, y in points
        ]

    inner, top, outer = ((-19, -14, -5), (-17, -19, -17), (-5, -14, -19))[values["eye_slant"]]
    upper = placed(smooth([(-27, 3), (-15, inner), (0, top), (15, outer), (27, 0)]))
    lower = placed(smooth([(27, 0), (15, 14), (0, 17), (-15, 14), (-27, 3)]))
    white = [*upper, *lower]
    canvas.shape(white, WHITE)
    iris = IRIS[values["eye_color"]]
    [center] = placed([(-1, 0)])
    for radius, color in ((16, mix(iris, INK, 0.5)), (13.5, iris), (6.5, (20, 14, 14))):
        canvas.shape(oval(center, radius, radius), color, inside=white)
    canvas.shape(oval((center[0] + 5, center[1] - 6), 4, 4), WHITE, inside=white)
    if values["eye_lid"]:
        edge = placed(smooth([(-27, 0), (-13, -4), (0, -5), (13, -4), (27, -1)]))
        cover = [*edge, *placed([(27, -30), (-27, -30)])]
        canvas.shape(cover, mix(skin, INK, 0.22), inside=white)
        canvas.line(edge, INK)
    canvas.line(lower, mix(skin, INK, 0.6), 2.5)
    canvas.line(upper, INK, 5)
    if values["eye_lashes"]:
        for lash in ([(27, 0), (41, -9)], [(22, -8), (34, -21)], [(14, -14), (22, -29)]):
            canvas.line(placed(lash), INK, 5)


def _render_brow(
    canvas: Canvas, side: int, values: Mapping[str, int], skin: Color, hair: Color
) -> None:
    *heights, style = list(BROWS.values())[values["eyebrow_shape"]]
    half = (20, 28, 36)[values["eyebrow_width"]]
    thickness = (4, 8, 12, 16)[values["eyebrow_thickness"]]
    y0 = EYE_Y - (32, 42, 53)[values["eye_eyebrow_distance"]]
    color = mix(hair, INK, 0.4)
    if not values["eyebrow_weight"]:
        color = mix(color, skin, 0.5)
    across = (EYE_X + 2 - half, EYE_X + 2 - half / 3, EYE_X + 2 + half / 3, EYE_X + 2 + half)
    middle = smooth([(side * x, y0 + y) for x, y in zip(across, heights, strict=True)])
    for i, point in enumerate(middle):
        t = i / (len(middle) - 1)
        if style == "split" and 0.5 < t < 0.8:
            continue
        thinner = {"taper": 1.25 - 0.8 * t, "drop": 0.6 + 1.6 * (1 - t) ** 3}.get(style, 1)
        canvas.disc(point, thickness * thinner / 2, color)


def _render_glasses(canvas: Canvas, name: str, color: Color, face: list[Point]) -> None:
    shape = GLASSES[name]
    if shape is None:
        return
    rx, ry, power, lift, sag = shape
    ear = max(x for x, y in face if y < EYE_Y)
    x0, y0 = EYE_X + 2, EYE_Y + 2
    bridge = smooth([(rx - x0, y0 - 4), (0, y0 - 9), (x0 - rx, y0 - 4)])
    for side in (-1, 1):
        lens = []
        for x, y in oval((0, 0), rx, ry, power):
            outer, upper, lower = max(0, x / rx), max(0, -y / ry), max(0, y / ry)
            y += sag * lower * (1 - x / rx) / 2 - lift * upper * outer**2
            lens.append((side * (x0 + x), y0 + y))
        if "sunglasses" in name:
            canvas.shape(lens, (36, 32, 40))
            x, y = side * x0, y0
            canvas.line([(x - rx * 0.5, y), (x, y - ry * 0.5)], (120, 116, 128), 5)
        rim = [*lens[24:], lens[0]] if name == "half rim" else [*lens, *lens[:2]]
        arm = [(side * (x0 + rx), y0 - 8 - lift / 2), (side * ear, y0 - 10)]
        for ink, width in ((mix(color, INK, 0.75), 11), (color, 7)):
            for line in (arm, bridge, rim):
                canvas.line(line, ink, width)
