"""Start from a picture: our own files bring their recipe, others are looked at."""

from __future__ import annotations

import io
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avatar_model import ANY, ATTRIBUTES, AvatarPipeline
from avatar_model.attributes import NAMES
from tests.ui.browsing import (
    chip,
    download,
    drop,
    expect,
    picture,
    pixels,
    recipe,
    redrawn,
    show,
    toast,
)
from tests.ui.pictures import same
from ui.files.picture_file import MAX_FILE, FileOptions, encode
from ui.panels import start_from_picture
from ui.recipe import SETTINGS

BUNDLED = Path(__file__).parents[2] / "assets" / "model"


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def avatar():
    """An avatar of the bundled model on white, without its recipe."""
    looks = {"face_color": 2, "hair": 11, "hair_color": 1, "glasses": 5, "facial_hair": 4}
    drawn = AvatarPipeline.from_pretrained(BUNDLED, backend="torch")(looks, seed=7).images[0]
    return png(Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "SVG"])
def test_a_dropped_file_brings_its_avatar_back(visit, kind):
    page = visit("hair=12&seed=7&guidance_scale=2")
    first, alt = pixels(page), picture(page).get_attribute("alt")
    show(page, "Take away")
    page.get_by_label(kind, exact=True).check()
    page.get_by_label("Circle", exact=True).check()
    page.locator(f"#take-away a[href*='avatar.{kind.lower()}'][href*='circle']").wait_for()
    name, content = download(page, page.locator("#take-away a"))
    with redrawn(page):
        page.get_by_role("button", name="Randomize", exact=True).click()
    with redrawn(page):
        drop(page, name, content)
    assert same(pixels(page), first)
    assert picture(page).get_attribute("alt") == alt
    assert set(recipe(page)) == {*NAMES, *SETTINGS} - {"num_images"}
    assert (recipe(page)["seed"], recipe(page)["guidance_scale"]) == ("7", "2")
    show(page, "From a picture")
    expect(page.locator("#seen")).to_contain_text("This file brought its recipe along")


def test_a_file_given_in_the_panel(visit):
    page = visit("hair=12&seed=7")
    first = pixels(page)
    name, content = download(page, page.get_by_text("Download PNG"))
    with redrawn(page):
        page.get_by_role("button", name="Randomize", exact=True).click()
    show(page, "From a picture")
    given = page.locator("#upload input[type=file]")
    with redrawn(page):
        given.set_input_files({"name": name, "mimeType": "image/png", "buffer": content})
    assert same(pixels(page), first)
    # The panel is empty again, for the next one.
    expect(page.locator("#upload")).to_contain_text("Drop File Here")
    given.set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(toast(page).first).to_contain_text("this file is not a picture")
    expect(page.locator("#seen")).to_have_text(
        "This file is not a picture in PNG, WebP, JPEG or GIF format."
    )
    expect(page.locator("#upload")).to_contain_text("Drop File Here")


def test_the_looks_of_any_avatar_are_read_and_the_unsure_stay_any(page, avatar):
    with redrawn(page):
        drop(page, "somebody.png", avatar)
    show(page, "From a picture")
    rows = [row.split("\t") for row in page.locator("#seen tbody tr").all_inner_texts()]
    assert [row[0] for row in rows] == [a.title for a in ATTRIBUTES]
    unsure = {a.name for a, row in zip(ATTRIBUTES, rows, strict=True) if "unsure" in row[3]}
    assert {a.name for a in ATTRIBUTES} - set(recipe(page)) == unsure
    assert recipe(page)["face_color"] == "2" and 2 < len(unsure) < 12
    for row in rows:
        assert ("unsure" in row[3]) == (int(row[2].rstrip("%")) < 90), row
    show(page, "Look")
    face = page.locator(".chip:has([value=face_color])")
    expect(face).to_contain_text(f"face color {recipe(page)['face_color']}")
    expect(chip(page, "hair")).to_be_checked()


@pytest.mark.parametrize("content", [b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(100), b""])
def test_garbage_is_one_sentence(page, content):
    before = page.url
    drop(page, "avatar.png", content)
    expect(toast(page)).to_have_count(1)
    text = toast(page).inner_text()
    assert "picture" in text and "\n\n" not in text and len(text) < 200
    assert page.url == before


