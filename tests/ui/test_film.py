"""The model at work: guidance, dragged and as a sheet, and the film strip."""

from __future__ import annotations

import base64
import copy
import re

from avatar_model import ANY
from tests.ui.browsing import expect, picture, pixels, recipe, redrawn, show, shown
from tests.ui.pictures import opened
from ui.html.thumbnails import GUIDANCE_SCALES, look_sheet
from ui.recipe import Recipe


def test_the_guidance_sheet(visit):
    page = visit("hair=12&seed=7")
    show(page, "Drawing")
    options = page.locator("#guidance input")
    assert options.evaluate_all("all => all.map((one) => one.value)") == [
        f"{scale:g}" for scale in GUIDANCE_SCALES
    ]
    addresses = page.locator("#guidance img").evaluate_all("all => all.map((i) => i.src)")
    assert len(set(addresses)) == 10
    assert len({re.sub("guidance_scale=[\\d.]+", "", address) for address in addresses}) == 1
    pictures = {page.request.get(address).body() for address in addresses}
    assert len({opened(content).tobytes() for content in pictures}) == 10
    expect(page.locator("#guidance [value='1']")).to_be_checked()
    with redrawn(page):
        page.locator("#guidance label").filter(has=page.locator("[value='0.25']")).click()
    assert recipe(page)["guidance_scale"] == "0.25"
    expect(page.get_by_label("number input for Guidance scale")).to_have_value("0.25")
    expect(page.locator("#guidance [value='0.25']")).to_be_checked()


def test_the_method_is_a_choice_that_says_what_it_costs(visit):
    page = visit("hair=12&seed=7&guidance_scale=2")
    show(page, "Drawing")
    method = page.locator("#guidance-method input")
    expect(method).to_have_value("Classic: 2 evaluations a step")  # the only one of old links
    for label in ("Condition: 1 evaluation a step", "Projected: 2 evaluations a step"):
        method.click()
        with redrawn(page):
            page.get_by_role("option", name=label, exact=True).click()
        name = label.split(":")[0].lower()
        assert recipe(page)["guidance_method"] == name
        addresses = page.locator("#guidance img").evaluate_all("all => all.map((i) => i.src)")
        assert all(f"guidance_method={name}" in address for address in addresses)


def test_thumbnails_of_looks_keep_to_what_leaves_faces_whole(pipeline):
    """At the visitor's scale where the model's own method allows any, not below half of it."""

    def asked(method, scale, own="condition"):
        model = copy.copy(pipeline)
        model.base = copy.copy(pipeline.base)
        model.base.defaults = pipeline.defaults | {"guidance_method": own}
        values = {"hair": 12, "guidance_method": method, "guidance_scale": scale}
        page = look_sheet(model, "glasses", Recipe.parse(model, values), ANY)
        (found,) = set(re.findall(r"guidance_scale=([\d.]+)&amp;guidance_method=(\w+)", page))
        return found

    assert asked("condition", 9) == ("9", "condition")
    assert asked("classic", 9) == ("9", "condition")
    assert asked("classic", 0.5) == ("0.5", "condition")
    assert asked("condition", 0) == ("0.5", "condition")
    assert asked("classic", 9, own="classic") == ("1", "classic")


def test_dragging_the_slider(visit):
    """The picture follows while it is dragged; only where it is let go can be undone."""
    page = visit("hair=12&seed=7")
    show(page, "Drawing")
    before = shown(page)
    slider = page.get_by_role("slider", name=re.compile("Guidance scale"))
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] / 2)
    page.mouse.down()
    for share in (0.3, 0.5, 0.7):
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
        page.wait_for_timeout(30)
    page.wait_for_function("old => document.querySelector('#result img').src !== old", arg=before)
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    page.mouse.up()
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    assert 7.5 < float(recipe(page)["guidance_scale"]) < 9
    page.wait_for_timeout(500)  # a preview that comes late must not win
    assert 7.5 < float(recipe(page)["guidance_scale"]) < 9
    with redrawn(page):
        page.get_by_role("button", name="Undo").click()
    assert recipe(page)["guidance_scale"] == "1"
    assert shown(page) == before


WATCH = """() => {
  window.seen = [];
  new MutationObserver(() => {
    const index = [...document.querySelectorAll("#film input")].findIndex((input) => input.checked);
    if (index >= 0 && window.seen.at(-1) !== index) window.seen.push(index);
  }).observe(document.querySelector("#film"), { subtree: true, childList: true, attributes: true });
}"""
TWICE = """(button) => {
  const said = [button.textContent];
  for (let i = 0; i < 2; i++) { button.click(); said.push(button.textContent); }
  return said;
}"""


def test_the_film_strip(visit):
    """It plays once from noise to the picture that is shown; then any frame can be looked at."""
    page = visit("hair=12&seed=7&num_images=3&num_inference_steps=5&guidance_scale=2")
    page.locator("#result label").nth(1).click()
    expect(picture(page)).to_have_attribute("src", re.compile("^data:"))  # the server knows
    show(page, "Drawing")
    page.evaluate(WATCH)
    page.get_by_role("button", name="Show how it is drawn").click()
    frames, play = page.locator("#film label"), page.locator("#film [data-play]")
    expect(frames).to_have_count(6)
    expect(page.locator("#film")).to_contain_text("The last one is the avatar itself.")
    assert len(set(frames.locator("img").evaluate_all("all => all.map((i) => i.src)"))) >= 10
    assert frames.all_inner_texts()[-1].strip() == "100%"
    expect(frames.last.locator("input")).to_be_checked()
    expect(play).to_have_text("Play")
    assert page.evaluate("seen") == list(range(6))
    screen = page.locator("#film .screen img")
    last = screen.get_attribute("src")
    assert last == frames.last.locator("img").first.get_attribute("src")
    content = base64.b64decode(last.partition(",")[2])
    assert opened(content).tobytes() == pixels(page).tobytes()
    assert play.evaluate(TWICE) == ["Play", "Stop", "Play"]
    for pick, index in ((frames.nth(3).click, 3), (lambda: page.keyboard.press("ArrowRight"), 4)):
        pick()
        expect(frames.nth(index).locator("input")).to_be_checked()
        source = frames.nth(index).locator("img").first.get_attribute("src")
        assert screen.get_attribute("src") == source
    page.get_by_role("button", name="Show another picture, in 12 steps").click()
    expect(frames).to_have_count(13)
    expect(page.locator("#film")).to_contain_text("it becomes another picture")


def test_who_wants_no_motion_gets_the_last_frame(page):
    page.emulate_media(reduced_motion="reduce")
    show(page, "Drawing")
    page.get_by_role("button", name="Show how it is drawn").click()
    frames = page.locator("#film label")
    expect(frames.last.locator("input")).to_be_checked()
    expect(page.locator("#film [data-play]")).to_have_text("Play")
    page.wait_for_timeout(600)
    expect(frames.last.locator("input")).to_be_checked()
