"""What a stranger must not get: files of the server, a script in the page, a token, a log of us."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import pytest

from avatar_model.attributes import NAMES
from ui.files.picture_file import MAX_FILE
from ui.recipe import SETTINGS

from .conftest import SECRET

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


@pytest.mark.parametrize("name", ["../../escaped.png", "..\\x.png", "/tmp/escaped.png", "a\n.png"])
def test_an_upload_stays_in_its_folder_whatever_its_name(site, name):
    boundary = "x" * 20
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        f"Content-Type: image/png\r\n\r\nno picture\r\n--{boundary}--\r\n"
    )
    answer = site.client.post(
        f"{site.server.address}/gradio_api/upload",
        content=body,
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    if answer.status_code == 200:
        folder = site.server.log_file.parent / "files"
        assert all(folder.resolve() in Path(path).resolve().parents for path in answer.json())
    else:
        assert answer.status_code in (400, 422)
    assert not Path("/tmp/escaped.png").exists()


def test_an_upload_has_a_limit(site):
    answer = site.client.post(
        f"{site.server.address}/gradio_api/upload", files={"files": b"x" * (MAX_FILE + 1)}
    )
    assert answer.status_code == 413


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
    joined = site.client.post(f"{site.server.address}/gradio_api/queue/join", json=body)
    assert joined.status_code == 200, joined.text
    return site.get(f"/gradio_api/queue/data?session_hash={session}").text


def refused(text):
    """By Gradio itself."""
    return '"success":false' in text.replace(" ", "")


@pytest.mark.parametrize("path", [str(OUTSIDE), "../app.py", "/proc/self/environ", "/dev/zero", {}])
def test_a_dropped_picture_must_have_been_uploaded(site, path):
    text = event(site, ("result", "upload"), {"path": path})
    assert "the picture has not arrived" in text or refused(text)
    assert INSIDE not in text and SECRET not in text


def test_a_forged_file_is_no_file_of_the_server(site):
    forged = {"path": str(OUTSIDE), "meta": {"_type": "gradio.FileData"}}
    text = event(site, ("upload", "upload"), None, upload=forged)
    assert refused(text)
    assert INSIDE not in text


SCRIPT = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize("name", [*NAMES, *SETTINGS])
def test_html_in_a_link_is_inert(site, name):
    remembered = {"open": SCRIPT, "now": f"{name}={SCRIPT}", "picked": 0, "past": [SCRIPT]}
    messages = site.opened({name: SCRIPT}, remembered, [SCRIPT])
    shown = [m["output"]["data"] for m in messages if m["msg"] == "process_completed"]
    assert shown and SCRIPT not in json.dumps([v for v in shown[0] if not is_memory(v)])
    assert all(SCRIPT not in m["log"] for m in messages if m["msg"] == "log")


def is_memory(value):
    """It goes back to where it came from, as data, and is never shown."""
    return isinstance(value, dict) and "past" in value


def test_an_address_with_html_is_answered_as_data(site):
    answer = site.get("/avatar.png", params={"hair": SCRIPT, "<b>": "1"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert "script" not in site.get("/avatar.svg", params={"background": '"/><script>'}).text[:20]


def test_analytics_are_off_whatever_the_environment_says(site):
    assert site.get("/config").json()["analytics_enabled"] is False
