"""Colours read from pictures whose colours are known."""

from pathlib import Path

import numpy as np
import pytest
from skimage.color import lab2rgb

from avatar_model.attributes import ANY, NAMES, SIZES, Vocabulary
from avatar_model.crop import load_avatar
from train.data.cartoon_set import read_cartoon_set
from train.data.dataset import PackedSet
from train.data.stand_in_faces.face import HAIR, SKIN
from train.evaluation.palette import COLOURED, MIN_PIXELS, ciede2000, measure_palette

SHARED = Path(__file__).resolve().parents[3].parent / "shared/data/cartoonset9k.tar"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason=f"needs {SHARED}")

FACE, COLOUR, OUTLINE, BEARD, FRAME, GLASSES = (
    NAMES.index(name)
    for name in ("face_color", "hair_color", "hair", "facial_hair", "glasses_color", "glasses")
)
BALD, NO_BEARD, NO_GLASSES, SUNGLASSES = 0, 14, 11, 9
BLACK_HAIR, WHITE_FRAME = 7, 5
FRAMES = [(0, 0, 0), (255, 232, 110), (2, 131, 195), (239, 80, 75)]
FRAMES += [(120, 111, 106), (255, 246, 238), (239, 149, 144)]


def paint(row):
    """16x16: hair above a face, eyes with pupils, a beard in the colour of hair, glasses.

    In white-rimmed sunglasses the lenses have the colour of black hair, as in Cartoon Set.
    """
    image = np.zeros((16, 16, 4), np.uint8)
    image[3:15, 2:14] = (*SKIN[row[FACE]], 255)
    if row[OUTLINE] != BALD:
        image[1 : 4 + row[OUTLINE] % 2, 1:15] = (*HAIR[row[COLOUR]], 255)
    if row[BEARD] < 4:
        image[11:14, 4:12] = (*HAIR[row[COLOUR]], 255)
    image[7:9, (4, 5, 10, 11)] = (0, 0, 0, 255)
    if row[GLASSES] != NO_GLASSES:
        image[6:10, 3:13] = (*FRAMES[row[FRAME]], 255)
        image[7:9, 4:6] = image[7:9, 10:12] = (255, 255, 255, 255)
        image[7:9, (5, 10)] = (0, 0, 0, 255)
        if row[GLASSES] == SUNGLASSES:
            lens = HAIR[BLACK_HAIR] if row[FRAME] == WHITE_FRAME else (28, 8, 6)
            image[7:9, 4:6] = image[7:9, 10:12] = (*lens, 255)
    return image


def world(count, seed=0):
    values = np.random.default_rng(seed).integers(0, SIZES, size=(count, len(SIZES)))
    values[:, OUTLINE] %= 4
    values[:, BEARD][values[:, BEARD] > 7] = NO_BEARD
    values[:, GLASSES] = np.choose(values[:, GLASSES] % 4, [2, SUNGLASSES, NO_GLASSES, NO_GLASSES])
    images = np.stack([paint(row) for row in values])
    ids = [f"cs{i}" for i in range(count)]
    return PackedSet(images, values.astype(np.uint8), ids, Vocabulary.numbered())


@pytest.fixture(scope="module")
def palette():
    return measure_palette(world(800))


@pytest.fixture(scope="module")
def held_out():
    return world(200, seed=1)


def test_the_fills_are_found_exactly(palette):
    assert palette.colours["face_color"] == dict(enumerate(SKIN))
    assert palette.colours["hair_color"] == dict(enumerate(HAIR))
    assert palette.colours["glasses_color"] == dict(enumerate(FRAMES))


def test_regions_hold_the_fill_and_nothing_else_of_its_colour(palette, held_out):
    values = held_out.attributes
    hair = palette.regions("hair_color", held_out.images, values)
    assert not hair[values[:, OUTLINE] == BALD].any()
    has_hair = values[:, OUTLINE] != BALD
    assert hair[has_hair, 1:4, 1:15].all()
    assert not hair[:, 5:].any()  # no beards, no lenses
    glasses = palette.regions("glasses_color", held_out.images, values)
    worn = values[:, GLASSES] != NO_GLASSES
    assert not glasses[~worn].any()  # black pupils are not black frames
    assert glasses[worn, 6, 3:13].all() and not glasses[:, 7:9, (5, 10)].any()
    face = palette.regions("face_color", held_out.images, values)
    assert face[:, 14, 2:14].all() and not (face & hair).any() and not (face & glasses).any()


def test_real_images_are_read_right(palette, held_out):
    for name in COLOURED:
        asked = held_out.attributes[:, NAMES.index(name)].astype(int)  # ANY is negative
        regions = palette.regions(name, held_out.images, held_out.attributes)
        found = palette.read(name, held_out.images, regions)
        assert found.dtype == np.int64
        shown = regions.any(axis=(1, 2))
        assert shown.sum() > 50
        np.testing.assert_array_equal(found, np.where(shown, asked, ANY))


