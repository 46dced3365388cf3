"""axe-core has nothing serious to say about any tab, light or dark, large or small."""

from __future__ import annotations

import json
from pathlib import Path

import axe_playwright_python
import pytest

from tests.ui.browsing import TABS, expect, looks_as, press, show

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RUN = """() => axe.run(document, { resultTypes: ["violations"] }).then((result) => result.violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .flatMap(({ id, nodes }) => nodes.map(
    ({ target, any }) => [id, target.join(" "), any[0]?.message])))
"""
FADED_IN = """() => {
  const film = document.querySelector("#film");
  return !film.querySelector(".pending") && !film.getAnimations({ subtree: true }).length;
}"""

SAVED = "collection.kept().length"


@pytest.mark.parametrize(
    ("phone", "dark"), [(False, True), (True, False)], ids=["desktop-dark", "phone-light"]
)
def test_no_serious_violation(visit, phone, dark):
    page = visit("hair=12&glasses=3&seed=7", phone=phone, dark=dark)
    assert page.evaluate("document.body.classList.contains('dark')") == dark
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(AXE)
    page.locator("[data-lock=hair]").click()
    for save in (False, True):
        if save:
            press(page, "Randomize")
        before = page.evaluate(SAVED)
        page.get_by_role("button", name="Save", exact=True).click()
        # The button says so for a moment only, which a busy machine may miss.
        page.wait_for_function(f"before => {SAVED} !== before", arg=before)
    violations = {}
    for tab in TABS:
        show(page, tab)
        if tab == "Drawing":
            page.get_by_role("button", name="Show how it is drawn").click()
            page.locator("#film label").last.wait_for()
            page.wait_for_function(FADED_IN)
        if tab == "Looks":
            looks_as(page, "Dropdowns")
            violations["Dropdowns"] = page.evaluate(RUN)
            looks_as(page, "Pictures")
        if tab == "Take away":
            page.get_by_label("Two colors", exact=True).check()
            expect(page.get_by_text("Color below", exact=True)).to_be_visible()
        violations[tab] = page.evaluate(RUN)
    assert not any(violations.values()), json.dumps(violations, indent=1)
