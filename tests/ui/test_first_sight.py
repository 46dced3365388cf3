"""What one meets first: picture, guidance scale and looks; and that nothing covers them."""

from __future__ import annotations

import pytest

from avatar_model import ATTRIBUTES
from tests.ui.browsing import (
    expect,
    listed,
    lock,
    looks_as,
    open_look,
    picture,
    recipe,
    redrawn,
    shown,
    take,
    toast,
)
from ui.from_name import looks_and_seed

STICKS = """() => [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility()
  && ["fixed", "sticky"].includes(getComputedStyle(e).position)
  && e.getBoundingClientRect().height > 0).map((e) => e.id || e.className)"""


def test_the_scale_and_all_dropdowns_are_seen_together(page):
    looks_as(page, "Dropdowns")
    expect(page.locator("#board")).to_be_hidden()
    scale = page.locator("#guidance-scale input[type=range]")
    for control in (picture(page), scale, *(listed(page, a.title) for a in ATTRIBUTES)):
        expect(control).to_be_in_viewport(ratio=1)
    page.reload()
    picture(page).wait_for()
    expect(listed(page, "Hair")).to_be_visible()  # it is remembered
    looks_as(page, "Pictures")
    expect(page.locator("#board")).to_be_visible()
    expect(listed(page, "Hair")).to_be_hidden()


@pytest.mark.parametrize(("width", "height"), [(320, 256), (667, 375), (1920, 1080), (390, 844)])
def test_any_screen(visit, width, height):
    page = visit("hair=12&seed=7")
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if height < 400:
        assert page.evaluate(STICKS) == []
    else:
        expect(page.locator("#guidance-scale input[type=range]")).to_be_in_viewport(ratio=1)
        expect(page.locator(".chip:has(:checked)")).to_be_in_viewport(ratio=1)
    side = picture(page).bounding_box()["width"]
    assert side > (500 if width == 1920 else 150)


def test_an_avatar_from_a_name(visit, pipeline):
    page = visit("seed=7")
    person = looks_and_seed("Ada Lovelace", pipeline.vocabulary)
    name = page.get_by_label("Avatar from a name")
    name.fill("ada  LOVELACE")
    with redrawn(page):
        name.press("Enter")
    drawn, found = shown(page), recipe(page)
    assert {n: int(found[n]) for n in person} == person
    lock(page, "hair").click()
    name.fill("Grace Hopper")
    with redrawn(page):
        name.press("Enter")
    other = looks_and_seed("Grace Hopper", pipeline.vocabulary)
    assert shown(page) != drawn
    assert recipe(page)["hair"] == str(person["hair"])
    assert recipe(page)["face_color"] == str(other["face_color"])
    name.fill("x" * 300)
    assert len(name.input_value()) == 200


def test_what_a_value_hides_is_said(visit):
    page = visit("glasses=11&seed=7")
    said = page.locator("#sheet fieldset > p")
    open_look(page, "glasses_color")
    expect(said).to_contain_text("wears no glasses")
    take(page, "glasses", 9)
    open_look(page, "glasses_color")
    expect(said).to_have_count(0)
    open_look(page, "eye_color")
    expect(said).to_contain_text("Sunglasses hide the eyes")


def test_typing_into_a_dropdown_replaces_what_it_says(page):
    looks_as(page, "Dropdowns")
    listed(page, "Hair").click()
    page.wait_for_timeout(100)
    page.keyboard.type("hair 7")
    expect(listed(page, "Hair")).to_have_value("hair 7")
    with redrawn(page):
        page.keyboard.press("Enter")
    assert recipe(page)["hair"] == "7"


def test_keys_lead_everywhere(page):
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the looks")).to_be_focused()
    page.get_by_role("tab", name="Looks").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Drawing")).to_be_focused()
    expect(page.locator("#seed")).to_be_visible()
    page.keyboard.press("End")
    expect(page.get_by_role("tab", name="Collection")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Looks")).to_be_focused()
    page.get_by_role("button", name="Keep all").focus()
    with redrawn(page):
        page.keyboard.press("Enter")
    expect(page.locator("figcaption a:visible").first).to_be_focused()


@pytest.mark.parametrize("phone", [False, True])
def test_a_message_is_in_the_way_of_nothing(visit, phone):
    page = visit("hair=999", phone=phone)
    expect(toast(page)).to_contain_text("hair 999 is out of range")
    expect(toast(page).get_by_text("Warning")).to_be_hidden()  # as it is in every language
    for name in ("Take away", "Looks"):
        page.get_by_role("tab", name=name, exact=True).click()
    with redrawn(page):
        page.locator("#randomize").click()
    page.get_by_test_id("toast-close").click()
    expect(toast(page)).to_have_count(0)
