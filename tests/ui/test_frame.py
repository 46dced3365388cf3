"""What surrounds an avatar in a file, alike in every format."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageColor

from tests.ui.pictures import opened
from ui.files.frame import RoundedSquare, bands, window
from ui.files.picture_file import OPTIONS, FileOptions, encode, read_recipe

RED, GREEN, BLUE = (220, 40, 40, 255), (30, 200, 60, 255), (0, 0, 255, 255)


@pytest.fixture(scope="module")
def avatar():
    """64 pixels: a red block, its left quarter green, and a clear margin of 8 pixels."""
    pixels = np.zeros((64, 64, 4), dtype=np.uint8)
    pixels[8:56, 8:56] = RED
    pixels[8:56, 8:20] = GREEN
    return Image.fromarray(pixels)


def drawn(avatar, **options):
    return np.asarray(opened(encode(avatar, FileOptions(**options))).convert("RGBA")).astype(int)


@pytest.mark.parametrize("size", [16, 17, 64, 300, 1024])
def test_any_size(avatar, size):
    assert drawn(avatar, size=size, radius=50, border=20, zoom=0.5).shape == (size, size, 4)


def test_a_smaller_zoom_leaves_room_and_a_larger_one_comes_closer(avatar):
    """Measured on the edges of the block, which is 48 of 64 pixels wide and high."""
    for zoom in (0.5, 0.8, 1, 1.2):
        alpha = drawn(avatar, size=256, zoom=zoom)[..., 3]
        for axis, middle in ((0, 128), (1, 128 + (12.8 * (1 - zoom) if zoom > 1 else 0))):
            (inside,) = np.nonzero(alpha.max(axis=axis) > 127)
            assert inside[-1] + 1 - inside[0] == pytest.approx(192 * zoom, abs=2)
            assert (inside[-1] + 1 + inside[0]) / 2 == pytest.approx(middle, abs=1.5)
    left, top, side = window(2.5)
    assert top > 0.3 and top + side < 0.8 and left + side / 2 == 0.5  # eyes and mouth are in it


def test_crisp_squares_have_all_the_same_width(avatar):
    stripes = np.array(avatar)
    stripes[:, ::2] = BLUE
    row = drawn(Image.fromarray(stripes), size=1024, style="crisp", zoom=2.5)[500, :, 0]
    changes = np.flatnonzero(np.diff((row > 110).astype(int)))
    assert len(changes) > 20 and set(np.diff(changes)) == {40}  # 1024 / 64 * 2.5


def test_flipped_is_the_mirror_image(avatar):
    plain = drawn(avatar, size=300, radius=20, background="#00f", background2="#fff")
    flipped = drawn(avatar, size=300, radius=20, background="#00f", background2="#fff", flip=True)
    assert abs(plain[:, ::-1] - flipped).max() <= 2 and abs(plain - flipped).max() > 100


@pytest.mark.parametrize("size", [16, 256])
def test_corners_are_round_and_soft_and_the_border_follows_them(avatar, size):
    picture = drawn(avatar, size=size, radius=50, border=10, border_color="#00f")
    place = np.arange(size) + 0.5 - size / 2
    out = np.hypot(*np.meshgrid(place, place)) / size
    soft = 1 / size
    assert (picture[out > 0.5 + soft, 3] == 0).all()
    assert (picture[(out < 0.5 - soft) & (out > 0.4 + soft)] == BLUE).all()
    assert (picture[(out < 0.15)][:, 2] < 200).all()
    edge = picture[abs(out - 0.5) < 0.4 * soft]
    assert (edge[:, :3] == BLUE[:3]).all()  # no fringe of another colour
    assert (edge[:, 3] > 10).all() and (edge[:, 3] < 245).all()


def test_a_border_wider_than_the_corners_are_round_has_square_ones_inside(avatar):
    picture = drawn(avatar, size=200, radius=5, border=20, background="#fff")
    assert picture[0, 0, 3] == 0 and tuple(picture[20, 20]) == (0, 0, 0, 255)
    assert tuple(picture[41, 41, :3]) != (0, 0, 0) and tuple(picture[38, 38, :3]) == (0, 0, 0)


def test_a_gradient_runs_from_one_colour_to_the_other():
    empty = Image.new("RGBA", (64, 64))
    picture = drawn(empty, size=256, background="#ff0000", background2="#0000ff")
    assert picture[0, 0].tolist() == [255, 0, 0, 255]
    assert picture[-1, -1].tolist() == [0, 0, 255, 255]
    assert (np.diff(picture[:, 9, 2]) >= 0).all() and picture[128, 9, 2] == pytest.approx(
        128, abs=1
    )
    assert (picture == picture[:, :1]).all()


def test_bands_cover_all_of_their_area_without_a_gap():
    square = RoundedSquare(10, 20, 100, 50)
    paths = bands(square, (20, 120), "#000000", "#ffffff", 64)[1:]  # the first is below them
    assert len(paths) == 64
    levels = [ImageColor.getrgb(re.search(r'fill="([^"]*)"', path)[1])[0] for path in paths]
    assert levels == sorted(levels) and levels[0] <= 2 and levels[-1] >= 253
    for path, after in pairwise(paths):
        ends = [float(y) for y in re.findall(r"[\d.]+ ([\d.]+)(?=[AL\"Z])", path)]
        assert max(ends) > float(re.search(r"M[\d.]+ ([\d.]+)", after)[1])
    assert len(bands(square, (20, 120), "#000000", "#000000", 64)) == 1


@pytest.mark.parametrize("kind", ["png", "webp", "svg"])
def test_the_recipe_inside_is_that_of_the_avatar_alone(avatar, kind):
    options = FileOptions(kind, 64, zoom=2, flip=True, border=3, background="#fff", radius=9)
    assert read_recipe(encode(avatar, options, {"hair": 1, "seed": 7})) == {"hair": 1, "seed": 7}


def test_what_differs_from_the_defaults_makes_the_same_again():
    assert FileOptions().query() == {}
    options = FileOptions(
        "webp", 300, "crisp", 1.25, True, 50, 2.0, "#ABC", "#ffffff", "rgb(1,2,3)"
    )
    query = options.query()
    assert query["zoom"] == 1.25 and str(query["border"]) == "2" and str(query["flip"]) == "1"
    assert query.keys() == {"format", *OPTIONS} - {"shape"}
    assert FileOptions.parse({name: str(value) for name, value in query.items()}) == options


def test_a_circle_is_another_word_for_the_largest_radius():
    assert FileOptions.parse({"shape": "circle"}) == FileOptions(radius=50)
    assert FileOptions.parse({"shape": "square"}) == FileOptions()
    assert FileOptions.parse({"shape": "circle", "radius": "10"}) == FileOptions(radius=10)


def test_of_what_a_page_sends_the_wrong_is_at_its_default():
    wrong = {"size": "huge", "zoom": float("nan"), "flip": 7, "border": [1], "shape": {}}
    assert FileOptions.parse_leniently(wrong) == FileOptions()
    good = {"size": "300", "zoom": 2, "border_color": None, "background2": "#fff"}
    assert FileOptions.parse_leniently(good) == FileOptions(size=300, zoom=2)
