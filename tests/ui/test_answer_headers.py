"""What caches and other sites go by: headers of every route, and a browser that follows them."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path

import gradio
import httpx
import pytest

from ui.link import model_identity

DRAWN = [
    "/avatar.png?seed=7&size=64",
    "/avatar.webp?seed=7&size=64&download",
    "/avatar.svg?seed=7",
    "/avatars.zip?seed=7&num_images=2",
]
REFUSED = ["/avatar.png?hair=999", "/avatar.bmp"]
UNKEPT = ["/", "/?hair=3", "/health", "/config", "/theme.css", "/manifest.json", "/robots.txt"]
ASSETS = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
SCRIPT = f"/assets/{next(ASSETS.glob('index-*.js')).name}"
FILES = ["/favicon.ico", "/static/img/logo_nosize.svg", SCRIPT]
MISSING = ["/nowhere", "/assets/nothing.js", "/gradio_api/file=/etc/passwd"]
OTHERS = ["/gradio_api/info", "/avatar.png/?seed=7"]
EVERY = [*DRAWN, *REFUSED, *UNKEPT, *FILES, *MISSING, *OTHERS]
SITES = ("http://localhost:9999", "https://else.where", "null")


@pytest.fixture(scope="module")
def ask(server):
    """Ask the server for an answer."""
    with httpx.Client(base_url=server, timeout=60) as client:
        yield client.request


@pytest.fixture(scope="module")
def made(ask):
    """The address of a file that was made for somebody."""
    event = ask("POST", "/gradio_api/call/v2/generate", json={"seed": 7, "size": 64}).json()
    text = ask("GET", f"/gradio_api/call/generate/{event['event_id']}").text
    return f"/gradio_api/file={json.loads(text.rpartition('data: ')[2])[0][0]['path']}"


def named(answer):
    """The request's headers that an answer says it depends on."""
    names = [name.strip().lower() for name in answer.headers["Vary"].split(",")]
    assert len(names) == len(set(names))
    return set(names)


@pytest.mark.parametrize("address", EVERY)
def test_an_answer_names_what_it_depends_on(ask, address):
    plain = ask("GET", address, headers={"Accept-Encoding": "identity"})
    changed = {
        "Accept-Encoding": ("br", "gzip"),
        "Origin": SITES,
        "X-Forwarded-Host": ("a.example",),
        "X-Forwarded-Proto": ("https",),
        "Accept-Language": ("fr",),
        "User-Agent": ("else",),
    }
    for name, values in changed.items():
        for value in values:
            answer = ask("GET", address, headers={"Accept-Encoding": "identity", name: value})
            kept = ("date", "vary", "content-length")
            said = [{k: v for k, v in a.headers.items() if k not in kept} for a in (plain, answer)]
            if said[0] != said[1] or (name.startswith("X-") and plain.content != answer.content):
                assert name.lower() in named(plain) & named(answer), (name, value)


@pytest.mark.parametrize("address", EVERY)
def test_head_is_get_without_the_content(ask, address):
    get, head = ask("GET", address), ask("HEAD", address)
    assert not head.content
    if address.startswith("/gradio_api/info"):
        assert (head.status_code, head.headers["Allow"]) == (405, "GET")
        return
    assert head.status_code == get.status_code
    assert head.headers.keys() == get.headers.keys()
    clock = ("date", "content-length") if address == "/health" else ("date",)
    assert all(head.headers[name] == get.headers[name] for name in get.headers if name not in clock)


@pytest.mark.parametrize("address", EVERY)
def test_how_long_an_answer_is_good(ask, address):
    answer = ask("GET", address)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    kept = answer.headers.get("Cache-Control")
    if answer.status_code >= 400:
        assert kept == "no-store"
    elif address in DRAWN:
        assert kept == "public, max-age=3600"
    elif address == SCRIPT:
        assert kept == "public, max-age=31536000, immutable"
    else:
        assert kept == "private, no-cache"
    if address in FILES:
        assert answer.headers["ETag"] and answer.headers["Last-Modified"]


