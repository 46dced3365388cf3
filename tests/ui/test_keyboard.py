"""Everything by keyboard alone, and one sees where one is."""

from __future__ import annotations

from pathlib import Path

from tests.ui.browsing import chip, expect, lock, recipe, redrawn, shown, thumbnail

OUTLINE = """() => {
  const active = document.activeElement;
  const seen = active.closest(".chip")
    ?? active.closest(".sheet label, .frames label")?.querySelector(".paper")
    ?? active;
  const style = getComputedStyle(seen);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
    || style.boxShadow !== "none";
}"""


def tab_to(page, selector, key="Tab", limit=80):
    """Press a key until something is focused."""
    for _ in range(limit):
        page.keyboard.press(key)
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{selector} is not reached with {key}")


def focused_sees(page):
    return page.evaluate(OUTLINE)


def test_choose_lock_randomize_take_away(visit):
    page = visit("seed=7")
    tab_to(page, "#board input")
    assert focused_sees(page)
    expect(chip(page, "hair")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(chip(page, "hair_color")).to_be_focused()
    page.locator("#sheet fieldset[data-name=hair_color]").wait_for()
    tab_to(page, "[data-lock=hair_color]", limit=2)
    assert focused_sees(page)
    page.keyboard.press("Space")
    expect(lock(page, "hair_color")).to_have_attribute("aria-pressed", "true")
    tab_to(page, "#sheet input")
    expect(thumbnail(page, "hair_color", -1)).to_be_focused()
    pictures = {shown(page)}
    for value in (0, 1, 2):
        with redrawn(page):
            page.keyboard.press("ArrowRight")
        expect(thumbnail(page, "hair_color", value)).to_be_focused()
        assert recipe(page)["hair_color"] == str(value)
        assert focused_sees(page)
        pictures.add(shown(page))
    assert len(pictures) >= 3
    tab_to(page, "[data-randomize=Eyes]", key="Shift+Tab")
    with redrawn(page):
        page.keyboard.press("Enter")
    assert "eye_color" in recipe(page) and "hair" not in recipe(page)
    tab_to(page, "#actions button:last-of-type", key="Shift+Tab")
    with redrawn(page):
        page.keyboard.press("Enter")
    assert "hair" in recipe(page) and recipe(page)["hair_color"] == "2"
    with redrawn(page):
        page.keyboard.press("Control+z")
    assert "hair" not in recipe(page)
    tab_to(page, "[data-keep=all]:not([hidden])", key="Shift+Tab")
    with redrawn(page):
        page.keyboard.press("Enter")
    assert "hair" in recipe(page)
    tab_to(page, "#result a[download]", key="Shift+Tab")
    with page.expect_download() as started:
        page.keyboard.press("Enter")
    assert Path(started.value.path()).read_bytes().startswith(b"\x89PNG")


def test_the_other_tabs(visit):
    page = visit("seed=7")
    tab_to(page, "[role=tab]")
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "Drawing":
            break
    page.keyboard.press("Enter")
    tab_to(page, "#guidance-scale input[type=range]")
    with redrawn(page):
        page.keyboard.press("ArrowRight")
    assert recipe(page)["guidance_scale"] == "1.05"
    expect(page.locator("#undo")).to_be_enabled()
    for slider, name in ((0, "num_inference_steps"), (1, "num_images")):
        page.locator("#drawing input[type=range]").nth(slider).focus()
        with redrawn(page):
            page.keyboard.press("ArrowRight")
        assert recipe(page)[name] in ("2", "5")
    tab_to(page, "#guidance input")
    with redrawn(page):
        page.keyboard.press("ArrowRight")
    assert recipe(page)["guidance_scale"] == "0.25"  # of 1.05 no thumbnail is checked
    page.emulate_media(reduced_motion="reduce")  # or it plays by itself
    tab_to(page, "#film-buttons button")
    page.keyboard.press("Enter")
    page.locator("#film label").first.wait_for()
    tab_to(page, "[data-play]")
    expect(page.locator("[data-play]")).to_have_text("Play")
    page.keyboard.press("Enter")
    expect(page.locator("[data-play]")).to_have_text("Stop")
    tab_to(page, "#film input", limit=2)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-play]")).to_have_text("Play")
    assert focused_sees(page)
