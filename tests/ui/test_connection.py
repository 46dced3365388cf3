"""The server goes and comes back while somebody is choosing."""

from __future__ import annotations

from tests.ui.browsing import DESKTOP, expect, listed, looks_as, picture, recipe
from tests.ui.conftest import serving


def test_what_was_chosen_meanwhile_is_drawn(model, browser, tmp_path):
    context = browser.new_context(**DESKTOP)
    page = context.new_page()
    with serving(model, tmp_path) as address:
        page.goto(f"{address}/?hair=12&seed=7")
        picture(page).wait_for()
        page.locator("#sheet label", has=page.locator("[value='5']")).locator("img").wait_for()
    page.locator("#sheet label", has=page.locator("[value='5']")).click()
    note = page.locator("#connection p")
    expect(note).to_contain_text("Not drawn yet")
    expect(note).to_be_visible()
    assert recipe(page)["hair"] == "12"
    with serving(model, tmp_path, port=int(address.rpartition(":")[2])):
        page.wait_for_function("location.search.includes('hair=5&')", timeout=30_000)
        expect(note).to_be_hidden()
        looks_as(page, "Dropdowns")
        expect(listed(page, "Hair")).to_have_value("Hair 5")
        page.locator("#randomize").click()
        page.wait_for_function("location.search.includes('eye_color=')")
    context.close()
