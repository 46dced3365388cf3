"""Read the attributes of an avatar from any picture of it, wherever it stands there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from .attributes import NAMES
from .classifier import AvatarClassifier
from .crop import DEFAULT_CROP, SOURCE_SIZE, load_avatar
from .open_picture import to_rgba

LARGEST_SIDE = 2048
"""Pixels; a larger picture is shrunk first, to bound memory."""
WORKING_SIZE = 400
"""Pixels of the avatar's longer side at which its background is cut out; a fill is slow."""
TOLERANCE = 20
"""Levels, 0..255, by which a plain background may vary: JPEG does that."""

FRAMED_BY = (
    *("face_shape", "hair", "facial_hair", "glasses", "face_color", "hair_color"),
    *("chin_length", "eye_angle", "eye_slant", "eye_lid"),
)
"""Attributes whose confidence tells the right framing from a wrong one; brows' hardly does."""

COVERAGE = (0.1, 0.45)
"""Share of a 500x500 picture that an avatar covers: 0.157..0.437 in all 9,000 of cartoonset9k."""
SURE = 0.9
"""Readings at least so confident may be trusted; see :func:`read_attributes`."""

Box = tuple[float, float, float]  # left, top, side in pixels of a view


def read_attributes(
    image: Image.Image, classifier: AvatarClassifier, crop: int = DEFAULT_CROP
) -> dict[str, tuple[int, float]]:
    """The attributes that the avatar in a picture shows.

    The avatar must stand in the picture as Cartoon Set or this program put it there: the picture
    is an original (500x500 with its margin) or one of our downloads, of any size, transparent or
    on a plain colour, square or circle; or it is a screenshot in which such a square or circle
    stands out from a plain page. Each of these framings is tried, and the one kept that the
    classifier is surest about.

    An avatar that stands by itself somewhere on a larger page is refused: its frame cannot be told
    from its outline, as hair reaches out differently far. Refused are also pictures that cover too
    much or too little of their frame, as most without a plain background do; of the others
    :func:`is_probably_avatar` says what to think. How much is read right: docs/model.md.

    Args:
        image: any mode; EXIF rotation is heeded. The picture in a file: ``open_picture``.
        classifier: decides the values; what is hidden has the low confidence of a guess. Of the
            picture it sees the part that its own crop keeps.
        crop: what our downloads show of a 500x500 picture, that is the crop of the model that
            made them. Downloads of ``DEFAULT_CROP``, of earlier models, are always understood.

    Returns:
        name -> (value, confidence in 0..1) for all 18 attributes.

    Raises:
        ValueError: one sentence for the visitor: more pixels than are read, nothing in it, no
            square or circle to stand in, or no plain background around it.
    """
    downloads = [classifier.crop / c for c in dict.fromkeys((DEFAULT_CROP, crop))]
    avatar, boxes = _without_background(_upright(image), downloads, classifier.crop / SOURCE_SIZE)
    if not boxes:
        raise ValueError(
            "the avatar's place is unclear; please cut the picture to its square (photographs are "
            "not supported)"
        )
    pixels = np.stack([_framed(avatar, box, classifier.image_size) for box in boxes])
    reading = classifier(pixels)
    confidence = reading.confidence
    columns = [NAMES.index(name) for name in FRAMED_BY]
    # What sunglasses or a beard hide is unsure in the right framing too.
    visible = classifier.visible(reading.values)[:, columns]
    scores = np.log(confidence[:, columns]).mean(axis=1, where=visible)
    best = int(scores.argmax())
    covered = (pixels[best, ..., 3] > 127).mean() * (classifier.crop / SOURCE_SIZE) ** 2
    if not COVERAGE[0] <= covered <= COVERAGE[1]:
        raise ValueError(
            "no avatar stands out in this picture; it must be a Cartoon Set avatar on a plain or "
            "transparent background (photographs are not supported)"
        )
    return {
        name: (int(reading.values[best, i]), float(confidence[best, i]))
        for i, name in enumerate(NAMES)
    }


def is_probably_avatar(
    readings: Mapping[str, tuple[int, float]], classifier: AvatarClassifier
) -> bool:
    """Whether a picture shows an avatar of this kind at all, as far as its readings tell.

    The classifier is ``SURE`` of more than half of what can be seen of 99 in 100 avatars, and of 1
    in 100 photographs that are not refused: docs/model.md.

    Args:
        readings: of all 18 attributes, from :func:`read_attributes`.
        classifier: that has read them.
    """
    values, confidence = zip(*(readings[name] for name in NAMES), strict=True)
    visible = classifier.visible(np.array([values]))[0]
    return bool((np.array(confidence)[visible] >= SURE).mean() > 0.5)


def _upright(image: Image.Image) -> Image.Image:
    """Any picture as premultiplied RGBa, at most ``LARGEST_SIDE`` wide and high."""
    image = to_rgba(image).convert("RGBa")
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.BICUBIC)
    return image


