"""What a visitor does on the page: open it, choose, press, download."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from PIL import Image

from tests.ui.pictures import opened

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--process-per-site",  # so that Gradio's scripts are compiled once, not for every page
]
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
TABS = ("Looks", "Drawing", "Take away", "From a picture", "Collection")

if os.environ.get("REQUIRE_BROWSER") != "1":
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}", allow_module_level=True)

from playwright.sync_api import (  # noqa: E402
    Browser,
    BrowserContext,
    JSHandle,
    Locator,
    Page,
    expect,
    sync_playwright,
)

expect.set_options(timeout=15_000)  # machines that run tests are busy


@contextmanager
def launched() -> Iterator[Browser]:
    """Headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Visits:
    """Opens pages, and remembers what should not have happened in any of them.

    Attributes:
        errors: what the console said, and exceptions.
        foreign: addresses of other servers that were asked for anything.
    """

    def __init__(self, browser: Browser, contexts: dict[str, BrowserContext], server: str) -> None:
        self.browser = browser
        self.contexts = contexts
        self.server = server
        self.pages: list[Page] = []
        self.errors: list[str] = []
        self.foreign: list[str] = []

    def __call__(self, query: str = "", *, phone: bool = False, dark: bool = False) -> Page:
        """The page with its first avatar.

        Args:
            query: of the page's address.
        """
        # A new context would read all of Gradio's scripts anew, which takes seconds.
        name = "phone" if phone else "desktop"
        if name not in self.contexts:
            self.contexts[name] = self.browser.new_context(**(PHONE if phone else DESKTOP))
            self.contexts[name].grant_permissions(["clipboard-read", "clipboard-write"])
        page = self.contexts[name].new_page()
        page.set_default_timeout(15_000)
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        own = (self.server, self.server.replace("http", "ws"), "data:", "blob:")
        page.on("request", lambda r: None if r.url.startswith(own) else self.foreign.append(r.url))
        self.pages.append(page)
        page.goto(f"{self.server}/{query and '?' + query}")
        picture(page).wait_for()
        return page

    def close(self) -> None:
        """All pages; the next visitor was never here before."""
        for page in self.pages:
            page.evaluate("localStorage.clear(); sessionStorage.clear()")
            page.close()


def picture(page: Page) -> Locator:
    """The avatar that is shown large."""
    return page.locator("#result figure img:visible")


def shown(page: Page) -> str:
    """The source of the large picture, different for different pictures."""
    return picture(page).get_attribute("src") or ""


def pixels(page: Page) -> Image.Image:
    """The large picture itself."""
    source = shown(page)
    if source.startswith("data:"):
        return opened(base64.b64decode(source.partition(",")[2]))
    return opened(page.request.get(urljoin(page.url, source)).body())


def recipe(page: Page) -> dict[str, str]:
    """What the address bar says."""
    return dict(parse_qsl(urlsplit(page.url).query))


@contextmanager
def redrawn(page: Page) -> Iterator[None]:
    """What is done inside leads to another drawing; waits for it."""
    old = page.locator("#result .avatars").get_attribute("data-query")
    yield
    expect(page.locator("#result .avatars")).not_to_have_attribute("data-query", old or "")


def press(page: Page, button: str) -> None:
    """Press a button that leads to another drawing."""
    with redrawn(page):
        page.get_by_role("button", name=button, exact=True).click()


def show(page: Page, tab: str) -> None:
    """Open a tab; where there is no room for all of them, from the menu of the others."""
    if not page.get_by_role("tab", name=tab, exact=True).is_visible():
        page.locator(".overflow-menu > button").click()
        page.locator(".overflow-dropdown").get_by_role("button", name=tab).click()
    else:
        page.get_by_role("tab", name=tab, exact=True).click()


def looks_as(page: Page, how: str) -> None:
    """Have the looks as "Pictures" or as "Dropdowns"."""
    show(page, "Looks")
    page.locator("#switch").get_by_text(how, exact=True).click()


def chip(page: Page, look: str) -> Locator:
    """A look on the board."""
    return page.locator(f"#board input[name=look][value={look}]")


def lock(page: Page, look: str) -> Locator:
    """Its lock."""
    return page.locator(f"#board [data-lock={look}]")


def open_look(page: Page, look: str) -> None:
    """Open its sheet of thumbnails."""
    page.locator("#board label").filter(has=page.locator(f"[value={look}]")).click()
    page.locator(f"#sheet fieldset[data-name={look}]").wait_for()


def thumbnail(page: Page, look: str, value: int) -> Locator:
    """The radio button of a value on the open sheet."""
    return page.locator(f"#sheet fieldset[data-name={look}] input[value='{value}']")


def take(page: Page, look: str, value: int) -> None:
    """Choose a value of a look by its thumbnail."""
    if not chip(page, look).is_checked():
        open_look(page, look)
    with redrawn(page):
        page.locator("#sheet label").filter(has=page.locator(f"input[value='{value}']")).click()


def listed(page: Page, title: str) -> Locator:
    """The dropdown of a look."""
    return page.get_by_role("combobox", name=title, exact=True)


def choose(page: Page, title: str, label: str) -> None:
    """Choose from a dropdown as a visitor does: open it, type to filter it, click."""
    listed(page, title).click()
    listed(page, title).fill(label)
    with redrawn(page):
        page.get_by_role("option", name=label, exact=True).click()
    expect(listed(page, title)).to_have_value(label)


def seed(page: Page) -> Locator:
    """The number in the panel Drawing."""
    return page.get_by_label("Seed", exact=True)


def download(page: Page, link: Locator) -> tuple[str, bytes]:
    """Follow a link to a file; returns its name and content."""
    with page.expect_download() as started:
        link.click()
    return started.value.suggested_filename, Path(started.value.path()).read_bytes()


def toast(page: Page) -> Locator:
    """The note that comes up in a corner."""
    return page.get_by_test_id("toast-body")


def carrying(page: Page, name: str, content: bytes) -> JSHandle:
    """What a browser hands over of a file that is dropped or pasted."""
    return page.evaluate_handle(
        """({ name, content }) => {
          const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
          const data = new DataTransfer();
          data.items.add(new File([bytes], name));
          return data;
        }""",
        {"name": name, "content": base64.b64encode(content).decode()},
    )


def drop(page: Page, name: str, content: bytes, target: str = "h1") -> None:
    """Drop a file on the page, as the browser does when somebody drags it there."""
    data = carrying(page, name, content)
    for event in ("dragenter", "dragover", "drop"):
        page.locator(target).dispatch_event(event, {"dataTransfer": data})
