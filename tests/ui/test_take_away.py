"""Files to take away, really downloaded and opened."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tests.ui.browsing import download, expect, recipe, redrawn, show, take
from tests.ui.pictures import opened, same
from ui.files.picture_file import read_recipe


def link(page, kind, size, *parts):
    """The download link, once it says all this."""
    found = page.locator("#take-away a")
    expect(found).to_have_text(f"Download {kind.upper()}, {size} px")
    for part in parts:
        page.locator(f"#take-away a[href*='{part}']").wait_for()
    return found


def test_every_format_and_size(visit):
    page = visit("hair=12&seed=7")
    show(page, "Take away")
    seen = {}
    for kind, size in [("png", s) for s in (64, 256, 512, 1024)] + [("webp", 1024), ("webp", 64)]:
        page.get_by_label(kind.upper(), exact=True).check()
        page.get_by_label(f"{size} px", exact=True).check()
        name, content = download(page, link(page, kind, size))
        assert name == f"avatar-7.{kind}"
        image = opened(content)
        assert (image.format, image.mode, image.size) == (kind.upper(), "RGBA", (size, size))
        assert read_recipe(content)["hair"] == 12
        seen[kind, size] = image
    assert (np.asarray(seen["png", 64]) == np.asarray(seen["webp", 64])).all()
    page.get_by_label("SVG", exact=True).check()
    expect(page.get_by_text("Enlarged", exact=True)).to_be_hidden()  # it has no pixels
    name, content = download(page, link(page, "svg", 64))
    assert name == "avatar-7.svg" and content.startswith(b"<svg")
    assert read_recipe(content)["seed"] == 7
    # What is drawn next is what is taken away next.
    show(page, "Look")
    take(page, "hair", 3)
    show(page, "Take away")
    name, content = download(page, link(page, "svg", 64, "hair=3&"))
    assert read_recipe(content)["hair"] == 3


def test_background_shape_and_style(visit):
    page = visit("hair=12&seed=7")
    show(page, "Take away")
    page.get_by_label("256 px", exact=True).check()
    bare = opened(download(page, link(page, "png", 256))[1])
    yellow = Image.new("RGBA", (256, 256), "#ffd166")
    colour = page.get_by_text("Background", exact=True)
    expect(colour).to_be_hidden()
    page.get_by_label("Transparent background").uncheck()
    expect(colour).to_be_visible()
    plain = opened(download(page, link(page, "png", 256, "background="))[1])
    assert plain.mode == "RGB" and same(plain, Image.alpha_composite(yellow, bare).convert("RGB"))
    page.get_by_label("Circle", exact=True).check()
    circle = opened(download(page, link(page, "png", 256, "shape=circle"))[1])
    assert circle.mode == "RGBA"
    assert circle.getpixel((0, 0))[3] == 0 and circle.getpixel((128, 2))[3] == 255
    page.get_by_label("Transparent background").check()
    page.get_by_label("Square", exact=True).check()
    page.get_by_label("Crisp", exact=True).check()
    crisp = np.asarray(opened(download(page, link(page, "png", 256, "style=crisp"))[1]))
    assert (crisp[::4, ::4] == crisp[3::4, 3::4]).all()
    preview = page.locator("#take-away img")
    assert preview.evaluate("i => i.decode().then(() => i.naturalWidth)") == 256


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
