"""The path of somebody who has read nothing, from the first avatar to a picture on the disk."""

from __future__ import annotations

import io

from PIL import Image

from tests.ui.browsing import (
    DESKTOP,
    download,
    expect,
    lock,
    picture,
    press,
    recipe,
    show,
    shown,
    take,
    thumbnail,
)


def test_choose_lock_randomize_share_take_away(visit, browser):
    page = visit()
    take(page, "hair", 7)  # the sheet of hair is what the page opens with
    lock(page, "hair").click()
    press(page, "Randomize")
    found = recipe(page)
    assert found["hair"] == "7" and len(found) > 18
    expect(thumbnail(page, "hair", 7)).to_be_checked()
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")

    context = browser.new_context(**DESKTOP)
    other = context.new_page()
    other.goto(link)
    picture(other).wait_for()
    assert shown(other) == shown(page)
    show(other, "Take away")
    name, content = download(other, other.get_by_role("link", name="Download PNG, 512 px"))
    assert name == f"avatar-{found['seed']}.png"
    with Image.open(io.BytesIO(content)) as image:
        assert (image.size, image.mode) == ((512, 512), "RGBA")
    context.close()
