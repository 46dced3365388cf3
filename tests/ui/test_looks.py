"""Choosing a look: by its thumbnail, in the list, at random, locked or not."""

from __future__ import annotations

import re
import urllib.request

from avatar_model import ATTRIBUTES, AvatarPipeline, Vocabulary
from avatar_model.attributes import NAMES
from tests.ui.browsing import (
    choose,
    expect,
    listed,
    lock,
    looks_as,
    open_look,
    picture,
    pixels,
    press,
    recipe,
    redrawn,
    shown,
    take,
    thumbnail,
)
from tests.ui.conftest import HAIR
from tests.ui.pictures import opened, same
from ui.html.thumbnails import look_sheet
from ui.recipe import Recipe


def test_a_thumbnail_is_what_one_gets(visit, server):
    """Every value has a thumbnail, drawn as the avatar would be; a click draws that at once."""
    page = visit("hair_color=5&seed=1")
    open_look(page, "hair_color")
    options = page.locator("#sheet input")
    assert options.evaluate_all("all => all.map((one) => one.value)") == [
        "-1",
        *map(str, range(10)),
    ]
    assert len(set(options.evaluate_all("all => all.map((o) => o.ariaLabel)"))) == 11
    image = page.locator("#sheet label").filter(has=page.locator("[value='3']")).locator("img")
    expect(image).to_have_js_property("complete", True)
    assert image.evaluate("image => image.naturalWidth") == 64
    address = image.get_attribute("src")
    before = shown(page)
    take(page, "hair_color", 3)
    assert shown(page) != before
    with urllib.request.urlopen(f"{server}/{address}") as answer:
        assert same(opened(answer.read()), pixels(page))
    expect(thumbnail(page, "hair_color", 3)).to_be_checked()
    expect(page.locator(".chip:has([value=hair_color])")).to_contain_text("hair color 3")
    assert "Hair color: hair color 3" in picture(page).get_attribute("alt")
    assert recipe(page)["hair_color"] == "3"


def test_quick_choices_are_all_kept(page):
    """Three looks chosen faster than anything can be drawn."""
    with redrawn(page):
        page.evaluate(
            """async () => {
              for (const value of ["5", "6", "7"]) {
                document.querySelector(`#sheet input[value='${value}']`).click();
                await new Promise((done) => setTimeout(done, 15));
              }
            }"""
        )
    expect(thumbnail(page, "hair", 7)).to_be_checked()
    page.wait_for_function("location.search.includes('hair=7&')")
    assert "Hair: hair 7" in picture(page).get_attribute("alt")


def test_sheet_and_list_agree(page):
    take(page, "glasses", 4)
    looks_as(page, "Dropdowns")
    expect(listed(page, "Glasses")).to_have_value("Glasses 4")
    choose(page, "Glasses", "Glasses 9")
    choose(page, "Eye lashes", "Long lashes")
    assert recipe(page)["glasses"] == "9" and recipe(page)["eye_lashes"] == "1"
    looks_as(page, "Pictures")
    expect(thumbnail(page, "glasses", 9)).to_be_checked()
    open_look(page, "eye_lashes")
    expect(thumbnail(page, "eye_lashes", 1)).to_be_checked()


def test_all_values_of_the_training_data_are_offered_and_no_other(page):
    open_look(page, "face_shape")
    values = page.locator("#sheet input").evaluate_all("all => all.map((one) => one.value)")
    assert values == ["-1", *map(str, range(6))]
    looks_as(page, "Dropdowns")
    listed(page, "Face shape").click()
    offered = [text.strip("✓ \n") for text in page.get_by_role("option").all_inner_texts()]
    assert offered == ["Any", *(f"Face shape {i}" for i in range(6))]
    listed(page, "Hair").click()
    expect(page.get_by_role("option")).to_have_count(1 + len(HAIR))


