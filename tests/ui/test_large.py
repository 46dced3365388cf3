"""A model of two stages: everywhere the large picture, and the small one where that is meant."""

from __future__ import annotations

import io
import json
import re
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client
from PIL import Image

from tests.ui.browsing import (
    download,
    expect,
    open_look,
    picture,
    pixels,
    recipe,
    show,
    shown,
    take,
)
from tests.ui.pictures import opened, same
from tests.ui.test_pictures import get
from ui.files.picture_file import FileOptions, encode, read_recipe
from ui.files.resize import resize

LINK = "hair=12&glasses=3&seed=7"
LOOKS = {"hair": 12, "glasses": 3}


@pytest.fixture(scope="module")
def drawn(large_pipeline):
    """The avatar of ``LINK`` as the pipeline draws it, by size."""
    return {s: large_pipeline(LOOKS, seed=7, size=s).images[0] for s in (64, 256)}


def test_addresses_have_the_small_picture_or_the_large_one(large_server, drawn):
    def at(size, **options):
        return opened(get(large_server, **LOOKS, seed=7, size=size, **options)[2])

    assert same(at(64), drawn[64])
    assert same(at(256), drawn[256])
    assert not same(at(256), resize(drawn[64], 256))
    for size in (512, 1024):
        near = np.abs(np.asarray(at(size), dtype=int) - np.asarray(resize(drawn[256], size)))
        assert np.percentile(near, 99) <= 3
    crisp = np.asarray(at(256, style="crisp"))
    assert (crisp == np.asarray(at(64)).repeat(4, 0).repeat(4, 1)).all()
    framed = at(64, zoom=2, radius=50, border=4, flip=1)  # nearer than the small picture is
    options = FileOptions(size=64, zoom=2, radius=50, border=4, flip=True)
    assert same(framed, opened(encode(drawn[256], options)))
    svg = get(large_server, "svg", **LOOKS, seed=7, size=64)[2]
    assert b'width="64"' in svg and b"<path" in svg
    assert FileOptions(format="svg", size=64).source_size((64, 256)) == 256


def test_the_size_is_no_part_of_the_recipe(large_server):
    small, large = (
        read_recipe(get(large_server, **LOOKS, seed=7, size=size)[2]) for size in (64, 1024)
    )
    assert small == large and len(small) == 18 + 5


def test_health_tells_both_stages(large_server):
    with urllib.request.urlopen(f"{large_server}/health") as answer:
        health = json.load(answer)
    assert health["sizes"] == [64, 256]


def test_generate_and_sheet(large_server, drawn, tmp_path):
    client = Client(large_server, download_files=str(tmp_path), verbose=False)
    for given, side in (({}, 256), ({"size": 64}, 64), ({"size": 100}, 100)):
        (file,), (details,) = client.predict(**LOOKS, seed=7, **given, api_name="/generate")
        with Image.open(file) as image:
            assert image.size == (side, side)
            if side in drawn:
                assert same(image, drawn[side])
        assert read_recipe(Path(file).read_bytes()) == details["values"] | {
            "seed": 7,
            "guidance_scale": 1.0,
            "guidance_method": "classic",
            "num_inference_steps": 4,
            "sampler": "ddim",
        }
    with Image.open(client.predict(count=2, **LOOKS, seed=7, api_name="/sheet")) as sheet:
        assert sheet.size == (2 * 256 + 3 * 8, 256 + 2 * 8)
        assert same(sheet.crop((8, 8, 264, 264)), drawn[256])


def test_the_page_shows_the_large_picture_of_an_old_link(large_visit, drawn):
    page = large_visit(LINK)
    assert same(pixels(page), drawn[256])
    assert (recipe(page)["hair"], recipe(page)["seed"]) == ("12", "7")
    assert "size" not in recipe(page)
    assert 340 < picture(page).bounding_box()["width"] < 400
    content = download(page, page.get_by_text("Download PNG"))[1]
    assert opened(content).size == (512, 512)


def test_a_few_thumbnails_are_large_and_many_are_small(large_visit):
    page = large_visit(LINK)
    sources = {}
    for look in ("hair", "glasses"):
        open_look(page, look)
        image = page.locator("#sheet img").nth(3)
        expect(image).to_have_js_property("complete", True)
        sources[look] = image.get_attribute("src")
        side = image.evaluate("image => image.naturalWidth")
        assert side == (64 if look == "hair" else 256)
    assert re.match(r"avatar\.png\?.*&size=64&model=[0-9a-f]{8}$", sources["hair"])
    assert re.match(r"avatar\.webp\?.*&size=256&model=[0-9a-f]{8}$", sources["glasses"])
    take(page, "glasses", 5)
    assert recipe(page)["glasses"] == "5"
    show(page, "Drawing")
    assert page.locator("#guidance img[src^='avatar.webp?'][src*='&size=256&model=']").count() == 10


def test_several_images(large_visit):
    page = large_visit(f"{LINK}&num_images=3")
    thumbnails = page.locator("#result label img").evaluate_all("all => all.map((i) => i.src)")
    assert len(thumbnails) == 3
    page.locator("label[for=avatar-1]").click()
    assert pixels(page).size == (256, 256)
    links = page.locator("figcaption:visible")
    name, content = download(page, links.get_by_text("All 3 (ZIP, 256 px)"))
    assert name == "avatars-7.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == [f"avatar-{seed}.png" for seed in (7, 8, 9)]
        second = archive.read("avatar-8.png")
    assert same(opened(second), pixels(page)) and read_recipe(second)["seed"] == 8


def test_a_dragged_slider_shows_small_pictures_where_large_ones_take_long(large_visit):
    page = large_visit(f"{LINK}&num_inference_steps=20")
    show(page, "Drawing")
    before = shown(page)
    box = page.get_by_role("slider", name=re.compile("Guidance scale")).bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    page.wait_for_function("old => document.querySelector('#result img').src !== old", arg=before)
    assert pixels(page).size == (64, 64)
    page.mouse.up()
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    assert pixels(page).size == (256, 256)


def test_the_film_shows_both_stages(large_visit):
    page = large_visit(LINK)
    page.emulate_media(reduced_motion="reduce")
    show(page, "Drawing")
    page.get_by_role("button", name="Show how it is drawn").click()
    frames = page.locator("#film label")
    steps = int(recipe(page)["num_inference_steps"])
    expect(frames).to_have_count(steps + 1 + 2)
    captions = [" ".join(text.split()) for text in frames.all_inner_texts()]
    assert captions[-3:] == ["100%", "0% 256 px", "100% 256 px"]
    last = frames.last.locator("img").last
    assert last.evaluate("i => i.decode().then(() => i.naturalWidth)") == 256
    widths = {round(frame.bounding_box()["width"]) for frame in frames.locator("img").all()}
    assert len(widths) == 1


def test_a_morph(large_visit):
    page = large_visit(LINK)
    page.get_by_role("button", name="Save", exact=True).click()
    take(page, "hair", 3)
    page.get_by_role("button", name="Save", exact=True).click()
    show(page, "Collection")
    saved = page.locator("#saved img[src^='avatar.webp?']")
    expect(saved).to_have_count(2)
    page.get_by_role("button", name="Morph between the saved").click()
    moving = page.locator("#morph figure img")
    moving.wait_for(timeout=60_000)  # this model draws noise, of which a GIF takes long
    assert moving.evaluate("i => i.decode().then(() => i.naturalWidth)") == 256
