"""Undo and redo, by their buttons and by keys."""

from __future__ import annotations

from tests.ui.browsing import expect, lock, recipe, redrawn, show, shown, take, thumbnail


def test_buttons_and_keys(visit):
    page = visit("hair=1&seed=7")
    undo, redo = (page.get_by_role("button", name=name, exact=True) for name in ("Undo", "Redo"))
    expect(undo).to_be_disabled()
    expect(redo).to_be_disabled()
    pictures = {"1": shown(page)}
    lock(page, "hair").click()
    for value in (2, 3):
        take(page, "hair", value)
        pictures[str(value)] = shown(page)
    assert len(set(pictures.values())) == 3

    def is_back_at(value):
        assert (recipe(page)["hair"], recipe(page)["seed"]) == (value, "7")
        assert shown(page) == pictures[value]
        expect(thumbnail(page, "hair", int(value))).to_be_checked()

    with redrawn(page):
        undo.click()
    is_back_at("2")
    with redrawn(page):
        page.keyboard.press("Control+z")
    is_back_at("1")
    expect(undo).to_be_disabled()
    with redrawn(page):
        page.keyboard.press("Control+Shift+Z")
    is_back_at("2")
    with redrawn(page):
        page.keyboard.press("Control+y")
    is_back_at("3")
    expect(redo).to_be_disabled()
    with redrawn(page):
        page.keyboard.press("Control+z")
    with redrawn(page):
        redo.click()
    is_back_at("3")
    with redrawn(page):
        undo.click()
    take(page, "hair", 9)
    expect(redo).to_be_disabled()
    with redrawn(page):
        undo.click()
    is_back_at("2")
    expect(lock(page, "hair")).to_have_attribute("aria-pressed", "true")


def test_in_a_field_the_keys_are_the_fields_own(visit):
    page = visit("hair=1&seed=7")
    take(page, "hair", 2)
    show(page, "Drawing")
    page.get_by_label("Seed", exact=True).focus()
    page.keyboard.press("Control+z")
    page.wait_for_timeout(500)
    assert recipe(page)["hair"] == "2"
