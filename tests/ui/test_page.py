"""The page in a real browser: what a visitor does, and that nothing leaves the machine."""

from __future__ import annotations

import io
import os
import re
import zipfile
from pathlib import Path

import pytest
from PIL import Image

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
REQUIRED = os.environ.get("REQUIRE_BROWSER") == "1"

if not REQUIRED:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}", allow_module_level=True)

from playwright.sync_api import expect, sync_playwright  # noqa: E402


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, server):
    """The opened page with its first avatar; at the end: no console errors, no foreign request."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(15_000)
    errors, foreign = [], []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    own = (server, server.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(own) else foreign.append(r.url))
    page.goto(server)
    picture(page).wait_for()
    yield page
    context.close()
    assert not foreign
    assert not errors


def picture(page):
    return page.locator("#result figure img:visible")


def seed(page):
    return page.get_by_label("Seed", exact=True)


def look(page, name):
    return page.get_by_role("combobox", name=name, exact=True)


def choose(page, name, label):
    """Pick a value as a visitor does: open the list, type to filter it, click."""
    look(page, name).click()
    look(page, name).fill(label)
    page.get_by_role("option", name=label, exact=True).click()
    expect(look(page, name)).to_have_value(label)


def press(page, button):
    """Press a button; returns the new picture's source."""
    page.evaluate("document.querySelector('#result .avatars').dataset.old = 'yes'")
    page.get_by_role("button", name=button, exact=True).click()
    page.locator("#result .avatars:not([data-old])").wait_for()
    return picture(page).get_attribute("src")


def download(page, text):
    """Follow a download link; returns its file name and content."""
    with page.expect_download() as started:
        page.locator("figcaption:visible").get_by_text(text).click()
    return started.value.suggested_filename, Path(started.value.path()).read_bytes()


def test_pick_generate_download(page):
    choose(page, "Hair", "Hair 110")  # the last of the 111
    choose(page, "Eye lashes", "Long lashes")
    choose(page, "Glasses color", "Glasses color 2")
    press(page, "Generate")
    alt = picture(page).get_attribute("alt")
    assert "Hair: hair 110" in alt
    drawn = page.locator(".details:visible dt").all_inner_texts()
    assert len(drawn) == 15 and "Hair" not in drawn
    name, content = download(page, "Download PNG")
    assert name == f"avatar-{seed(page).input_value()}.png"
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (64, 64))


def test_only_values_of_the_training_data_are_offered(page):
    look(page, "Face shape").click()
    offered = page.get_by_role("option").all_inner_texts()
    assert [re.sub(r"^\W*", "", text) for text in offered] == [
        "Any",
        *(f"Face shape {i}" for i in range(6)),
    ]


def test_the_same_seed_gives_the_same_picture(page):
    first = press(page, "Generate")
    kept = seed(page).input_value()
    assert press(page, "Generate") != first
    expect(seed(page)).not_to_have_value(kept)
    seed(page).fill(kept)
    expect(page.get_by_label("Keep this seed")).to_be_checked()
    assert press(page, "Generate") == first
    expect(seed(page)).to_have_value(kept)
    page.get_by_label("Keep this seed").uncheck()
    assert press(page, "Generate") != first


def test_randomize_sets_every_look(page):
    press(page, "Randomize")
    expect(look(page, "Hair")).not_to_have_value("Any")
    looks = [box.input_value() for box in page.locator("#looks").get_by_role("combobox").all()]
    assert len(looks) == 18 and "Any" not in looks
    assert page.locator(".details:visible dt").count() == 0


def test_several_images_are_picked_by_thumbnail(page):
    page.get_by_label("number input for Number of images").fill("3")
    press(page, "Generate")
    assert page.get_by_role("radio").count() == 3
    first = picture(page).get_attribute("src")
    page.get_by_role("radio", name="Avatar 1 of 3").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Avatar 2 of 3")).to_be_checked()
    assert picture(page).count() == 1
    assert picture(page).get_attribute("src") != first
    second = int(seed(page).input_value()) + 1
    assert download(page, "Download PNG")[0] == f"avatar-{second}.png"
    name, content = download(page, "All 3")
    assert name == f"avatars-{second - 1}.zip"
    assert len(zipfile.ZipFile(io.BytesIO(content)).namelist()) == 3


def test_a_mistake_is_told_in_a_sentence(page):
    seed(page).fill("-5")
    page.get_by_role("button", name="Generate", exact=True).click()
    toast = page.get_by_test_id("toast-body")
    expect(toast).to_contain_text("seed must be a whole number from 0 to 4294967295, not -5")


def test_phone(browser, server):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True
    )
    page = context.new_page()
    page.goto(server)
    picture(page).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_label("Keep this seed").scroll_into_view_if_needed()
    press(page, "Generate")
    expect(picture(page)).to_be_in_viewport()
    context.close()
