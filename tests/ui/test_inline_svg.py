"""An SVG in a page among others: each looks as it does alone."""

from __future__ import annotations

import re
from itertools import permutations
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from tests.ui.pictures import opened
from ui.files.circle import inside_circle
from ui.files.picture_file import FileOptions, encode

KINDS = {
    "square": FileOptions("svg", 256),
    "circle": FileOptions("svg", 256, shape="circle"),
    "small circle": FileOptions("svg", 64, shape="circle"),
    "yellow": FileOptions("svg", 256, background="#fc0"),
    "yellow circle": FileOptions("svg", 256, background="#fc0", shape="circle"),
}
ROUNDING = 16
"""Of 255, along edges: the browser paints a large area a little differently."""


@pytest.fixture(scope="module")
def files():
    """The same picture, which reaches all four corners, as files of every kind."""
    y, x = np.mgrid[:64, :64] - 31.5
    pixels = np.zeros((64, 64, 4), dtype=np.uint8)
    pixels[np.abs(x) + np.abs(y) > 36] = (30, 60, 200, 255)
    pixels[(np.hypot(x, y) < 29) & (np.hypot(x, y) > 20)] = (220, 40, 40, 255)
    avatar = Image.fromarray(pixels)
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
    allowed = {"width", "height", "viewBox", "d", "fill", "transform", "cx", "cy", "r"}
    for text in files.values():
        for element in ElementTree.fromstring(text).iter():
            kind = element.tag.removeprefix("{http://www.w3.org/2000/svg}")
            assert kind in ("svg", "metadata", "rect", "circle", "path")
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


def area(outlines, x=0, y=0):
    return f'<path d="{outlines} " fill="#FF0000" transform="translate({x},{y})"/>'


def test_an_area_inside_is_as_it_was_and_one_outside_is_gone():
    inside = area("M0,0 20,0 20,20 0,20 Z", 40, 40)
    assert inside_circle(inside, 100) == inside
    assert inside_circle(area("M0,0 10,0 0,10 Z"), 100) == ""
    # Outside, and nearly all around, there and back.
    around = "-20,-20 120,-20 120,120 -20,120 -20,119 119,119 119,-19 -20,-19"
    assert inside_circle(area(f"M{around} Z"), 100) == ""


@pytest.mark.parametrize("corners", ["0,0 100,0 100,100 0,100", "0,0 0,100 100,100 100,0"])
def test_an_area_around_all_becomes_the_circle(corners):
    text = inside_circle(area(f"M{corners} Z M40,40 60,40 60,60 40,60 Z"), 100)
    circle, hole = re.findall("M[^Z]*Z", text)
    assert circle.count("A50 50 0 0 ") == 3 and "L" not in circle
    assert hole.count("L") == 4 and "A" not in hole
    for x, y in re.findall(r" (-?[\d.]+),(-?[\d.]+)(?=[AZ])", circle):
        assert np.hypot(float(x), float(y)) == pytest.approx(50, abs=0.01)


def test_what_was_not_traced_is_refused():
    with pytest.raises(ValueError, match="not a traced path"):
        inside_circle("<path d='M0,0'/>", 100)