def test_a_wrong_hair_colour_is_read_as_the_wrong_value(palette, held_out):
    asked = held_out.attributes
    regions = palette.regions("hair_color", held_out.images, asked)
    other = asked.copy()
    other[:, COLOUR] = (asked[:, COLOUR] + 3) % 10
    generated = np.stack([paint(row) for row in other])
    found = palette.read("hair_color", generated, regions)
    readable = found != ANY
    assert readable.sum() > 50
    np.testing.assert_array_equal(found[readable], other[readable, COLOUR])
    assert (palette.read("face_color", generated, regions)[readable] != ANY).all()  # nearest of all


def test_a_drawn_colour_need_not_be_exact(palette, held_out):
    regions = palette.regions("face_color", held_out.images, held_out.attributes)
    noise = np.random.default_rng(0).normal(0, 8, held_out.images.shape)
    noise[..., 3] = 0
    generated = np.clip(held_out.images + noise, 0, 255).astype(np.uint8)
    generated[:, 14, 2:6] = (255, 255, 255, 255)  # part of it is quite wrong, but not the median
    found = palette.read("face_color", generated, regions)
    assert (found == held_out.attributes[:, FACE]).mean() > 0.98


def test_too_few_pixels_are_not_read(palette, held_out):
    regions = np.zeros(held_out.images.shape[:3], dtype=bool)
    regions[:, 14, 2 : 2 + MIN_PIXELS] = True
    regions[0, 14, 2] = False
    regions[1] = False
    found = palette.read("face_color", held_out.images, regions)
    assert (found[:2] == ANY).all()
    np.testing.assert_array_equal(found[2:], held_out.attributes[2:, FACE])


def test_a_value_that_was_never_seen_has_no_fill_and_no_region(held_out):
    data = world(800)
    seen = data.take(np.flatnonzero(data.attributes[:, FACE] != 3))
    palette = measure_palette(seen)
    assert set(palette.colours["face_color"]) == set(range(11)) - {3}
    regions = palette.regions("face_color", held_out.images, held_out.attributes)
    np.testing.assert_array_equal(regions.any(axis=(1, 2)), held_out.attributes[:, FACE] != 3)


def test_an_outline_that_was_never_seen_borrows_its_places(held_out):
    data = world(800)
    palette = measure_palette(data.take(np.flatnonzero(data.attributes[:, OUTLINE] != 1)))
    regions = palette.regions("hair_color", held_out.images, held_out.attributes)
    assert regions[held_out.attributes[:, OUTLINE] == 1, 1:4, 1:15].all()


def test_shapes_that_differ_are_refused(palette, held_out):
    images, values = held_out.images, held_out.attributes
    with pytest.raises(ValueError, match=r"8x8 pixels.* 16x16"):
        palette.regions("face_color", images[:, ::2, ::2], values)
    with pytest.raises(ValueError, match=r"\(200, 16, 16, 4\).*\(200, 8, 16\)"):
        palette.read("face_color", images, np.zeros((200, 8, 16), dtype=bool))
    with pytest.raises(ValueError, match="no images"):
        measure_palette(world(2).take(np.arange(0)))


@pytest.mark.parametrize(
    ("a", "b", "difference"),
    [  # Sharma, Wu & Dalal 2005, table 1: pairs 17, 20 and 24, which sRGB can show
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ],
)
def test_ciede2000_of_known_pairs(a, b, difference):
    rgb = [255 * lab2rgb(np.array(colour)) for colour in (a, b)]
    assert ciede2000(*rgb) == pytest.approx(difference, abs=2e-4)


def test_a_palette_is_used_at_a_multiple_of_its_size():
    train, truth = world(400), world(60, seed=1)
    palette = measure_palette(train)
    large = truth.images.repeat(3, axis=1).repeat(3, axis=2)
    for name in COLOURED:
        small = palette.regions(name, truth.images, truth.attributes)
        regions = palette.at(48).regions(name, large, truth.attributes)
        assert (regions == small.repeat(3, axis=1).repeat(3, axis=2)).all()
        found = palette.at(48).read(name, large, regions)
        readable = small.sum(axis=(1, 2)) >= MIN_PIXELS
        assert (found == palette.read(name, truth.images, small))[readable].all()
    with pytest.raises(ValueError, match="a palette of 16 pixels cannot be used at 40"):
        palette.at(40)


@needs_shared
def test_cartoon_set_has_the_fills_its_description_lists():
    examples = read_cartoon_set(SHARED)
    cat_eye = np.flatnonzero(examples.attributes[:, GLASSES] == 2)
    wanted = set(cat_eye.tolist())
    pictures = {row: load_avatar(read()) for row, read in examples.pictures() if row in wanted}
    data = PackedSet(
        np.stack([pictures[row] for row in cat_eye.tolist()]),
        examples.attributes[cat_eye],
        [examples.ids[row] for row in cat_eye],
        examples.vocabulary,
    )
    palette = measure_palette(data)
    assert palette.colours["face_color"] == dict(enumerate(SKIN))
    assert palette.colours["hair_color"] == dict(enumerate(HAIR))
    frames = [palette.colours["glasses_color"][value] for value in range(7)]
    assert np.abs(np.subtract(frames, FRAMES)).max() <= 6
    for name, readable in zip(COLOURED, (1, 0.9, 1), strict=True):
        regions = palette.regions(name, data.images, data.attributes)
        found = palette.read(name, data.images, regions)
        assert (found != ANY).mean() >= readable
        right = found == data.attributes[:, NAMES.index(name)]
        assert right[found != ANY].all()
