import numpy as np
import pytest
from PIL import Image

from avatar_model.contact_sheet import contact_sheet

RED, CLEAR, HALF = (255, 0, 0, 255), (0, 0, 0, 0), (0, 0, 255, 128)


def tiles(*colours, size=(3, 2)):
    return [Image.new("RGBA", size, colour) for colour in colours]


def test_places_from_left_to_right_and_top_to_bottom():
    sheet = contact_sheet(tiles(RED, HALF, RED), columns=2, scale=2, gap=1)
    assert sheet.mode == "RGBA" and sheet.size == (1 + 2 * 7, 1 + 2 * 5)
    pixels = np.asarray(sheet)
    expected = np.zeros((11, 15, 4), dtype=np.uint8)
    expected[1:5, 1:7] = expected[6:10, 1:7] = RED
    expected[1:5, 8:14] = HALF
    assert np.array_equal(pixels, expected)


def test_a_background_shows_through():
    sheet = contact_sheet(tiles(HALF, CLEAR), columns=2, gap=0, background="white")
    assert sheet.mode == "RGB"
    assert sheet.getpixel((0, 0)) == (127, 127, 255) and sheet.getpixel((5, 1)) == (255,) * 3


def test_enlarged_pixels_stay_crisp():
    noise = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    sheet = contact_sheet([Image.fromarray(noise)], scale=3, gap=0)
    assert np.array_equal(np.asarray(sheet)[..., :3], noise.repeat(3, axis=0).repeat(3, axis=1))


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (4, (2, 2)), (5, (3, 2)), (7, (3, 3))])
def test_a_sheet_is_about_square_by_default(count, shape):
    assert contact_sheet(tiles(*[RED] * count, size=(1, 1)), gap=0).size == shape


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": []}, "images must be pictures of one size, at least one; these are none"),
        (
            {"images": [*tiles(RED), *tiles(RED, size=(2, 2))]},
            "images must be .*; these have 2 sizes",
        ),
        ({"columns": 0}, "columns must be a whole number from 1 to 8192, not 0"),
        ({"scale": 0}, "scale must be a whole number from 1 to 64, not 0"),
        ({"gap": -1}, "gap must be a whole number from 0 to 1024, not -1"),
        ({"background": "blurple"}, "background must be a colour such as #d8dce2, not 'blurple'"),
        ({"background": 3}, "background must be a colour .* not 3"),
        ({"columns": 8192}, "the sheet would be .* at most 8192 a side .* smaller scale"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        contact_sheet(**({"images": tiles(RED)} | arguments))
