import io
import json
import re
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image, ImageColor
from PIL.PngImagePlugin import PngInfo

from tests.ui.pictures import opened
from ui.files.picture_file import (
    MAX_FILE,
    MAX_RECIPE,
    RECIPE_KEY,
    FileOptions,
    encode,
    read_recipe,
)
from ui.files.resize import resize

RECIPE = {"hair": 12, "seed": 7, "guidance_scale": 1.0, "note": "<é & ]]>\"'"}


def round_head(side):
    """A red head with a green eye on nothing, as sharp as ``side`` pixels can be."""
    place = (np.arange(4 * side) + 0.5) / (4 * side) - 0.5
    y, x = np.meshgrid(place, place, indexing="ij")
    pixels = np.zeros((4 * side, 4 * side, 4), dtype=np.uint8)
    pixels[np.hypot(x, y) < 0.35] = (220, 40, 40, 255)
    pixels[np.hypot(x + 0.1, y) < 0.05] = (30, 200, 60, 255)
    large = Image.fromarray(pixels).convert("RGBa")
    return large.resize((side, side), Image.Resampling.BOX).convert("RGBA")


@pytest.fixture(scope="module")
def avatar():
    """A red head with a green eye on nothing, with soft edges; hair reaches the upper edge."""
    y, x = np.mgrid[:64, :64] + 0.5
    alpha = (20.5 - np.hypot(x - 32, y - 32)).clip(0, 1)
    alpha[:10] = 1
    pixels = np.zeros((64, 64, 4), dtype=np.uint8)
    pixels[..., :3] = (220, 40, 40)
    pixels[28:34, 24:30, :3] = (30, 200, 60)
    pixels[..., 3] = (255 * alpha).round()
    pixels[pixels[..., 3] == 0] = 0
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    "given, kept",
    [
        ("#FC0", "#ffcc00"),
        (" #12aBcD ", "#12abcd"),
        ("rgba(120.6, 3, 255, 1)", "#7903ff"),
        ("rgb(1,2,3)", "#010203"),
    ],
)
@pytest.mark.parametrize("name", ["background", "border_color"])
def test_every_way_to_write_a_colour(name, given, kept):
    assert getattr(FileOptions(**{name: given}), name) == kept


