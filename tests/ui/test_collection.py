"""The collection: avatars saved in the browser, and files of them."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
import zipfile
from urllib.parse import parse_qsl, urlencode

import pytest

from tests.ui.browsing import (
    download,
    expect,
    lock,
    picture,
    pixels,
    press,
    recipe,
    redrawn,
    show,
    shown,
    toast,
)
from tests.ui.pictures import opened, same
from ui.files.collection_file import MAX_COLLECTION, collection_file, read_collection
from ui.files.picture_file import read_recipe
from ui.link import to_query
from ui.recipe import Recipe

OF_GRADIO = (
    "U2FsdGVkX1+5VULYr2PyMAyhZyQKRvr4DHURrQBRKmo7NRvfO9vtDBs+VMCyPYvG4yB1rxjMniODceiE32NUlQ=="
)
"""What ``gr.BrowserState`` wrote of two saved avatars: AES, of JSON."""


def save(page):
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("button", name="Saved", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_visible()


def saved(page):
    return page.locator("#saved li:not(.gone)")


def status(page):
    return page.locator("#saved [role=status]")


def fill(page, count):
    """Save avatars as quickly as nobody can."""
    page.evaluate(
        "count => { for (let i = 0; i < count; i++) collection.save(`hair=3&seed=${i}`, i + 1); }",
        count,
    )


def take_in(page, content):
    """Import a file."""
    file = {"name": "any.json", "mimeType": "application/json", "buffer": content}
    page.get_by_label("Import a file").set_input_files(file)


def test_saved_avatars_stay_and_come_back(visit):
    page = visit("hair=12&seed=7")
    first, kept = shown(page), recipe(page)
    save(page)
    save(page)  # once more is no other one
    press(page, "Randomize")
    save(page)
    page.reload()
    picture(page).wait_for()
    show(page, "Collection")
    expect(saved(page)).to_have_count(2)
    assert shown(page) != first
    with redrawn(page):
        page.get_by_role("button", name="Saved avatar 1").click()
    assert shown(page) == first
    assert (recipe(page)["hair"], recipe(page)["seed"]) == (kept["hair"], "7")
    name, content = download(page, page.get_by_role("link", name="Download avatar 1"))
    assert name == "avatar-7.png" and opened(content).size == (512, 512)


def test_what_is_deleted_can_be_brought_back_until_the_page_is_left(page):
    fill(page, 3)
    show(page, "Collection")
    expect(saved(page)).to_have_count(3)
    page.get_by_role("button", name="Delete avatar 2").focus()
    page.keyboard.press("Enter")
    expect(status(page)).to_contain_text("you can bring it back")
    expect(saved(page)).to_have_count(2)
    back = page.get_by_role("button", name="Bring avatar 2 back")
    expect(back).to_be_focused()
    page.keyboard.press("Enter")
    expect(status(page)).to_have_text("It is back.")
    assert page.evaluate("collection.kept()[1]") == "hair=3&seed=1"  # where it was
    page.get_by_role("button", name="Delete all").click()
    expect(saved(page)).to_have_count(0)
    page.get_by_role("button", name="Bring avatar 3 back").click()
    expect(saved(page)).to_have_count(1)
    page.reload()
    picture(page).wait_for()
    show(page, "Collection")
    expect(page.locator("#saved li")).to_have_count(1)


def test_pages_side_by_side_lose_nothing(visit):
    pages = [visit("hair=12&seed=7"), visit("hair=3&seed=9")]
    show(pages[0], "Collection")
    expect(pages[0].locator("#saved")).to_contain_text("Nothing saved yet")
    for page in pages:
        save(page)
    expect(saved(pages[0])).to_have_count(2)
    show(pages[1], "Collection")
    expect(saved(pages[1])).to_have_count(2)
    pages[0].get_by_role("button", name="Delete avatar 1").click()
    expect(saved(pages[1])).to_have_count(1)


def test_what_gradio_kept_before_is_still_there(page):
    page.evaluate(f"localStorage.setItem('saved-avatars', '{'A' * 22}==:{OF_GRADIO}')")
    page.reload()
    picture(page).wait_for()
    page.wait_for_function("collection.kept().length === 2")
    page.evaluate("collection.forget('hair=12&seed=7')")
    page.reload()
    picture(page).wait_for()
    assert page.evaluate("collection.kept()") == ["hair=3&seed=9"]


def test_a_full_collection_says_so_and_keeps_what_it_has(page):
    fill(page, MAX_COLLECTION)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(toast(page)).to_contain_text("The collection is full: at most 24 avatars are kept.")
    assert page.evaluate("collection.kept()[0]") == "hair=3&seed=0"
    show(page, "Collection")
    expect(saved(page)).to_have_count(MAX_COLLECTION)
    take_in(page, b'{"version": 1, "avatars": [{"seed": 5000}]}')
    expect(status(page)).to_contain_text("0 of its 1 avatars are new here. The collection is full")


def test_a_collection_goes_out_and_in_as_a_file(page):
    fill(page, 3)
    show(page, "Collection")
    name, archive = download(page, page.get_by_role("link", name="All as ZIP"))
    assert name == "avatars.zip"
    recipes = zipfile.ZipFile(io.BytesIO(archive)).read("recipes.json")
    page.evaluate("localStorage.clear()")
    take_in(page, recipes)
    expect(status(page)).to_have_text("3 of its 3 avatars are new here.")
    expect(saved(page)).to_have_count(3)
    name, file = download(page, page.get_by_role("link", name="Export as a file"))
    assert name == "avatars.json"
    take_in(page, file)
    expect(status(page)).to_have_text("0 of its 3 avatars are new here.")
    take_in(page, b"\x89PNG")
    expect(status(page)).to_have_text("This file is no collection of avatars.")
    expect(saved(page)).to_have_count(3)


@pytest.mark.parametrize(
    ("text", "seeds", "sentence"),
    [
        ("", [], "This file is no collection of avatars."),
        ("[" * 5000, [], "This file is no collection of avatars."),
        ('{"avatars": 1}', [], "This file is no collection of avatars."),
        ('{"version": 2, "avatars": []}', [], "This collection is not of version 1."),
        ('{"version": 1, "avatars": []}', [], ""),
        (
            '{"version": 1, "avatars": [{"seed": 7}, {"seed": "7"}, {"seed": 8, "num_images": 4}]}',
            [7, 8],
            "",
        ),
        (
            '{"version": 1, "avatars": [null, "seed=7", {"hair": 3}, {"seed": 9}]}',
            [9],
            "Entries that are no avatars: 3.",
        ),
        (
            '{"version": 1, "avatars": [{"seed": 7, "hair": 999}, {"seed": NaN}]}',
            [7, 0],
            "Avatars that asked for what cannot be drawn, without which they are here: 2.",
        ),
    ],
)
def test_a_file_is_read_as_far_as_it_can_be(pipeline, text, seeds, sentence):
    avatars, said = read_collection(pipeline, text)
    assert [dict(parse_qsl(avatar))["seed"] for avatar in avatars] == list(map(str, seeds))
    assert said == sentence


def test_what_is_exported_is_read_again(pipeline):
    values = {"hair": 3, "seed": 7, "sampler": "dpm++", "guidance_scale": 0.3}
    recipe = Recipe.parse(pipeline, values)
    assert read_collection(pipeline, collection_file([recipe.values()])) == ([to_query(recipe)], "")


def fetch(server, *avatars, **others):
    query = urlencode([*(("avatar", avatar) for avatar in avatars), *others.items()])
    with urllib.request.urlopen(f"{server}/avatars.zip?{query}") as answer:
        return zipfile.ZipFile(io.BytesIO(answer.read()))


def test_an_archive_of_several_recipes_has_a_name_for_each(server):
    """Of one seed and equal ones too; ``recipes.json`` says which is which."""
    archive = fetch(server, "hair=12&seed=7", "hair=3&seed=7", "hair=12&seed=7")
    names = ["01-avatar-7.png", "02-avatar-7.png", "03-avatar-7.png"]
    assert archive.namelist() == [*names, "recipes.json"]
    first, second, third = (archive.read(name) for name in names)
    assert first == third != second
    avatars = json.loads(archive.read("recipes.json"))["avatars"]
    assert avatars[1] == {"file": "02-avatar-7.png", **read_recipe(second)}


@pytest.mark.parametrize(
    ("avatars", "others", "sentence"),
    [
        (["seed=1"] * 25, {}, "there are 25 times avatar, at most 24"),
        (["seed=1", "hair=999"], {}, "avatar 2: hair 999 is out of range; it has values 0..110"),
        (["seed=1&num_images=2"], {}, "avatar 1: num_images must be 1"),
        (["seed=1"], {"hair": 3}, "'hair' cannot stand beside avatar, only inside of it"),
    ],
)
def test_a_mistake_in_it_is_one_sentence(server, avatars, others, sentence):
    with pytest.raises(urllib.error.HTTPError) as raised:
        fetch(server, *avatars, **others)
    assert (raised.value.code, json.load(raised.value)) == (400, {"error": sentence})


def test_a_morph_takes_those_that_are_ticked(page):
    fill(page, 5)
    show(page, "Collection")
    for number in (4, 2):
        page.get_by_role("checkbox", name=f"Morph avatar {number}").check()
    page.get_by_role("button", name="Morph between the saved").click()
    taken = page.locator("#morph li img")
    expect(taken).to_have_count(2)
    seeds = [dict(parse_qsl(one.get_attribute("src")))["seed"] for one in taken.all()]
    assert seeds == ["3", "1"]
    links = page.locator("#morph a")
    for kind, link in zip(("webp", "gif"), links.all(), strict=True):
        name, content = download(page, link)
        assert name == f"avatar-morph.{kind}"
        image = opened(content)
        assert (image.format, image.size) == (kind.upper(), (256, 256))
        assert image.is_animated and image.n_frames >= 16
    page.get_by_role("checkbox", name="Morph avatar 4").uncheck()
    page.get_by_role("button", name="Morph between the saved").click()
    expect(toast(page)).to_contain_text("It takes two saved avatars at least.")


def test_a_face_of_a_sheet_is_picked(visit):
    """What is locked is the same on all; the whole is one picture to download."""
    page = visit("hair=12&seed=7")
    lock(page, "hair").click()
    show(page, "Collection")
    page.get_by_label("number input for Random avatars on a sheet").fill("6")
    page.get_by_label("number input for Random avatars on a sheet").blur()
    page.get_by_role("button", name="Draw a sheet").click()
    _, content = download(page, page.locator("#sheet-of-many a"))
    sheet = opened(content)
    assert (sheet.format, sheet.mode) == ("PNG", "RGBA")
    assert sheet.size == (3 * 128 + 4 * 8, 2 * 128 + 3 * 8)
    with redrawn(page):
        page.mouse.click(*middle_of(page.get_by_role("radio", name="Avatar 5 of 6")))
    x, y = 8 + 136, 8 + 136
    face = sheet.crop((x, y, x + 128, y + 128)).resize((64, 64), 0)
    assert same(pixels(page), face)
    assert recipe(page)["hair"] == "12"
    with redrawn(page):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Avatar 6 of 6")).to_be_checked()
    face = sheet.crop((x + 136, y, x + 136 + 128, y + 128)).resize((64, 64), 0)
    assert same(pixels(page), face)


def middle_of(radio):
    box = radio.locator("..").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
