"""An SVG in a page among others: each looks as it does alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from avatar_model import AvatarPipeline
from tests.ui.pictures import opened
from ui.files.picture_file import FileOptions, encode

BUNDLED = Path(__file__).parents[2] / "assets" / "model"
KINDS = {
    "square": FileOptions("svg", 256),
    "circle": FileOptions("svg", 256, radius=50),
    "small circle": FileOptions("svg", 64, radius=50),
    "yellow": FileOptions("svg", 256, background="#fc0"),
    "yellow circle": FileOptions("svg", 256, background="#fc0", radius=50),
    "gradient": FileOptions("svg", 256, background="#fc0", background2="#00f", zoom=0.8, radius=20),
    "border": FileOptions("svg", 256, zoom=1.6, radius=50, border=9, flip=True),
}
ROUNDING = 32
"""Of 255, along edges: an outline cut elsewhere keeps other points, a tenth of a pixel off."""


@pytest.fixture(scope="module")
def avatar():
    """A picture that reaches all four corners."""
    y, x = np.mgrid[:64, :64] - 31.5
    pixels = np.zeros((64, 64, 4), dtype=np.uint8)
    pixels[np.abs(x) + np.abs(y) > 36] = (30, 60, 200, 255)
    pixels[(np.hypot(x, y) < 29) & (np.hypot(x, y) > 20)] = (220, 40, 40, 255)
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def files(avatar):
    """The same picture as files of every kind."""
    recipe = {"hair": 51, "seed": 7}
    return {name: encode(avatar, kind, recipe).decode() for name, kind in KINDS.items()}


@pytest.fixture(scope="module")
def seen(browser):
    """What a page of files looks like: an array for each file that is in sight."""
    page = browser.new_page(viewport={"width": 800, "height": 300})

    def seen(*svgs, hidden=""):
        cells = "".join(f'<div style="position:absolute;left:{260 * i}px">{svg}</div>'
                        for i, svg in enumerate(svgs))  # fmt: skip
        page.set_content(f'<body style="margin:0;background:#0a0">{hidden}{cells}')
        shot = np.asarray(opened(page.screenshot()).convert("RGB")).astype(int)
        return [shot[:256, 260 * i : 260 * i + 256] for i in range(len(svgs))]

    yield seen
    page.close()


def test_nothing_in_a_file_could_be_meant_for_another(files):
    allowed = {"width", "height", "viewBox", "d", "fill", "fill-rule"}
    for text in files.values():
        for element in ElementTree.fromstring(text).iter():
            kind = element.tag.removeprefix("{http://www.w3.org/2000/svg}")
            assert kind in ("svg", "metadata", "path")
            assert element.attrib.keys() <= allowed and "url(" not in str(element.attrib)


def test_files_in_one_page_look_as_each_does_alone(files, seen):
    alone = {name: (seen(svg)[0], seen("", svg)[1]) for name, svg in files.items()}
    assert len({picture.tobytes() for picture, _ in alone.values()}) == len(files)
    for pair in permutations(files, 2):
        for place, picture in enumerate(seen(*(files[name] for name in pair))):
            assert (picture == alone[pair[place]][place]).all(), (place, pair)
    for name, svg in files.items():
        (picture,) = seen(svg, hidden=f'<div style="display:none">{svg}</div>')
        assert (picture == alone[name][0]).all(), name


@pytest.mark.parametrize("paper", ["", "yellow "])
def test_a_circle_is_the_square_cut_to_it(files, seen, paper):
    square, circle = seen(files[paper.strip() or "square"], files[f"{paper}circle"])
    y, x = np.mgrid[:256, :256] - 127.5
    inside, outside = np.hypot(x, y) < 126.5, np.hypot(x, y) > 129.5
    assert np.abs(square - circle)[inside].max() <= ROUNDING
    assert (circle[outside] == (0, 170, 0)).all()
    assert (square[outside] != (0, 170, 0)).any()


@pytest.mark.parametrize("name", KINDS)
def test_an_outline_is_where_that_of_a_picture_is(avatar, files, seen, name):
    """Of the same options: the same shapes, also in a frame, up to a soft edge."""
    (svg,) = seen(files[name])
    picture = encode(avatar, replace(KINDS[name], format="png"))
    size = KINDS[name].size
    green = Image.new("RGBA", (size, size), (0, 170, 0))
    png = np.asarray(Image.alpha_composite(green, opened(picture).convert("RGBA")).convert("RGB"))
    differ = np.abs(svg[:size, :size] - png).max(axis=2) > 60
    assert differ.mean() < 0.04


def test_an_avatar_is_as_near_as_30_db_and_small(browser):
    """Of the bundled model, one with thin lines and curls among them, as a browser draws it."""
    pipeline = AvatarPipeline.from_pretrained(BUNDLED, device="cpu")
    page = browser.new_page(viewport={"width": 256, "height": 256})
    for image in pipeline([{}] * 2, seed=[16, 5], size=256).images:
        svg = encode(image, FileOptions("svg", 256)).decode()
        page.set_content(f'<body style="margin:0;background:#fff">{svg}')
        drawn = np.asarray(opened(page.screenshot()).convert("RGB")).astype(float)
        white = Image.new("RGBA", image.size, "#fff")
        true = np.asarray(Image.alpha_composite(white, image).convert("RGB"))
        assert 10 * np.log10(255**2 / np.square(drawn - true).mean()) > 30
        assert len(svg) < 60_000 and svg.count("<path") < 24
    page.close()
