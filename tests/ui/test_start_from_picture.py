"""Start from a picture: dropped on the page, pasted, or chosen in the panel."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from avatar_model import ATTRIBUTES, AvatarPipeline
from avatar_model.attributes import NAMES
from tests.ui.browsing import (
    carrying,
    chip,
    download,
    drop,
    expect,
    looks_as,
    picture,
    pixels,
    recipe,
    redrawn,
    show,
    toast,
)
from tests.ui.pictures import png, same
from ui.files.picture_file import MAX_FILE, FileOptions, encode
from ui.recipe import SETTINGS

BUNDLED = Path(__file__).parents[2] / "assets" / "model"
OURS = encode(Image.new("RGBA", (64, 64)), FileOptions(size=64), {"hair": 12, "seed": 7})
NO_PICTURE = "this file is not a picture in PNG, WebP, JPEG or GIF format"


def chosen(page):
    """Where a picture is chosen in the panel, which is opened for that."""
    show(page, "From a picture")
    return page.get_by_label("Picture", exact=False).and_(page.locator("input[type=file]"))


def refused(visit):
    """A browser says itself that a picture was refused; that is all that it says."""
    assert visit.errors and all("Failed to load resource" in error for error in visit.errors)
    visit.errors.clear()


@pytest.fixture(scope="module")
def avatar():
    """An avatar of the bundled model on white, without its recipe."""
    looks = {"face_color": 2, "hair": 11, "hair_color": 1, "glasses": 5, "facial_hair": 4}
    drawn = AvatarPipeline.from_pretrained(BUNDLED)(looks, seed=7).images[0]
    return png(Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "SVG"])
def test_a_dropped_file_brings_its_avatar_back(visit, kind):
    page = visit("hair=12&seed=7&guidance_scale=2")
    first, alt = pixels(page), picture(page).get_attribute("alt")
    show(page, "Take away")
    page.get_by_label(kind, exact=True).check()
    link = page.locator(f"#take-away a[href*='avatar.{kind.lower()}']")
    name, content = download(page, link)
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


def test_a_file_chosen_in_the_panel(visit):
    page = visit("hair=12&seed=7")
    first = pixels(page)
    name, content = download(page, page.get_by_text("Download PNG"))
    file = {"name": name, "mimeType": "image/png", "buffer": content}
    for _ in range(2):  # the same one twice
        with redrawn(page):
            page.get_by_role("button", name="Randomize", exact=True).click()
        with redrawn(page):
            chosen(page).set_input_files(file)
        assert same(pixels(page), first)
    chosen(page).set_input_files({**file, "buffer": b"no picture"})
    expect(toast(page).first).to_contain_text(NO_PICTURE)
    expect(page.locator("#seen")).to_have_text(f"T{NO_PICTURE[1:]}.")
    expect(page.locator("#read-picture")).to_have_text("")
    refused(visit)


@pytest.mark.parametrize("phone", [False, True])
def test_a_file_is_chosen_by_keyboard(visit, phone):
    page, choosers = visit(phone=phone), []
    # From the start, or the key may be quicker.
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    file = chosen(page)
    page.get_by_role("tab", name="From a picture").focus()
    while not file.evaluate("e => e === document.activeElement"):
        assert not page.evaluate("document.activeElement.closest('footer')")
        page.keyboard.press("Tab")
    expect(file).to_be_in_viewport(ratio=1)
    assert file.evaluate("e => getComputedStyle(e).outlineStyle") != "none"
    assert (
        "Drop a picture here"
        in page.locator("#" + file.get_attribute("aria-describedby")).inner_text()
    )
    page.keyboard.press("Enter")
    for _ in range(200):
        page.wait_for_timeout(50)  # in which it may come
        if choosers:
            return
    pytest.fail("nothing has opened")


def test_a_pasted_picture_is_taken_up_and_text_is_not(visit):
    page = visit("hair=13&seed=8")
    paste = """(clipboardData) => document.activeElement.dispatchEvent(
      new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }))"""
    page.evaluate(paste, page.evaluate_handle("new DataTransfer()"))
    with redrawn(page):
        page.evaluate(paste, carrying(page, "image.png", OURS))
    assert (recipe(page)["hair"], recipe(page)["seed"]) == ("12", "7")


def test_it_says_that_it_reads_and_the_newest_picture_counts(visit):
    page = visit("hair=13&seed=8")
    held, status = [], page.locator("#read-picture [role=status]")
    page.route("**/read-picture", lambda route: held.append(route), times=1)
    drop(page, "older.png", b"no picture")
    expect(status).to_have_text("Reading…")
    with redrawn(page):
        drop(page, "newer.png", OURS)
    assert recipe(page)["seed"] == "7"
    expect(toast(page)).to_have_count(0)


def test_a_picture_that_cannot_be_sent_is_a_sentence(visit):
    page = visit()
    page.route("**/read-picture", lambda route: route.abort())
    before = page.url
    drop(page, "avatar.png", b"lost")
    status = page.locator("#read-picture [role=status]")
    expect(status).to_have_text("The picture could not be sent; please try again.")
    expect(status).to_be_in_viewport()
    assert page.url == before
    refused(visit)


def test_a_picture_that_is_too_large_is_not_even_sent(visit):
    page = visit()
    page.route("**/read-picture", lambda route: pytest.fail("it was sent"))
    large = """(size) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(size)], "large.png"));
      return data;
    }"""
    data = page.evaluate_handle(large, MAX_FILE + 1)
    page.locator("h1").dispatch_event("drop", {"dataTransfer": data})
    expect(toast(page)).to_contain_text("the file is larger than 16 MB")


def test_the_looks_of_any_avatar_are_read_and_the_unsure_are_marked(page, avatar):
    with redrawn(page):
        drop(page, "somebody.png", avatar)
    show(page, "From a picture")
    rows = [row.split("\t") for row in page.locator("#seen tbody tr").all_inner_texts()]
    assert [row[0] for row in rows] == [a.title for a in ATTRIBUTES]
    remarks = dict(zip(NAMES, (row[3] for row in rows), strict=True))
    left = {name for name, remark in remarks.items() if "left on Any" in remark}
    assert left == {*NAMES} - set(recipe(page)) <= {"hair"}  # of which this model has few
    assert recipe(page)["face_color"] == "2"
    assert 2 < list(remarks.values()).count("unsure") < 12
    for name, row in zip(NAMES, rows, strict=True):
        assert name in left or row[3] == ("unsure" if int(row[2].rstrip("%")) < 90 else ""), row
    expect(page.locator("#seen .doubt")).to_have_count(0)
    looks_as(page, "Pictures")
    face = page.locator(".chip:has([value=face_color])")
    expect(face).to_contain_text(f"face color {recipe(page)['face_color']}")
    expect(chip(page, "hair")).to_be_checked()


@pytest.mark.parametrize("content", [b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(100), b""])
def test_garbage_is_one_sentence(visit, content):
    page = visit()
    before = page.url
    drop(page, "avatar.png", content)
    expect(toast(page)).to_have_count(1)
    text = toast(page).inner_text()
    assert "picture" in text and "\n\n" not in text and len(text) < 200
    assert page.url == before
    refused(visit)
