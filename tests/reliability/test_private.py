"""What a stranger must not get: files of the server, a script in the page, a token, a log of us."""

from __future__ import annotations

import json
import os
import socket
import uuid
from pathlib import Path

import httpx
import pytest

from avatar_model.attributes import NAMES
from ui.recipe import SETTINGS, SHORTHANDS

ROOT = Path(__file__).parents[2]
OUTSIDE = ROOT / "app.py"
INSIDE = OUTSIDE.read_text(encoding="utf-8").splitlines()[0]

PATHS = [
    f"/gradio_api/file={OUTSIDE}",
    f"/gradio_api/file={Path(os.path.relpath(OUTSIDE, '/tmp'))}",
    "/gradio_api/file=app.py",
    "/gradio_api/file=./ui/../app.py",
    "/gradio_api/file=%2e%2e/app.py",
    "/gradio_api/file=file://" + str(OUTSIDE),
    "/gradio_api/file=http://127.0.0.1:1/",
    "/file=app.py",
    "/static/../../app.py",
    "/assets/..%2f..%2f..%2fapp.py",
    "/theme.css/../app.py",
    "/gradio_api/stream/../../app.py",
    "/avatar.%2e%2e%2fapp.py",
    "/avatar.png/../app.py",
    "/avatar.../../app.py",
    "/app.py",
    "/gradio_api/proxy=http://127.0.0.1:1/",
    "/monitoring",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_file_of_the_server_is_served(site, path):
    request = site.client.build_request("GET", site.server.address)
    request.url = request.url.copy_with(raw_path=path.encode())  # as it stands, dots and all
    answer = site.client.send(request)
    assert answer.status_code in (307, 400, 403, 404), answer.status_code
    assert INSIDE not in answer.text


def test_a_picture_given_to_the_page_becomes_no_file(site):
    folder = site.server.log_file.parent / "files"
    before = {*folder.rglob("*")}
    answer = site.client.post(f"{site.server.address}/read-picture", content=b"no picture")
    assert answer.status_code == 400
    url = httpx.URL(site.server.address)
    with socket.create_connection((url.host, url.port), timeout=10) as half:
        head = "POST /read-picture HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        half.sendall(head.encode() + bytes(500_000))
    # Its place is free again at once.
    answer = site.client.post(f"{site.server.address}/read-picture", content=b"no picture")
    assert answer.status_code == 400
    assert {*folder.rglob("*")} == before


def test_no_other_site_has_pictures_read_here(site):
    answer = site.client.post(
        f"{site.server.address}/read-picture",
        content=b"no picture",
        headers={"Origin": "https://else.where", "Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


def event(site, target, data, **inputs):
    """What an event of the page is answered with, as the text of the stream."""
    config = site.get("/config").json()
    ids = {c["props"].get("elem_id"): c["id"] for c in config["components"]}
    wired = next(
        d for d in config["dependencies"] if [ids[target[0]], target[1]] in map(list, d["targets"])
    )
    values = {c["id"]: c["props"].get("value") for c in config["components"]}
    values |= {ids[name]: value for name, value in inputs.items()}
    body = {
        "fn_index": wired["id"],
        "data": [values[i] for i in wired["inputs"]],
        "session_hash": (session := uuid.uuid4().hex),
        "event_data": data,
    }
    joined = site.client.post(
        f"{site.server.address}/gradio_api/queue/join",
        content=json.dumps(body),  # as ASCII, half characters included
        headers={"Content-Type": "application/json"},
    )
    assert joined.status_code == 200, joined.text
    return site.get(f"/gradio_api/queue/data?session_hash={session}").text


SCRIPT = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"recipe": SCRIPT, "notes": [SCRIPT, "\ud800"], "seen": {SCRIPT: [1, 1], "hair": [999, 1]}},
        {"error": SCRIPT},
        {"error": {"\ud800": [OUTSIDE.name]}},
    ],
)
def test_a_forged_answer_of_a_picture_fools_only_its_sender(site, data):
    text = event(site, ("read-picture", "select"), data)
    assert text.replace(" ", "").count('"success":true') == 1, text
    assert INSIDE not in text and SCRIPT not in text


@pytest.mark.parametrize("name", [*NAMES, *SETTINGS, *SHORTHANDS])
def test_html_in_a_link_is_inert(site, name):
    remembered = {"open": SCRIPT, "now": f"{name}={SCRIPT}", "picked": 0}
    messages = site.opened({name: SCRIPT}, remembered, [SCRIPT])
    shown = [m["output"]["data"] for m in messages if m["msg"] == "process_completed"]
    assert shown and SCRIPT not in json.dumps([v for v in shown[0] if not is_memory(v)])
    assert all(SCRIPT not in m["log"] for m in messages if m["msg"] == "log")


def is_memory(value):
    """It goes back to where it came from, as data, and is never shown."""
    return isinstance(value, dict) and "picked" in value


def test_an_address_with_html_is_answered_as_data(site):
    answer = site.get("/avatar.png", params={"hair": SCRIPT, "<b>": "1"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert "script" not in site.get("/avatar.svg", params={"background": '"/><script>'}).text[:20]


def test_analytics_are_off_whatever_the_environment_says(site):
    assert site.get("/config").json()["analytics_enabled"] is False