def test_sure_and_unsure(pipeline, monkeypatch, avatar):
    seen = dict.fromkeys(NAMES, (0, 0.5)) | {"hair": (12, 0.95), "glasses": (3, 0.89)}
    monkeypatch.setattr(start_from_picture, "read_attributes", lambda *_: seen)
    found = start_from_picture.find_recipe(pipeline, avatar)
    looks = dict(zip(NAMES, found.recipe.looks, strict=True))
    assert looks == dict.fromkeys(NAMES, ANY) | {"hair": 12}
    assert found.seen == seen
    html = start_from_picture.seen_html(pipeline, found)
    assert html.count("unsure: left on Any") == 17 and "95%" in html


def test_a_forged_recipe_falls_back_with_notes(pipeline):
    forged = {"hair": 999, "glasses": "<b>", "seed": 7, "face_color": 2, "__proto__": 1}
    content = encode(Image.new("RGBA", (64, 64)), FileOptions(size=64), forged)
    found = start_from_picture.find_recipe(pipeline, content)
    assert found.recipe.values()["face_color"] == 2 and found.recipe.seed == 7
    assert [note.split()[0] for note in found.notes] == ["hair", "glasses"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not a picture"),
        (b"GIF89a" + bytes(20), "picture"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n{} loop\nshowpage\n",
            "not a picture in PNG, WebP, JPEG or GIF",
        ),
        (b"P6 1 1 255\n123", "not a picture in PNG, WebP, JPEG or GIF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture in PNG, WebP, JPEG or GIF"),
        (bytes(MAX_FILE + 1), "larger than 32 MB"),
    ],
)
def test_what_cannot_be_read(pipeline, content, sentence):
    with pytest.raises(ValueError, match=sentence):
        start_from_picture.find_recipe(pipeline, content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_turned_picture_with_metadata_that_cannot_be_read(pipeline, monkeypatch, avatar, kind):
    looked_at = []

    def read_attributes(image, *_):
        looked_at.append(np.asarray(image).astype(int))
        return dict.fromkeys(NAMES, (0, 0.5))

    monkeypatch.setattr(start_from_picture, "read_attributes", read_attributes)
    turned = struct.pack("<HHLHxx", 0x0112, 3, 1, 6)
    fields = turned + struct.pack("<HHL4s", 0x011A, 2, 4, b"72")  # a resolution in ASCII
    exif = b"Exif\0\0II*\0" + struct.pack("<LH", 8, 2) + fields + bytes(4)
    file = io.BytesIO()
    with Image.open(io.BytesIO(avatar)) as image:
        image.convert("RGB").transpose(Image.Transpose.ROTATE_90).save(file, kind, exif=exif)
    for content in (avatar, file.getvalue()):
        start_from_picture.find_recipe(pipeline, content)
    assert abs(looked_at[0] - looked_at[1]).mean() < 3


def test_one_picture_at_a_time_is_decoded(pipeline, monkeypatch, avatar):
    at_once, most = [], []

    def read_attributes(*_):
        at_once.append(1)
        time.sleep(0.02)
        most.append(len(at_once))
        at_once.pop()
        return dict.fromkeys(NAMES, (0, 0.5))

    monkeypatch.setattr(start_from_picture, "read_attributes", read_attributes)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: start_from_picture.find_recipe(pipeline, avatar), range(4)))
    assert most == [1] * 4


def test_nobody_waits_for_ever(pipeline, monkeypatch, avatar):
    done = threading.Event()
    monkeypatch.setattr(start_from_picture, "read_attributes", lambda *_: done.wait(60))
    monkeypatch.setattr(start_from_picture, "READING_SECONDS", 0.05)
    with pytest.raises(ValueError, match="^too many pictures are being read; please try again"):
        start_from_picture.find_recipe(pipeline, avatar)
    done.set()


def test_only_uploaded_files_are_opened(tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"x")
    for path in (secret, "/etc/passwd", "../../etc/passwd", None, ""):
        with pytest.raises(ValueError, match="has not arrived"):
            start_from_picture.uploaded(path)
