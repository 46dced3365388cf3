"""Seed, number of images, and what goes wrong."""

from __future__ import annotations

import io
import re
import zipfile
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.ui.browsing import (
    download,
    expect,
    picture,
    press,
    recipe,
    redrawn,
    seed,
    show,
    shown,
    take,
    toast,
)
from tests.ui.pictures import opened
from ui.generation import AvatarGenerator
from ui.inference.scheduler import Scheduler
from ui.recipe import Recipe


def number(page, label):
    return page.get_by_label(f"number input for {label}")


def test_the_seed_is_new_each_time_unless_it_is_kept(page):
    show(page, "Drawing")
    first, kept = shown(page), seed(page).input_value()
    press(page, "Generate")
    assert shown(page) != first
    expect(seed(page)).not_to_have_value(kept)
    with redrawn(page):
        seed(page).fill(kept)
    assert shown(page) == first
    expect(page.get_by_label("Keep this seed")).to_be_checked()
    number(page, "Steps").fill("2")
    with redrawn(page):
        number(page, "Steps").blur()
    page.get_by_role("button", name="Generate", exact=True).click()
    page.wait_for_timeout(500)
    assert recipe(page)["seed"] == kept
    page.get_by_label("Keep this seed").uncheck()
    press(page, "Generate")
    assert recipe(page)["seed"] != kept


def test_several_images_are_picked_by_thumbnail(page):
    show(page, "Drawing")
    with redrawn(page):
        number(page, "Number of images").fill("3")
        number(page, "Number of images").blur()
    radios = page.locator("#result input[type=radio]")
    expect(radios).to_have_count(3)
    first = shown(page)
    page.get_by_role("radio", name="Avatar 1 of 3").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Avatar 2 of 3")).to_be_checked()
    assert picture(page).count() == 1
    assert shown(page) != first
    second = int(recipe(page)["seed"]) + 1
    links = page.locator("figcaption:visible")
    assert download(page, links.get_by_text("Download PNG"))[0] == f"avatar-{second}.png"
    name, content = download(page, links.get_by_text("All 3"))
    assert name == f"avatars-{second - 1}.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == [f"avatar-{second - 1 + i}.png" for i in range(3)]
        assert all(opened(archive.read(n)).size == (64, 64) for n in archive.namelist())
    # The sheets of thumbnails follow the picked one, what is chosen there is for all of them, and
    # the picked one stays in sight.
    expect(page.locator("#guidance img").first).to_have_attribute(
        "src", re.compile(f"seed={second}&")
    )
    show(page, "Look")
    take(page, "hair", 7)
    expect(page.get_by_role("radio", name="Avatar 2 of 3")).to_be_checked()
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = dict(parse_qsl(urlsplit(page.evaluate("navigator.clipboard.readText()")).query))
    assert (copied["seed"], copied["hair"]) == (str(second), "7") and "num_images" not in copied


def test_a_mistake_is_told_in_a_sentence(page):
    show(page, "Drawing")
    before = page.url
    seed(page).fill("-5")
    expect(toast(page).first).to_contain_text(
        "seed must be a whole number from 0 to 4294967295, not -5"
    )
    assert page.url == before
    show(page, "Look")
    take(page, "hair", 7)  # and everything else goes on
    show(page, "Drawing")
    assert seed(page).input_value() == recipe(page)["seed"]
    with redrawn(page):
        seed(page).fill("5")
    assert recipe(page)["seed"] == "5"


@pytest.mark.parametrize(
    ("label", "typed"), [("Guidance scale", "99"), ("Number of images", "2.5"), ("Steps", "")]
)
def test_a_slider_shows_what_was_drawn_whatever_is_typed(visit, label, typed):
    page = visit("hair=12&seed=7&guidance_scale=2&num_images=2&num_inference_steps=2")
    show(page, "Drawing")
    before = page.url
    number(page, label).fill(typed)
    number(page, label).blur()
    if typed:
        expect(toast(page).first).to_contain_text(f"not {typed}")
    expect(number(page, label)).to_have_value("2" if typed else "4")
    assert page.url == (before if typed else before.replace("_steps=2", "_steps=4"))


def test_what_takes_long_can_be_stopped(visit):
    page = visit("hair=12&seed=7&guidance_scale=3&num_inference_steps=50&sampler=ddpm")
    show(page, "Drawing")
    before, picture_before = page.url, shown(page)
    stop = page.get_by_role("button", name="Stop drawing")
    expect(stop).to_be_hidden()
    number(page, "Number of images").fill("16")
    number(page, "Number of images").blur()
    stop.click()
    expect(number(page, "Number of images")).to_have_value("1")
    expect(stop).to_be_hidden()
    assert (page.url, shown(page)) == (before, picture_before)
    press(page, "Generate")  # and it goes on
    assert shown(page) != picture_before


def test_a_preview_is_large_where_that_is_quick(large_pipeline):
    scheduler = Scheduler(large_pipeline)
    for seconds, side in ((0.02, 256), (0.5, 64)):
        scheduler._duration.of_stage = [0.01, seconds]
        new = Recipe.parse(large_pipeline, {"seed": side})
        (avatar,) = AvatarGenerator(scheduler).preview(new, "visitor").avatars
        assert avatar.image.size == (side, side)