@pytest.mark.parametrize("address", [*DRAWN, *FILES])
@pytest.mark.parametrize("coding", ["identity", "br"])
def test_what_a_browser_has_is_not_sent_again(ask, address, coding):
    get = ask("GET", address, headers={"Accept-Encoding": coding})
    tag = get.headers["ETag"]
    assert tag.startswith("W/") == ("Content-Encoding" in get.headers)
    for known in (tag, f'"x", {tag}', "*", tag.removeprefix("W/")):
        again = ask("GET", address, headers={"Accept-Encoding": coding, "If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        for name in ("Cache-Control", "ETag", "Vary", "Access-Control-Allow-Origin"):
            assert again.headers.get(name) == get.headers.get(name)
        assert "Content-Type" not in again.headers
    twice = [("If-None-Match", '"x"'), ("If-None-Match", tag), ("Accept-Encoding", coding)]
    assert ask("GET", address, headers=twice).status_code == 304
    part = {"Accept-Encoding": coding, "If-None-Match": tag, "Range": "bytes=0-3"}
    assert ask("GET", address, headers=part).status_code == 304
    other = ask("GET", address, headers={"Accept-Encoding": coding, "If-None-Match": '"x"'})
    assert (other.status_code, other.content) == (200, get.content)


@pytest.mark.parametrize("address", [*DRAWN, *REFUSED])
@pytest.mark.parametrize("site", [None, *SITES])
def test_a_picture_is_for_every_site(ask, address, site):
    answer = ask("GET", address, headers={"Origin": site} if site else {})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert named(answer) == {"accept-encoding"}


def test_any_site_may_ask_for_a_picture_with_headers_of_its_own(ask):
    asked = {"Origin": SITES[0], "Access-Control-Request-Method": "GET"}
    answer = ask("OPTIONS", DRAWN[0], headers={**asked, "Access-Control-Request-Headers": "x-mine"})
    assert answer.status_code == 204 and not answer.content
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Headers"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_part_of_a_file_is_not_compressed(ask):
    whole = ask("GET", SCRIPT, headers={"Accept-Encoding": "identity"})
    part = ask("GET", SCRIPT, headers={"Accept-Encoding": "br", "Range": "bytes=0-99"})
    assert part.status_code == 206 and "Content-Encoding" not in part.headers
    assert part.content == whole.content[:100]


@pytest.mark.parametrize("address", ["/health", "/config", "/gradio_api/info"])
def test_anything_else_of_a_server_on_this_machine_is_not(ask, address):
    answer = ask("GET", address, headers={"Origin": "https://else.where"})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "origin" in named(answer)


@pytest.mark.parametrize("address", DRAWN)
def test_a_part_of_a_picture_is_the_whole(ask, address):
    whole = ask("GET", address)
    assert whole.headers["Accept-Ranges"] == "none"
    part = ask("GET", address, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (200, whole.content)


@pytest.mark.parametrize(
    ("range", "status", "part"),
    [
        ("bytes=0-3", 206, slice(0, 4)),
        ("bytes=4-", 206, slice(4, None)),
        ("bytes=-2", 206, slice(-2, None)),
        ("bytes=8-9999999", 206, slice(8, None)),
        ("bytes=9999998-9999999", 416, slice(0)),
        ("bytes=0-1,5-6", 206, None),
        ("bytes=0-3-5", 200, slice(None)),
        ("bytes=5-2", 200, slice(None)),
        ("lines=0-3", 200, slice(None)),
    ],
)
def test_a_part_of_a_file_says_nothing_of_who_asked(ask, made, range, status, part):
    whole = ask("GET", made).content
    headers = {"Range": range, "Cookie": "secret=1", "X-Mine": "secret"}
    answer = ask("GET", made, headers=headers)
    assert answer.status_code == status
    assert part is None or answer.content == whole[part]
    assert "secret" not in str(answer.headers)
    if status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{len(whole)}"
    if status == 206:
        assert answer.headers["Content-Disposition"] == 'inline; filename="avatar-7.png"'


def test_what_says_which_model_is_meant_may_be_kept_as_long_as_it_is_this_one(ask, pipeline):
    identity = model_identity(pipeline)
    kept = ask("GET", f"/avatar.png?seed=7&size=64&model={identity}")
    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    other = ask("GET", "/avatar.png?seed=7&size=64&model=00000000")
    assert (other.status_code, other.headers["Cache-Control"]) == (200, "no-store")
    assert other.content == kept.content


@pytest.mark.parametrize(
    "path",
    [
        *("deep_link?session_hash=x", "proxy=https://x.hf.space/", "vibe-code", "runs", "token"),
        *("upload_progress?upload_id=x", "monitoring/summary", "dev/reload", "user"),
        *("file/app.py", "stream/x", "custom_component/x", "queue/status", "login_check"),
    ],
)
def test_what_the_page_does_not_need_is_not_there(ask, path):
    for address in (f"/gradio_api/{path}", f"/{path}"):
        for method in ("GET", "POST"):
            answer = ask(method, address)
            assert (answer.status_code, answer.json()) == (404, {"error": "there is nothing here"})


@pytest.mark.parametrize("path", ["upload", "process_recording", "component_server", "vibe-edit"])
def test_nobody_leaves_anything_there(ask, path):
    answer = ask("POST", f"/gradio_api/{path}", files={"files": ("a.png", b"0123")})
    assert answer.status_code == 404


@pytest.fixture(scope="module")
def other_site():
    """The address of another site, whose page takes in only what allows it."""

    class Empty(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Empty) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{site.server_port}"
        site.shutdown()


SHOWN = """async (address) => {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image.naturalWidth;
}"""
READ = "async (address) => (await (await fetch(address)).blob()).size"


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_browser_shows_and_reads_a_picture_on_another_site_in_either_order(
    browser, server, other_site, kind
):
    context = browser.new_context()
    page = context.new_page()
    page.goto(other_site)
    address = f"{server}/avatar.{kind}?size=64&seed="
    assert page.evaluate(SHOWN, f"{address}1") == 64 and page.evaluate(READ, f"{address}1") > 0
    assert page.evaluate(READ, f"{address}2") > 0 and page.evaluate(SHOWN, f"{address}2") == 64
    context.close()
