"""The collection: saved avatars, what moves between them, and sheets of many."""

from __future__ import annotations

from pathlib import Path

from tests.ui.browsing import expect, lock, picture, press, recipe, redrawn, show, shown, toast
from tests.ui.pictures import opened


def save(page):
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("button", name="Saved", exact=True)).to_be_visible()


def test_saved_avatars_stay_and_come_back(visit):
    page = visit("hair=12&seed=7")
    first, kept = shown(page), recipe(page)
    save(page)
    press(page, "Randomize")
    save(page)
    show(page, "Collection")
    saved = page.locator("#saved button")
    expect(saved).to_have_count(2)
    page.reload()
    picture(page).wait_for()
    show(page, "Collection")
    expect(saved).to_have_count(2)
    assert shown(page) != first
    with redrawn(page):
        page.get_by_role("button", name="Saved avatar 1").click()
    assert shown(page) == first
    assert (recipe(page)["hair"], recipe(page)["seed"]) == (kept["hair"], "7")
    with redrawn(page):
        page.get_by_role("button", name="Undo").click()
    forget = page.get_by_role("button", name="Forget the saved")
    forget.click()  # Playwright says no for us
    page.wait_for_timeout(300)
    expect(saved).to_have_count(2)
    page.once("dialog", lambda dialog: dialog.accept())
    forget.click()
    expect(saved).to_have_count(0)
    expect(page.locator("#saved")).to_contain_text("Nothing saved yet")
    page.reload()
    picture(page).wait_for()
    show(page, "Collection")
    expect(page.locator("#saved")).to_contain_text("Nothing saved yet")


def test_the_same_avatar_is_saved_once(page):
    save(page)
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_visible()
    save(page)
    show(page, "Collection")
    expect(page.locator("#saved button")).to_have_count(1)
    page.get_by_role("button", name="Morph between the saved").click()
    expect(toast(page)).to_contain_text("Save at least two avatars first.")


def test_a_morph(visit):
    page = visit("hair=12&seed=7")
    save(page)
    press(page, "Randomize")
    save(page)
    show(page, "Collection")
    page.get_by_role("button", name="Morph between the saved").click()
    links = page.locator("#morph a")
    expect(links).to_have_count(2)
    assert page.locator("#morph img").evaluate("i => i.decode().then(() => i.naturalWidth)") == 256
    for kind, link in zip(("webp", "gif"), links.all(), strict=True):
        with page.expect_download() as started:
            link.click()
        assert started.value.suggested_filename == f"avatar-morph.{kind}"
        image = opened(Path(started.value.path()).read_bytes())
        assert (image.format, image.size) == (kind.upper(), (256, 256))
        assert image.is_animated and image.n_frames >= 16


def test_a_sheet_of_many(visit):
    """What is locked is the same on all; the answer is one picture."""
    page = visit("hair=12&seed=7")
    lock(page, "hair").click()
    show(page, "Collection")
    page.get_by_label("number input for Random avatars on a sheet").fill("6")
    page.get_by_label("number input for Random avatars on a sheet").blur()
    with page.expect_response(lambda r: "image.png" in r.url and "/file=" in r.url) as answer:
        page.get_by_role("button", name="Draw a sheet").click()
    image = opened(answer.value.body())
    assert (image.format, image.mode) == ("PNG", "RGBA")
    assert image.size == (3 * 128 + 4 * 8, 2 * 128 + 3 * 8)
    expect(page.locator("#sheet-of-many img")).to_be_visible()