def test_all_111_hair_styles_fit_on_a_sheet(pipeline):
    whole = AvatarPipeline(pipeline.network, Vocabulary.numbered())
    recipe = Recipe.parse(pipeline, dict.fromkeys(NAMES, 0))
    html = look_sheet(whole, "hair", recipe, chosen=57)
    assert html.count("<input") == 112
    assert len(set(re.findall(r"avatar\.png\?[^\"]*", html))) == 111
    assert re.findall(r'value="(-?\d+)"[^>]*checked', html) == ["57"]


def test_any_keep_and_keep_all(visit):
    page = visit("hair=12&glasses=3&seed=7")
    first = pixels(page)
    drawn = page.locator(".details:visible dt")
    expect(drawn).to_have_count(16)
    glasses_color = page.locator("[data-keep=glasses_color]:visible")
    label = glasses_color.inner_text()
    open_look(page, "glasses_color")
    marked = page.locator("#sheet .drawn input")
    expect(marked).to_have_attribute("aria-label", f"{label.capitalize()}, drawn at random")
    with redrawn(page):
        glasses_color.click()
    expect(marked).to_have_count(0)
    assert recipe(page)["glasses_color"] == label.removeprefix("glasses color ")
    assert same(pixels(page), first)
    expect(drawn).to_have_count(15)
    with redrawn(page):
        page.get_by_role("button", name="Keep all").click()
    assert {a.name for a in ATTRIBUTES} < set(recipe(page))
    assert same(pixels(page), first)
    expect(drawn).to_have_count(0)
    take(page, "hair", -1)
    assert "hair" not in recipe(page)
    expect(thumbnail(page, "hair", -1)).to_be_checked()
    assert drawn.all_inner_texts() == ["Hair"]


def test_randomize_sets_what_is_not_locked(visit):
    """A locked look stays; one that is on Any becomes the one that is seen."""
    page = visit("hair=12&seed=7")
    color = page.locator("[data-keep=face_color]:visible").inner_text()
    for look in ("hair", "face_color"):
        lock(page, look).click()
        expect(lock(page, look)).to_have_attribute("aria-pressed", "true")
    press(page, "Randomize")
    first = recipe(page)
    assert {a.name for a in ATTRIBUTES} < set(first)
    assert first["hair"] == "12"
    assert f"face color {first['face_color']}" == color
    press(page, "Randomize")
    second = recipe(page)
    assert (second["hair"], second["face_color"]) == ("12", first["face_color"])
    assert sum(first[a.name] != second[a.name] for a in ATTRIBUTES) > 3
    assert first["seed"] != second["seed"]
    expect(lock(page, "hair")).to_have_attribute("aria-pressed", "true")
    lock(page, "hair").click()
    expect(lock(page, "hair")).to_have_attribute("aria-pressed", "false")
    hair = set()
    for _ in range(3):
        press(page, "Randomize")
        hair.add(recipe(page)["hair"])
    assert hair != {"12"}


def test_a_group_at_random(visit):
    """Only its looks change, and of those only what is not locked."""
    page = visit("hair=12&hair_color=3&eye_color=1&seed=7")
    lock(page, "eye_color").click()
    with redrawn(page):
        page.get_by_role("button", name="Randomize: Eyes").click()
    now = recipe(page)
    eyes = {a.name for a in ATTRIBUTES if a.group == "Eyes"}
    assert set(now) & {a.name for a in ATTRIBUTES} == eyes | {"hair", "hair_color"}
    assert (now["hair"], now["eye_color"], now["seed"]) == ("12", "1", "7")


def test_reset(visit):
    page = visit("hair=12&guidance_scale=2&seed=7")
    lock(page, "hair").click()
    looks_as(page, "Dropdowns")
    press(page, "Reset")
    assert not {a.name for a in ATTRIBUTES} & set(recipe(page))
    assert recipe(page)["guidance_scale"] == "1"
    expect(listed(page, "Hair")).to_have_value("Any")
    looks_as(page, "Pictures")
    expect(lock(page, "hair")).to_have_attribute("aria-pressed", "false")
    expect(thumbnail(page, "hair", -1)).to_be_checked()
