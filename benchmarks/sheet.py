"""How long thumbnails take: from a click on a look to its sheet.

    python -m benchmarks.sheet --model assets/model

Opens the real page in headless Chromium and counts, after every click on Hair with another avatar,
the seconds until the first row, all thumbnails in sight, and all 111 have arrived (for the last,
the browser is told to load what is out of sight, too). Needs playwright and /usr/bin/chromium.
"""

from __future__ import annotations

import statistics
import time

from playwright.sync_api import Page, sync_playwright

from benchmarks.measure import DEFAULT_MODEL, Model, machine, table
from benchmarks.seconds_per_avatar import started_page
from train.command import command

ARRIVED = """(part) => {
  const top = (image) => image.getBoundingClientRect().top;
  const all = [...document.querySelectorAll("#sheet img")];
  const asked = all.filter((image) => ({
    row: top(image) === top(all[0]), sight: top(image) < innerHeight, all: true,
  })[part]);
  return asked.length > 1 && asked.every((image) => image.complete && image.naturalWidth);
}"""
PARTS = {"row": "first row (8)", "sight": "in sight", "all": "all 111"}
EAGER = """() => document.querySelectorAll("#sheet img").forEach((i) => i.loading = "eager")"""


def one_sheet(page: Page) -> list[float]:
    """Seconds from the click to each of ``PARTS``."""
    page.get_by_role("radio", name="Glasses color").check(force=True)
    page.get_by_role("button", name="Randomize", exact=True).click()
    page.wait_for_timeout(3000)
    started, seconds = time.perf_counter(), []
    page.locator(".chip label", has_text="Hair").first.click()
    page.wait_for_function("document.querySelector('#sheet fieldset').dataset.name === 'hair'")
    for part in PARTS:
        if part == "all":
            page.evaluate(EAGER)
        page.wait_for_function(ARRIVED, arg=part, timeout=120_000, polling=20)
        seconds.append(time.perf_counter() - started)
    return seconds


def main(model: Model = DEFAULT_MODEL, sheets: int = 5) -> None:
    """Print a Markdown table.

    Args:
        sheets: how many are timed.
    """
    with started_page(model) as (client, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(client.src)
        page.locator("#result figure img").first.wait_for()
        measured = [one_sheet(page) for _ in range(sheets)]
        browser.close()
    print(f"{machine()}\n")
    rows = [
        [name, statistics.median(column), max(column)]
        for name, column in zip(PARTS.values(), zip(*measured, strict=True), strict=True)
    ]
    print(table(["seconds until", "median", "worst"], rows))


if __name__ == "__main__":
    command(main, __doc__)()
