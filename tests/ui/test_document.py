"""The document of the page: previews of its links, and the visitor's language."""

from __future__ import annotations

import json
import re
import threading
import time
from html import unescape
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import uvicorn
from starlette.testclient import TestClient

from tests.ui.browsing import DESKTOP, picture
from tests.ui.pictures import opened
from tests.ui.words import words
from ui import translation
from ui.recipe import Recipe
from ui.server.site import Site


class Document(HTMLParser):
    """What is in a document's head: language, metas by name, links by kind, titles, scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.html, self.metas, self.links, self.texts = {}, {}, {}, {"title": [], "script": []}
        self._inside = ""
        self.feed(text)
        scripts = [t for t in self.texts["script"] if t.startswith("window.gradio_config = ")]
        (config,) = scripts
        self.config = json.JSONDecoder().raw_decode(config.partition(" = ")[2])[0]

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self._inside = tag
        if tag == "html":
            self.html = found
        elif tag == "link":
            self.links[found["rel"]] = found["href"]
        elif tag == "meta" and "content" in found:
            name = found.get("property") or found["name"]
            assert name not in self.metas, "said twice"
            self.metas[name] = found["content"]

    def handle_data(self, data):
        if self._inside in self.texts:
            self.texts[self._inside].append(data)
        self._inside = ""


@pytest.fixture(scope="module")
def read(server):
    """The document at a query."""
    with httpx.Client(base_url=server, timeout=60) as client:
        yield lambda query="", **headers: Document(client.get(f"/{query}", headers=headers).text)


def test_a_link_is_shown_with_its_avatar(read, server, pipeline):
    document = read("?hair=12&hair_color=2&glasses=11&seed=7&num_images=4&__theme=dark")
    metas = document.metas
    assert document.texts["title"] == [metas["og:title"]] == ["Avatar maker"]
    assert metas["og:description"] == metas["description"] != ""
    assert (metas["og:type"], metas["twitter:card"]) == ("website", "summary")
    assert not any("radio" in text.replace("gradio_config", "") for text in metas.values())
    picture = httpx.get(metas["og:image"], timeout=60)
    assert metas["og:image"].startswith(f"{server}/avatar.png?")
    shown = opened(picture.content).convert("RGBA")
    assert shown.size == tuple(int(metas[f"og:image:{side}"]) for side in ("width", "height"))
    assert shown.getextrema()[3] == (255, 255)
    query = dict(parse_qsl(urlsplit(metas["og:image"]).query))
    assert (query["hair"], query["seed"], query.get("num_images")) == ("12", "7", None)
    assert "Glasses: none; " in metas["og:image:alt"]
    assert all(f"{name}: " in metas["og:image:alt"] for name in ("Hair", "Hair color"))
    link = urlsplit(metas["og:url"])
    recipe = Recipe.parse(pipeline, dict(parse_qsl(link.query)))
    assert metas["og:url"].startswith(f"{server}/?")
    assert (recipe.named_looks["hair"], recipe.seed, recipe.num_images) == (12, 7, 4)


def test_what_any_becomes_is_described_as_it_is_drawn(read, pipeline):
    metas = read("?seed=11").metas
    (drawn,) = pipeline({}, seed=11).attributes
    color = pipeline.vocabulary.label("face_color", drawn["face_color"])
    assert f"Face color: {color}; " in metas["og:image:alt"]


@pytest.mark.parametrize("query", ["", "?", "?utm_source=mail", "?__theme=dark"])
def test_a_link_to_nobody_shows_always_the_same(read, server, query):
    metas = read(query).metas
    assert metas == read().metas
    assert metas["og:url"] == f"{server}/"
    assert "seed=3&" in metas["og:image"]


@pytest.mark.parametrize(
    "query",
    [
        '?hair="><script>alert(1)</script>&seed=7',
        "?seed=%22onload=x&hair=12",
        "?a=%3Cscript%3E&name=%3Cb%3E",
        "?seed=7&%22%3E%3Cscript%3E=1",
        "?page=nowhere&deep_link=../x",
        "?hair=999&seed=1e400&num_images=-3",
        "?" + "seed=7&" * 9999,
    ],
)
def test_a_forged_link_says_nothing_of_its_own(server, query):
    answer = httpx.get(f"{server}/{query[:60_000]}", timeout=60)
    document = Document(answer.text)
    assert answer.status_code == 200
    head = answer.text.partition("<style>")[0]
    for part in ("alert(1)", "onload", "<b>", "script%3E", "nowhere", "1e400"):
        assert part not in unescape(head)
    assert httpx.get(document.metas["og:image"], timeout=60).status_code == 200


@pytest.mark.parametrize("host", ['a"b', "<script>", "a b", "x" * 5000, "[", "a:b:c", "\xe9"])
def test_a_forged_host_does_no_harm(server, host):
    answer = httpx.get(f"{server}/", headers={"Host": host.encode("latin-1")}, timeout=60)
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        Document(answer.text)
        assert f'content="{host}' not in answer.text and "<script>/" not in answer.text


def test_the_page_has_an_icon_and_a_name_of_its_own(read, server):
    links = read().links
    assert links["icon"] == links["apple-touch-icon"] == "favicon.ico"
    icon = httpx.get(f"{server}/{links['icon']}")
    assert icon.headers["Content-Type"] == "image/png" and len(icon.content) < 10_000
    manifest = httpx.get(f"{server}/{links['manifest']}")
    assert manifest.headers["Content-Type"] == "application/manifest+json"
    assert manifest.json()["name"] == "Avatar maker"
    (shown,) = manifest.json()["icons"]
    assert shown["src"] == links["icon"]
    assert opened(icon.content).size == tuple(map(int, shown["sizes"].split("x"))) == (192, 192)


FORWARDED = {"X-Forwarded-Host": "public.example", "X-Forwarded-Proto": "https"}


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({}, "https://public.example/"),
        ({"GRADIO_ROOT_PATH": "/faces"}, "https://public.example/faces/"),
        ({"GRADIO_ROOT_PATH": "https://other.example/faces"}, "https://other.example/faces/"),
        ({"SPACE_HOST": "me-it.hf.space,b.example"}, "https://me-it.hf.space/"),
    ],
)
def test_a_preview_is_where_the_page_is_for_others(
    pipeline, monkeypatch, tmp_path, environment, address
):
    for name, value in {"FORWARDED_ALLOW_IPS": "*", **environment}.items():
        monkeypatch.setenv(name, value)
    client = TestClient(site(pipeline, monkeypatch, tmp_path), client=("127.0.0.1", 1))
    metas = Document(client.get("/?seed=7", headers=FORWARDED).text).metas
    assert metas["og:url"].startswith(f"{address}?")
    assert metas["og:image"].startswith(f"{address}avatar.png?")


def site(pipeline, patch, folder):
    """The application in this process."""
    patch.setenv("GRADIO_TEMP_DIR", str(folder))
    return Site(pipeline, "test").app


SAME_EVERYWHERE = re.compile(
    r"Laden|PNG|WEBP|SVG|HTML|Markdown|Python|DDIM|DDPM|DPM\+\+|CC BY 4\.0|\d+ px"
)
MARKED, MARK = "⟦{}⟧", re.compile("[⟦⟧]")
"""A language in which what is translated is seen. Gradio is German meanwhile, loading included."""


@pytest.fixture(scope="module")
def foreign(pipeline, tmp_path_factory):
    """The address of a server with catalogs in which every sentence is marked."""
    folder = tmp_path_factory.mktemp("translations")
    labels = {
        name: {label: MARKED.format(label) for label in labels}
        for name, labels in pipeline.vocabulary.labels.items()
    }
    catalog = {"words": {word: MARKED.format(word) for word in words()}, "labels": labels}
    for code in ("de", "ar", "zh"):
        (folder / f"{code}.json").write_text(json.dumps(catalog), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translation, "FOLDER", folder)
        patch.setattr(translation, "LANGUAGES", ("en", "de", "ar", "zh"))
        translation.catalog.cache_clear()
        app = site(pipeline, patch, folder)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = server.force_exit = True
        thread.join(10)
    translation.catalog.cache_clear()


@pytest.mark.parametrize(
    ("accepted", "lang", "direction"),
    [("de-AT", "de", "ltr"), ("ar", "ar", "rtl"), ("zh-TW", "zh-CN", "ltr"), ("ko", "en", "ltr")],
)
def test_the_document_says_which_language_it_is_in(foreign, accepted, lang, direction):
    answer = httpx.get(f"{foreign}/", headers={"Accept-Language": accepted})
    document = Document(answer.text)
    assert (document.html["lang"], document.html["dir"]) == (lang, direction)
    assert answer.headers["Content-Language"] == lang
    assert "Accept-Language" in answer.headers["Vary"]
    translated = lang != "en"
    (title,) = document.texts["title"]
    described = document.metas["og:image:alt"], document.metas["description"]
    manifest = httpx.get(f"{foreign}/manifest.json", headers={"Accept-Language": accepted})
    for text in (title, *described, manifest.json()["name"], document.config["title"]):
        assert ("⟦" in text) == translated
    assert (manifest.json()["lang"], manifest.json()["dir"]) == (lang, direction)
    assert ("⟦" in answer.text) == translated


def test_programs_are_spoken_to_in_english(foreign):
    german = {"Accept-Language": "de"}
    for address in ("/config", "/gradio_api/info", "/health"):
        assert "⟦" not in httpx.get(f"{foreign}{address}", headers=german).text
    document = httpx.get(f"{foreign}/", headers=german).text
    assert "⟦" not in document.partition("window.gradio_api_info")[2].partition("</script>")[0]


READ = """() => {
  const found = [], names = ["title", "alt", "aria-label", "placeholder"];
  const others = "script, style, code, footer, [data-testid=status-tracker]";
  for (const element of document.querySelectorAll("gradio-app *"))
    if (!element.closest(others) && element.checkVisibility()) {
      found.push(...[...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data));
      found.push(...names.map((name) => element.getAttribute(name) ?? ""));
    }
  return found;
}"""
"""All that is read or heard, but for code and what Gradio says."""
SPOKEN = """() => {
  const { lang, dir } = document.documentElement;
  return [lang, dir, document.querySelector("footer button").innerText.trim()];
}"""


@pytest.fixture(scope="module")
def visitor(browser, foreign):
    """The opened page of somebody with a language."""
    context = None

    def visit(language):
        nonlocal context
        context = context or browser.new_context(viewport=DESKTOP["viewport"])
        context.set_extra_http_headers({"Accept-Language": language})
        page = context.new_page()
        page.goto(f"{foreign}/?seed=7&__theme=dark&utm_source=mail")
        picture(page).wait_for()
        return page

    yield visit
    context.close()


def test_no_word_of_the_page_is_left_in_english(visitor):
    page, texts = visitor("de-CH"), set()
    page.locator("[data-copy=save]").click()
    for tab in page.get_by_role("tab").all():
        tab.click()
        if page.locator("#film-buttons button").first.is_visible():
            page.locator("#film-buttons button").first.click()
            page.locator(".film").wait_for()
        texts |= {text.strip() for text in page.evaluate(READ)}
    english = {text for text in texts if not MARK.search(text) and re.search("[A-Za-z]{2}", text)}
    assert [text for text in sorted(english) if not SAME_EVERYWHERE.fullmatch(text)] == []
    page.close()


@pytest.mark.parametrize(
    ("language", "spoken"),
    [
        ("ar", ["ar", "rtl", "إستخدام عبر API"]),
        ("zh-HK", ["zh-CN", "ltr", "通过 API 使用"]),
        ("ko,*", ["en", "ltr", "Use via API"]),
    ],
)
def test_gradio_speaks_the_language_of_the_page(visitor, language, spoken):
    page = visitor(language)
    assert page.evaluate(SPOKEN) == spoken
    said = "getComputedStyle(document.querySelector('#controls .block')).direction"
    assert page.evaluate(said) == spoken[1]
    assert ("⟦" in page.title()) == (spoken[0] != "en")
    assert "&__theme=dark&utm_source=mail" in page.url
    page.close()
