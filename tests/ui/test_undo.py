"""Undo and redo, by their buttons and by keys."""

from __future__ import annotations

from tests.ui.browsing import (
    expect,
    lock,
    picture,
    recipe,
    redrawn,
    show,
    shown,
    take,
    thumbnail,
)


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


def test_every_picture_that_was_shown_can_be_undone(page):
    """Also with clicks that come faster than answers."""
    result = page.locator("#result .avatars")
    page.evaluate(
        """() => {
          window.seen = [document.querySelector("#result .avatars").dataset.query];
          new MutationObserver(() => {
            const query = document.querySelector("#result .avatars").dataset.query;
            if (query && query !== window.seen.at(-1)) window.seen.push(query);
          }).observe(document.querySelector("#result"), {
            subtree: true, childList: true, attributes: true,
          });
        }"""
    )
    first = result.get_attribute("data-query")
    for _ in range(12):
        page.locator("#randomize").click(no_wait_after=True)
        page.wait_for_timeout(150)
    seen: list[str] = []
    while len(seen) < len(seen := page.evaluate("window.seen")):
        page.wait_for_timeout(1500)
        expect(page.locator("#result .pending")).to_have_count(0)
    assert seen[0] == first and len(seen) > 3
    for query in reversed(seen[:-1]):
        with redrawn(page):
            page.locator("#undo").click()
        expect(result).to_have_attribute("data-query", query)
    expect(page.locator("#undo")).to_be_disabled()


def test_loading_the_page_again_keeps_undo_locks_and_the_open_look(visit):
    page = visit("hair=1&seed=7")
    take(page, "glasses", 4)
    lock(page, "glasses").click()
    page.reload()
    picture(page).wait_for()
    expect(page.locator("#sheet fieldset")).to_have_attribute("data-name", "glasses")
    expect(lock(page, "glasses")).to_have_attribute("aria-pressed", "true")
    with redrawn(page):
        page.locator("#undo").click()
    assert "glasses" not in recipe(page)
    with redrawn(page):
        page.locator("#redo").click()
    assert recipe(page)["glasses"] == "4"


def test_in_a_field_the_keys_are_the_fields_own(visit):
    page = visit("hair=1&seed=7")
    take(page, "hair", 2)
    show(page, "Drawing")
    page.get_by_label("Seed", exact=True).focus()
    page.keyboard.press("Control+z")
    page.wait_for_timeout(500)
    assert recipe(page)["hair"] == "2"