@pytest.mark.parametrize(
    "name, value",
    [
        ("format", "gif"),
        ("size", "15"),
        ("size", "1025"),
        ("size", "99.5"),
        ("size", "1e9"),
        ("zoom", "0.49"),
        ("zoom", "-1"),
        ("zoom", "nan"),
        ("flip", "left"),
        ("radius", "51"),
        ("border", "20.1"),
        ("border", "1e1"),
        ("border_color", "red"),
        ("style", "Smooth"),
        ("shape", "heart"),
        ("background", "red"),
        ("background", "#12345"),
        ("background", "rgba(1, 2, 300, 1)"),
        ("background", "rgba(1, 2, 3, 0.5)"),
        ("background", "url(#x)"),
        ("background", '#fff"/><script>'),
    ],
)
def test_what_is_not_allowed_is_named(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be .*"):
        FileOptions.parse({name: value})


def test_a_second_colour_alone_is_a_mistake():
    with pytest.raises(ValueError, match="^background2 needs a background"):
        FileOptions.parse({"background2": "#fff"})


def test_a_query_with_other_names_is_parsed():
    query = {"format": "webp", "size": "256", "background": "", "flip": "0", "hair": "3"}
    options = FileOptions.parse(query)
    assert options == FileOptions("webp", 256)
    assert (options.mime_type, options.format) == ("image/webp", "webp")


@pytest.mark.parametrize("size", [64, 1024])
@pytest.mark.parametrize("kind", ["png", "webp"])
def test_pictures_have_the_size_and_the_transparency_asked_for(avatar, kind, size):
    with Image.open(io.BytesIO(encode(avatar, FileOptions(kind, size)))) as picture:
        assert picture.format == kind.upper() and picture.size == (size, size)
        alpha = np.asarray(picture.convert("RGBA"))[..., 3]
    assert alpha[-1, 0] == 0 and alpha[size // 2, size // 2] == 255


def test_64_pixels_are_the_avatar_itself(avatar):
    with Image.open(io.BytesIO(encode(avatar, FileOptions(size=64)))) as picture:
        assert (np.asarray(picture) == np.asarray(avatar)).all()


def test_crisp_repeats_pixels(avatar):
    large = np.asarray(resize(avatar, 256, "crisp").convert("RGBa"))
    assert (large == np.asarray(avatar.convert("RGBa")).repeat(4, 0).repeat(4, 1)).all()


def test_smooth_edges_have_no_dark_fringe(avatar):
    large = np.asarray(resize(avatar, 512)).astype(int)
    edge = large[(large[..., 3] > 20) & (large[..., 3] < 235)]
    assert len(edge) > 100 and edge[:, 0].min() > 170  # of 220; rounding of faint pixels


def test_smooth_is_sharper_than_bicubic_whatever_the_size(avatar):
    """Seen from the true larger picture, drawn by the same formula."""
    for source, size in ((64, 256), (128, 512), (256, 512), (256, 1024)):
        small, true = round_head(source), round_head(size).convert("RGBa")
        plain = small.convert("RGBa").resize((size, size), Image.Resampling.BICUBIC)
        smooth = resize(small, size).convert("RGBa")
        errors = [np.asarray(p, float) - np.asarray(true) for p in (smooth, plain)]
        assert np.square(errors[0]).mean() < np.square(errors[1]).mean(), (source, size)


def test_smaller_is_antialiased():
    small = np.asarray(resize(round_head(256), 64), dtype=int)
    assert np.abs(small[..., 3] - np.asarray(round_head(64), dtype=int)[..., 3]).mean() < 1
    assert len(np.unique(small[..., 3])) > 10


@pytest.mark.parametrize(
    ("options", "side"),
    [
        (FileOptions(size=64), 64),
        (FileOptions(size=16, zoom=2.5), 64),
        (FileOptions(size=64, zoom=1.01), 384),
        (FileOptions(size=80, zoom=0.8), 64),
        (FileOptions(size=256), 384),
        (FileOptions(size=1024), 384),
        (FileOptions(size=1024, style="crisp"), 64),
        (FileOptions("svg", 64, "crisp"), 384),
        (FileOptions(size=None), 384),
    ],
)
def test_which_picture_a_file_is_made_from(options, side):
    assert options.source_size((64, 384)) == side
    assert options.source_size((64,)) == 64


@pytest.mark.parametrize("side", [64, 256, 384])
def test_without_a_size_it_is_as_drawn(side):
    head = round_head(side)
    assert opened(encode(head, FileOptions(size=None))).tobytes() == head.tobytes()
    assert f'width="{side}"'.encode() in encode(head, FileOptions("svg", None))


@pytest.mark.parametrize("side", [64, 256, 384, 512])
def test_svg_is_a_few_curves(side):
    """One for each colour, and small ones are not mixed with others."""
    text = encode(round_head(side), FileOptions("svg", 300)).decode()
    fills = [ImageColor.getrgb(colour) for colour in re.findall('fill="(#[0-9a-f]{6})"', text)]
    for colour in ((220, 40, 40), (30, 200, 60)):
        assert min(np.abs(np.subtract(fill, colour)).max() for fill in fills) <= 4
    assert len(fills) == text.count("<path") <= 4 and len(text) < 6_000
    assert re.fullmatch(r"[^l]*[qt][^l]*z", re.search(' d="([^"]*)"', text)[1])  # and no corner
    assert 'width="300" height="300" viewBox="0 0 2048 2048"' in text


def test_a_background_fills_the_square_or_the_circle(avatar):
    for radius, corner in ((0, (0, 0, 255, 255)), (50, (0, 0, 0, 0))):
        options = FileOptions(size=256, background="#00f", radius=radius)
        with Image.open(io.BytesIO(encode(avatar, options))) as picture:
            pixels = np.asarray(picture.convert("RGBA"))
        assert pixels[-1, 0, 3] == corner[3]
        assert tuple(pixels[250, 128]) == (0, 0, 255, 255)
        assert len(np.unique(pixels[..., 3])) > 10 or not radius  # soft edge


def test_an_empty_avatar_is_an_empty_svg():
    for alpha in (0, 100):  # a haze is nothing either
        empty = Image.new("RGBA", (64, 64), (9, 9, 9, alpha))
        assert b"<path" not in encode(empty, FileOptions("svg"))


@pytest.mark.parametrize("kind", ["png", "webp", "svg"])
def test_the_recipe_comes_back(avatar, kind):
    assert read_recipe(encode(avatar, FileOptions(kind), RECIPE)) == RECIPE
    assert read_recipe(encode(avatar, FileOptions(kind))) is None


def test_a_recipe_that_cannot_be_stored_is_refused(avatar):
    with pytest.raises(ValueError):
        encode(avatar, FileOptions(), {"guidance_scale": float("nan")})
    with pytest.raises(ValueError, match="characters"):
        encode(avatar, FileOptions(), {"note": "x" * MAX_RECIPE})


def _png(text):
    info, out = PngInfo(), io.BytesIO()
    info.add_text(RECIPE_KEY, text, zip=len(text) > 1000)
    Image.new("RGB", (1, 1)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


@pytest.mark.parametrize(
    "text",
    ["[1]", "7", "{", "", "[" * 5000, '{"a": NaN}', '{"a": ' + "9" * 10_000 + "}", " " * 10**7],
)
def test_what_is_no_recipe_is_none(text):
    assert read_recipe(_png(text)) is None
    if len(text) < MAX_RECIPE:
        svg = f'<svg><metadata id="{RECIPE_KEY}">{text}</metadata></svg>'
        assert read_recipe(svg.encode()) is None


def test_garbage_is_none(avatar):
    random = np.random.default_rng(0)
    for kind in ("png", "webp", "svg"):
        content = encode(avatar, FileOptions(kind), RECIPE)
        for cut in (0, 4, 8, 20, 40, 60, 100, len(content) // 2):
            read_recipe(content[:cut])
        for _ in range(50):
            damaged = bytearray(content)
            damaged[random.integers(len(content))] ^= 1 << random.integers(8)
            read_recipe(bytes(damaged))
    assert read_recipe(b"\x89PNG\r\n\x1a\n" + bytes(100)) is None
    assert read_recipe(bytes(MAX_FILE + 1)) is None


def test_a_decompression_bomb_is_none():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk
    bomb += struct.pack(">I", zlib.crc32(chunk))
    assert read_recipe(bomb) is None


def test_json_is_stored_as_it_is(avatar):
    with Image.open(io.BytesIO(encode(avatar, FileOptions(size=64), RECIPE))) as picture:
        assert json.loads(picture.info[RECIPE_KEY]) == RECIPE


@pytest.mark.parametrize("side", [64, 256])
def test_what_has_no_areas_is_traced_coarsely_and_not_for_seconds(side):
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 4), dtype=np.uint8)
    noise[..., 3] = 255
    start = time.process_time()
    content = encode(Image.fromarray(noise), FileOptions(format="svg"))
    assert time.process_time() - start < 3
    assert content.count(b"<path") < 5000 and len(content) < 400_000