def _without_background(
    picture: Image.Image, downloads: Sequence[float], original: float
) -> tuple[Image.Image, list[Box]]:
    """Cut the avatar out of a plain page, and out of the square or circle it may stand in.

    Args:
        downloads: of each kind of download, what share of its side the classifier looks at.
        original: the same of an original picture.

    Returns:
        the picture without its background, and where in it the classifier may have to look.
    """
    width, height = picture.size
    pixels = np.asarray(picture)
    background = _common_colour(
        np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    )
    box: tuple[int, int, int, int] | None = (0, 0, width, height)
    if background is not None:
        box = _mask(_difference(pixels, background) > TOLERANCE).getbbox()
    if box is None:
        raise ValueError("the picture is empty or of one colour")
    left, top, right, bottom = box
    if min(right - left, bottom - top) < 16:
        raise ValueError("there is nothing in the picture that is big enough for an avatar")
    # A little more than the avatar, so that a fill from the edge goes all round it.
    pad = 2
    wide, high = right - left + 2 * pad, bottom - top + 2 * pad
    paper = (0, 0, 0, 0) if background is None else tuple(background)
    canvas = Image.new("RGBa", (wide, high), paper)
    canvas.paste(picture.crop(box), (pad, pad))
    scale = min(1.0, WORKING_SIZE / max(right - left, bottom - top))
    small = canvas.resize(
        (max(1, round(wide * scale)), max(1, round(high * scale))), Image.Resampling.BICUBIC
    )
    boxes = []
    side = max(width, height)
    if abs(width - height) <= 0.02 * side:  # all of the picture may be a download or an original
        scale = small.width / wide
        whole = ((pad - left) * scale, (pad - top) * scale, side * scale)
        boxes += [_centre(whole, share) for share in (*downloads, original)]
    cut = np.asarray(small)
    if background is not None:
        cut = _cut_out(cut, background, np.ones(cut.shape[:2], dtype=bool))
    tile = _tile(cut[..., 3] > 127)
    if tile is not None:
        inside, frame = tile
        boxes += [_centre(frame, share) for share in downloads]
        inner = np.asarray(_mask(inside).filter(ImageFilter.MinFilter(7))) > 0
        colour = _common_colour(cut[inside & ~inner])  # of its rim
        if colour is not None:
            cut = _cut_out(cut, colour, inside)
    return Image.fromarray(cut, "RGBa"), boxes


def _centre(frame: Box, share: float) -> Box:
    """The square in the middle of ``frame`` with this share of its side."""
    left, top, side = frame
    margin = side * (1 - share) / 2
    return left + margin, top + margin, side * share


def _common_colour(pixels: np.ndarray) -> np.ndarray | None:
    """The colour, uint8 [4], of most of the pixels, [K, 4]; None if they differ."""
    colour = np.median(pixels, axis=0).astype(np.uint8)
    share = (_difference(pixels, colour) <= TOLERANCE).mean()
    return colour if share > 0.5 else None


def _mask(where: np.ndarray) -> Image.Image:
    """bool [H, W] as a picture, mode L, of 0 and 255."""
    return Image.fromarray(where.astype(np.uint8) * 255)


def _difference(pixels: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """The largest of the four channels' differences, 0..255."""
    difference: np.ndarray = np.abs(pixels.astype(np.int16) - colour).max(axis=-1)
    return difference


def _cut_out(pixels: np.ndarray, background: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Make what is background and connected with the edge transparent: uint8 [H, W, 4]."""
    away = _difference(pixels, background)
    framed = ImageOps.expand(_mask((away > TOLERANCE) & inside), 1, 0)
    ImageDraw.floodfill(framed, (0, 0), 128)
    outside = np.asarray(framed)[1:-1, 1:-1] == 128
    # An edge pixel is a mix of the background and the colour beside it that is farthest from it.
    farthest = Image.fromarray(away.clip(0, 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(3))
    near = np.asarray(_mask(outside).filter(ImageFilter.MaxFilter(3)))
    share = np.where(near > 0, away / np.maximum(np.asarray(farthest), 1.0), 1.0)
    share = np.where(outside | ~inside, 0.0, share)[..., None]
    # A transparent background has alpha 0, so this leaves the alpha of soft edges as it is.
    exact = np.where(share > 0, pixels - (1 - share) * background, 0.0)
    cut: np.ndarray = exact.clip(0, 255).round().astype(np.uint8)
    np.minimum(cut[..., :3], cut[..., 3:], out=cut[..., :3])
    return cut


def _tile(mask: np.ndarray) -> tuple[np.ndarray, Box] | None:
    """A disc or a square with the avatar in it: what is inside, and its frame."""
    box = _mask(mask).getbbox()
    if box is None:
        return None
    left, top, right, bottom = box
    wide, high = right - left, bottom - top
    if abs(wide - high) > 0.03 * max(wide, high):
        return None
    side = (wide + high) / 2
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
    cx, cy = (left + right) / 2, (top + bottom) / 2
    square = np.maximum(abs(x - cx), abs(y - cy))
    for distance, edge in ((np.hypot(x - cx, y - cy), 2), (square, 1)):
        shape = distance <= side / 2
        if (shape & mask).sum() > 0.97 * (shape | mask).sum():
            return distance <= side / 2 - edge, (cx - side / 2, cy - side / 2, side)
    return None


def _framed(image: Image.Image, box: Box, size: int) -> np.ndarray:
    """What stands in ``box``, which may reach beyond the picture, as the classifier wants it."""
    left, top, side = box
    x0, y0 = int(np.floor(left)) - 2, int(np.floor(top)) - 2
    full = int(np.ceil(side)) + 6
    square = image.crop((x0, y0, x0 + full, y0 + full))
    inner = (left - x0, top - y0, left - x0 + side, top - y0 + side)
    return load_avatar(
        square.resize((size, size), Image.Resampling.BICUBIC, box=inner), size, SOURCE_SIZE
    )
