"""On a phone, 390 pixels wide."""

from __future__ import annotations

from tests.ui.browsing import TABS, expect, open_look, picture, press, recipe, redrawn, show

BUTTONS = ("Undo", "Redo", "Generate", "Randomize")
ON_TOP = """(button) => {
  const { x, y, width, height } = button.getBoundingClientRect();
  return [0.1, 0.5, 0.9].every((share) =>
    [0.2, 0.5, 0.8].every((other) =>
      button.contains(document.elementFromPoint(x + share * width, y + other * height))));
}"""
CUT = """() => [...document.querySelectorAll("button, label, input, legend, h2, p, a, img")]
  .filter((e) => e.checkVisibility() && !e.closest(".board, .details, ol, .tab-container"))
  .map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
  .filter(([, box]) => box.width > 1 && (box.right > 390.5 || box.left < -0.5))
  .map(([html]) => html)"""


def test_every_tab_fits_and_the_buttons_are_in_reach(visit):
    page = visit("hair=12&seed=7", phone=True)
    for tab in TABS:
        show(page, tab)
        for end in (0, 300, 100_000):
            page.evaluate("y => scrollTo(0, y)", end)
            page.wait_for_timeout(100)
            for name in BUTTONS:
                button = page.get_by_role("button", name=name, exact=True)
                assert button.evaluate(ON_TOP), (tab, name)
                assert button.bounding_box()["y"] > 844 - 80
            expect(picture(page)).to_be_in_viewport(ratio=0.95)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, tab
        assert page.evaluate(CUT) == [], tab


def test_the_picture_is_in_sight_while_choosing(visit):
    page = visit("glasses=1&seed=7", phone=True)
    open_look(page, "hair")
    last = page.locator("#sheet label").last
    page.evaluate("scrollTo(0, 100_000)")
    page.wait_for_timeout(200)
    box = picture(page).bounding_box()
    with redrawn(page):
        last.tap()
    assert recipe(page)["hair"] == "110"
    expect(picture(page)).to_be_in_viewport(ratio=0.95)
    assert picture(page).bounding_box() == box  # nothing has jumped
    chosen, bar = last.bounding_box(), page.locator("#actions").bounding_box()
    assert box["y"] + box["height"] < chosen["y"] < bar["y"]


def test_the_open_look_is_in_sight_on_the_board(visit):
    page = visit("seed=7", phone=True)
    board = page.locator(".board")
    assert board.evaluate("b => b.scrollWidth > b.clientWidth")
    open_look(page, "glasses_color")
    expect(page.locator(".chip:has(:checked)")).to_be_in_viewport(ratio=1)
    columns = page.locator("#sheet label").evaluate_all(
        "all => all.map((label) => Math.round(label.getBoundingClientRect().left))"
    )
    assert 3 <= len(set(columns)) <= 5


def test_pressing_a_button_from_below(visit):
    page = visit("seed=7", phone=True)
    show(page, "Drawing")
    page.locator("#film-buttons").scroll_into_view_if_needed()
    press(page, "Generate")
    expect(picture(page)).to_be_in_viewport(ratio=0.95)
