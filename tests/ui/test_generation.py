"""Seed, number of images, and what goes wrong."""

from __future__ import annotations

import io
import re
import zipfile
from urllib.parse import parse_qsl, urlsplit

from tests.ui.browsing import (
    download,
    expect,
    looks_as,
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


def test_generate_draws_what_is_left_to_chance_anew(page):
    show(page, "Drawing")
    first, seed_before = shown(page), seed(page).input_value()
    press(page, "Generate")
    assert shown(page) != first
    expect(seed(page)).not_to_have_value(seed_before)
    with redrawn(page):
        seed(page).fill(seed_before)
    assert shown(page) == first


def test_generate_says_why_it_has_nothing_to_do(page):
    """With all looks set another seed draws the same face; Randomize always draws another."""
    generate = page.get_by_role("button", name="Generate", exact=True)
    expect(generate).to_be_enabled()
    expect(page.locator("#no-chance")).to_be_hidden()
    press(page, "Randomize")
    expect(generate).to_be_disabled()
    expect(page.locator("#no-chance")).to_contain_text("leave a look on Any")
    before = shown(page)
    press(page, "Randomize")
    assert shown(page) != before
    take(page, "hair", -1)
    expect(generate).to_be_enabled()
    expect(page.locator("#no-chance")).to_be_hidden()


def test_several_images_are_picked_by_thumbnail(page, pipeline):
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
    looks_as(page, "Pictures")
    take(page, "hair", 7)
    expect(page.get_by_role("radio", name="Avatar 2 of 3")).to_be_checked()
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = dict(parse_qsl(urlsplit(page.evaluate("navigator.clipboard.readText()")).query))
    copied = Recipe.parse(pipeline, copied)
    assert (copied.seed, copied.num_images, copied.named_looks["hair"]) == (second, 1, 7)


def test_beyond_the_limit_is_the_limit(visit):
    page = visit("hair=12&seed=7&guidance_scale=2")
    number(page, "Guidance scale").fill("99")
    with redrawn(page):
        page.keyboard.press("Enter")
    expect(toast(page)).to_have_count(1)
    expect(toast(page)).to_contain_text("Guidance scale goes from 0 to 10")
    assert recipe(page)["guidance_scale"] == "10"
    expect(number(page, "Guidance scale")).to_have_value("10")
    show(page, "Drawing")
    with redrawn(page):
        seed(page).fill("-5")
    assert recipe(page)["seed"] == "0"
    expect(seed(page)).to_have_value("0")


def test_what_is_no_number_of_images_stays_as_it_was(visit):
    page = visit("hair=12&seed=7&num_images=2")
    show(page, "Drawing")
    number(page, "Number of images").fill("2.5")
    number(page, "Number of images").blur()
    expect(toast(page)).to_contain_text("not 2.5")
    expect(number(page, "Number of images")).to_have_value("2")


def test_an_emptied_number_waits(page):
    """For the one that is typed next; left empty, it is as before."""
    show(page, "Drawing")
    before, old = page.url, seed(page).input_value()
    for field in (seed(page), number(page, "Steps")):
        value = field.input_value()
        field.focus()
        page.keyboard.press("Control+a")
        page.keyboard.press("Backspace")
        page.wait_for_timeout(400)
        expect(field).to_have_value("")
        field.blur()
        expect(field).to_have_value(value)
    assert (page.url, toast(page).count()) == (before, 0)
    seed(page).focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("Backspace")
    with redrawn(page):
        page.keyboard.type("5")
    assert recipe(page)["seed"] == "5" != old


def test_what_takes_long_can_be_stopped(visit):
    slow = "guidance_scale=3&guidance_method=classic&num_inference_steps=50&sampler=ddpm"
    page = visit(f"hair=12&seed=7&{slow}")
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
