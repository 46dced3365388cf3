"""Files to take away, really downloaded and opened."""

from __future__ import annotations

import ast
import html
import re

from PIL import ImageOps

from tests.ui.browsing import (
    download,
    expect,
    looks_as,
    pixels,
    recipe,
    redrawn,
    show,
    take,
    toast,
)
from tests.ui.pictures import opened, same
from ui.files.picture_file import read_recipe

PASTED = """async () => {
  const [item] = await navigator.clipboard.read(), [type] = item.types;
  return [type, (await createImageBitmap(await item.getType(type))).width];
}"""


def link(page, kind, size, *parts):
    """The download link, once it says all this."""
    found = page.locator("#take-away .download")
    expect(found).to_have_text(f"Download {kind.upper()}, {size} px")
    for part in parts:
        page.locator(f"#take-away .download[href*='{part}']").wait_for()
    return found


def choose_size(page, size):
    field = page.get_by_role("combobox", name="Size")
    field.click()
    field.fill(str(size))
    field.press("Enter")


def number(page, label, value):
    page.get_by_label(f"number input for {label}").fill(str(value))
    page.get_by_label(f"number input for {label}").blur()


def test_formats_and_sizes(visit):
    page = visit("hair=12&seed=7")
    show(page, "Take away")
    for kind, size in (("png", 1024), ("webp", 64), ("png", 300)):
        page.get_by_label(kind.upper(), exact=True).check()
        choose_size(page, size)
        name, content = download(page, link(page, kind, size))
        assert name == f"avatar-7.{kind}"
        image = opened(content)
        assert (image.format, image.mode, image.size) == (kind.upper(), "RGBA", (size, size))
        assert read_recipe(content)["hair"] == 12
    page.get_by_label("SVG", exact=True).check()
    expect(page.get_by_text("Enlarged", exact=True)).to_be_hidden()  # it has no pixels
    name, content = download(page, link(page, "svg", 300))
    assert name == "avatar-7.svg" and content.startswith(b"<svg")
    assert read_recipe(content)["seed"] == 7
    choose_size(page, 5000)
    expect(toast(page)).to_contain_text("size must be a whole number from 16 to 1024")
    link(page, "svg", 512)
    # What is drawn next is what is taken away next.
    looks_as(page, "Pictures")
    take(page, "hair", 3)
    show(page, "Take away")
    name, content = download(page, link(page, "svg", 512, "hair=3&"))
    assert read_recipe(content)["hair"] == 3


def test_the_picture_shows_what_is_taken_away(visit):
    """Frame, background, and all that is copied with them."""
    page = visit("hair=12&seed=7")
    show(page, "Take away")
    choose_size(page, 64)
    bare = opened(download(page, link(page, "png", 64))[1])
    page.get_by_label("Mirrored").check()
    mirrored = opened(download(page, link(page, "png", 64, "flip=1"))[1])
    assert same(mirrored, ImageOps.mirror(bare)) and same(pixels(page), mirrored)
    expect(page.get_by_text("Color of the border", exact=True)).to_be_hidden()
    number(page, "Border, %", 10)
    expect(page.get_by_text("Color of the border", exact=True)).to_be_visible()
    page.get_by_label("Two colors", exact=True).check()
    number(page, "Corner radius, %", 50)
    number(page, "Zoom", 0.5)
    parts = ("border=10", "background=", "background2=", "radius=50", "zoom=0.5")
    framed = opened(download(page, link(page, "png", 64, *parts))[1])
    assert framed.getpixel((0, 0))[3] == 0 and framed.getpixel((32, 1)) == (28, 25, 23, 255)
    assert same(pixels(page), framed)
    copy = page.get_by_role("button", name="Copy: HTML")
    copy.click()
    expect(copy).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    source = html.unescape(re.fullmatch(r'<img src="(.*)" width="64" alt="Avatar">', copied)[1])
    assert same(opened(page.request.get(source).body()), framed)
    page.get_by_role("button", name="Copy picture").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate(PASTED) == ["image/png", 64]


def test_a_program_that_is_copied_draws_the_avatar(visit):
    page = visit("hair=12&seed=7")
    show(page, "Take away")
    code = page.locator("#take-away dd", has=page.get_by_label("Copy: Python")).locator("code")
    program = ast.parse(code.text_content())
    (call,) = [n for n in ast.walk(program) if getattr(getattr(n, "func", 0), "id", 0) == "pipe"]
    looks, settings = ast.literal_eval(call.args[0]), {k.arg: k.value.value for k in call.keywords}
    assert looks["hair"] == 12 and len(looks) == 18 and settings["seed"] == 7
    assert page.locator("#take-away code").first.text_content() == page.url


def test_of_several_the_picked_one_is_taken(visit):
    page = visit("seed=7&num_images=2")
    show(page, "Take away")
    link(page, "png", 512, "seed=7&")
    page.locator("label[for=avatar-1]").click()
    name, content = download(page, link(page, "png", 512, "seed=8&"))
    assert name == "avatar-8.png"
    assert read_recipe(content)["seed"] == 8


def test_the_quick_download_knows_its_recipe(visit):
    page = visit("hair=12&seed=7")
    content = download(page, page.get_by_text("Download PNG"))[1]
    image = opened(content)
    assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (512, 512))
    values = read_recipe(content)
    assert (values["hair"], values["seed"]) == (12, 7) and len(values) == 18 + 5
    with redrawn(page):
        page.get_by_role("button", name="Keep all").click()
    kept = recipe(page)
    assert {name: str(values[name]) for name in kept if name in values} == kept | {
        "guidance_scale": "1.0"
    }
