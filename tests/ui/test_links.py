"""The address bar and links: what they say, and that anybody gets the same from them."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from PIL import Image

from avatar_model.attributes import NAMES
from tests.ui.browsing import (
    DESKTOP,
    chip,
    expect,
    listed,
    lock,
    looks_as,
    open_look,
    picture,
    press,
    recipe,
    seed,
    show,
    shown,
    take,
    thumbnail,
    toast,
)
from ui.generation import Avatar, Generation
from ui.html.result import result_html
from ui.recipe import Recipe


def test_the_copied_link_restores_everything_in_another_browser(visit, browser, server):
    page = visit("hair=12&seed=77&guidance_scale=2.5&num_inference_steps=3&sampler=ddpm")
    take(page, "glasses", 2)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    code = urlsplit(link).query.removeprefix("a=")
    assert link == f"{server}/?a={code}" and len(code) <= 24
    assert recipe(page) == {
        "hair": "12",
        "glasses": "2",
        "guidance_scale": "2.5",
        "guidance_method": "classic",  # the only one when there was no choice
        "num_inference_steps": "3",
        "sampler": "ddpm",
        "seed": "77",
    }
    context = browser.new_context(**DESKTOP)
    other = context.new_page()
    other.goto(link)
    picture(other).wait_for()
    assert shown(other) == shown(page)
    expect(thumbnail(other, "hair", 12)).to_be_checked()
    open_look(other, "glasses")
    expect(thumbnail(other, "glasses", 2)).to_be_checked()
    looks_as(other, "Dropdowns")
    expect(listed(other, "Hair")).to_have_value("Hair 12")
    expect(listed(other, "Glasses")).to_have_value("Glasses 2")
    expect(listed(other, "Face color")).to_have_value("Any")
    show(other, "Drawing")
    expect(seed(other)).to_have_value("77")
    expect(other.get_by_label("number input for Guidance scale")).to_have_value("2.5")
    expect(other.get_by_label("number input for Steps")).to_have_value("3")
    expect(other.get_by_label("Sampler")).to_have_value("DDPM")
    context.close()


def test_without_a_link_it_is_a_surprise(visit):
    first, second = visit(), visit()
    assert recipe(first)["seed"] != recipe(second)["seed"]
    assert shown(first) != shown(second)


def test_what_is_wrong_in_a_link_falls_back_with_a_note(visit):
    page = visit("hair=999&glasses=2&face_shape=6&seed=abc&steps=3&utm_source=mail&sampler=magic")
    for sentence in (
        "Not all of this link can be drawn",
        "hair 999 is out of range; it has values 0..110.",
        "face_shape 6 (face shape 6) never occurred",
        "seed must be a whole number",
        "sampler must be one of",
    ):
        expect(toast(page)).to_contain_text(sentence)
    assert "Looks are left on Any instead" in toast(page).inner_text()
    assert set(recipe(page)) & set(NAMES) == {"glasses"}
    assert recipe(page)["seed"].isdecimal() and recipe(page)["sampler"] == "ddim"
    looks_as(page, "Dropdowns")
    expect(listed(page, "Hair")).to_have_value("Any")


def test_what_is_no_part_of_a_recipe_stays_in_the_address_and_out_of_the_link(visit, server):
    foreign = "utm_source=mail&__theme=dark&tag=a%20b&tag=c+d&hare=%C3%A4%&fbclid&=&size=64"
    page = visit(f"{foreign}&%68air=12&seed=7&seed=8#top")
    assert toast(page).count() == 0
    own, rest = page.url.removeprefix(f"{server}/?").split("&utm_source", 1)
    assert f"utm_source{rest}" == f"{foreign}#top"
    assert dict(parse_qsl(own)).items() >= {"hair": "12", "seed": "8"}.items()
    assert "%68air" not in page.url and page.url.count("seed=") == 1
    take(page, "glasses", 2)
    assert recipe(page)["glasses"] == "2" and page.url.endswith(f"&{foreign}#top")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(rf"{server}/\?a=[\w-]{{24}}", link)
    press(page, "Undo")
    assert "glasses" not in recipe(page) and page.url.endswith(f"&{foreign}#top")
    before, address = shown(page), page.url
    page.reload()
    picture(page).wait_for()
    assert (shown(page), page.url) == (before, address)
    expect(page.locator("body")).to_have_class(re.compile("dark"))


def test_a_link_of_others_parameters_alone_is_a_surprise(visit):
    first, second = visit("utm_source=mail&__theme=dark"), visit("utm_source=mail&__theme=dark")
    assert recipe(first)["seed"] != recipe(second)["seed"]
    assert toast(first).count() == 0 and not set(recipe(first)) & set(NAMES)


def test_html_in_a_link_is_inert(visit):
    attack = "<img src=x onerror=document.title='hacked'><script>document.title='hacked'</script>"
    page = visit(f"hair={attack}&seed={attack}&x={attack}&sampler=%22%3E{attack}")
    expect(toast(page)).to_contain_text("hair has no value")
    expect(toast(page)).to_contain_text("seed must be a whole number")
    page.wait_for_timeout(300)
    assert page.title() == "Avatar maker"
    assert page.locator("img[src=x]").count() == 0


def test_locks_and_the_open_look_are_nobody_elses_business(visit):
    page = visit("hair=12&seed=7")
    lock(page, "hair").click()
    open_look(page, "glasses")
    other = visit(urlsplit(page.url).query)
    expect(lock(other, "hair")).to_have_attribute("aria-pressed", "false")
    expect(chip(other, "hair")).to_be_checked()


@pytest.mark.parametrize("space", ["", "me/avatars"])
def test_on_a_space_the_link_is_the_spaces(monkeypatch, pipeline, space):
    monkeypatch.setenv("SPACE_ID", space)
    drawn = Recipe.parse(pipeline, dict.fromkeys(NAMES, 0))
    avatar = Avatar(Image.new("RGBA", (64, 64)), drawn, dict.fromkeys(NAMES, "it"), frozenset())
    html = result_html(Generation(drawn, [avatar], 0.1))
    home = f"https://huggingface.co/spaces/{space}" if space else ""
    assert f'data-home="{home}"' in html


def test_and_it_is_copied(page):
    home = "https://huggingface.co/spaces/me/avatars"
    page.locator("#result .avatars").evaluate("(e, home) => { e.dataset.home = home; }", home)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(rf"{home}\?a=[\w-]{{24}}", link)
