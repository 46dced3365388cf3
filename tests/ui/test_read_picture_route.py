"""``POST /read-picture``, by itself on a server in this process, so that reading can be held up."""

from __future__ import annotations

import contextlib
import gc
import json
import socket
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import uvicorn
from PIL import Image
from starlette.applications import Starlette

from avatar_model import CheckpointError
from ui.files.found_recipe import Found
from ui.files.picture_file import MAX_FILE, FileOptions, encode
from ui.recipe import Recipe
from ui.routes import read_picture
from ui.routes.read_picture import MAX_AT_ONCE, make_route

SECONDS = 10
OURS = encode(Image.new("RGBA", (64, 64)), FileOptions(size=64), {"hair": 12, "seed": 7})


@pytest.fixture(scope="module")
def address(pipeline):
    """Of a server with nothing but this route."""
    app = Starlette(routes=[make_route(pipeline)])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/read-picture"
        server.should_exit = True
        thread.join(SECONDS)


def post(address, content, client=1, **headers):
    """Have a picture read, as one of several clients."""
    transport = httpx.HTTPTransport(local_address=f"127.0.0.{client}")
    with httpx.Client(transport=transport, timeout=SECONDS) as asking:
        return asking.post(address, content=content, headers=headers)


def begun(address, length, sent=b""):
    """A connection that has announced a picture and sent the beginning of it."""
    url = httpx.URL(address)
    connection = socket.create_connection((url.host, url.port), timeout=SECONDS)
    head = f"POST /read-picture HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode() + sent)
    return connection


def answer_of(connection):
    """All that comes until the server hangs up."""
    with connection:
        return b"".join(iter(lambda: connection.recv(1000), b"")).decode()


def until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def held(pipeline, monkeypatch):
    """Reading takes until ``go`` is set; ``read`` is what has been read."""

    class Held:
        go, read, at_once, most = threading.Event(), [], 0, 0

    def find_recipe(_, content):
        Held.at_once += 1
        Held.most = max(Held.most, Held.at_once)
        Held.read.append(content)
        Held.go.wait(SECONDS)
        Held.at_once -= 1
        return Found(Recipe.parse(pipeline, {}), [], {})

    monkeypatch.setattr(read_picture, "find_recipe", find_recipe)
    yield Held
    Held.go.set()
    until(lambda: not read_picture._clients)


def test_a_file_of_ours_is_answered_with_its_recipe(address):
    answer = post(address, OURS)
    assert answer.status_code == 200
    found = answer.json()
    assert set(found) == {"recipe", "notes", "seen", "probable"}
    assert (found["notes"], found["seen"], found["probable"]) == ([], None, True)
    assert {"hair=12", "seed=7"} < set(found["recipe"].split("&"))


def test_what_the_classifier_saw_goes_through_json(pipeline):
    found = Found(Recipe.parse(pipeline, {"hair": 12}), ["a note"], {"hair": (12, 0.95)})
    assert Found.parse(pipeline, json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_no_picture_is_one_sentence(address, content):
    answer = post(address, content)
    assert answer.status_code == 400 and "picture" in answer.json()["error"]


def test_a_body_that_says_it_is_too_large_is_not_read(address):
    answer = answer_of(begun(address, MAX_FILE + 1))
    assert answer.startswith("HTTP/1.1 413") and "the file is larger than 16 MB" in answer


def test_a_body_that_does_not_end_is_read_to_the_limit(address):
    sent = 0

    def endless():
        nonlocal sent
        while sent < 100 * MAX_FILE:
            sent += 2**20
            yield bytes(2**20)

    # The server hangs up, which may come before its answer.
    with contextlib.suppress(httpx.TransportError):
        assert post(address, endless()).status_code == 413
    assert MAX_FILE < sent < 3 * MAX_FILE
    assert not read_picture._clients


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://else.where"},
        {"Origin": "null"},
    ],
)
def test_pages_of_other_sites_are_refused(address, headers):
    answer = post(address, OURS, **headers)
    assert answer.status_code == 403 and "error" in answer.json()
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"}, {}]
)
def test_the_page_itself_is_answered(address, headers):
    headers = headers or {"Origin": address.removesuffix("/read-picture")}
    assert post(address, OURS, **headers).status_code == 200


def test_one_is_read_at_a_time_and_a_few_wait_one_for_each_client(address, held, monkeypatch):
    monkeypatch.setattr(read_picture, "PLACE_SECONDS", 0.1)
    with ThreadPoolExecutor(MAX_AT_ONCE) as pool:
        waiting = [pool.submit(post, address, OURS, i) for i in range(1, MAX_AT_ONCE)]
        until(lambda: len(read_picture._clients) == MAX_AT_ONCE - 1)
        again = post(address, OURS, 1)
        waiting.append(pool.submit(post, address, OURS, MAX_AT_ONCE))
        until(lambda: len(read_picture._clients) == MAX_AT_ONCE)
        another = post(address, OURS, MAX_AT_ONCE + 1)
        for refused in (again, another):
            assert refused.status_code == 503 and refused.headers["Retry-After"]
            assert "too many pictures are being read" in refused.json()["error"]
        assert len(held.read) == 1
        held.go.set()
        assert {future.result().status_code for future in waiting} == {200}
    assert held.most == 1 and len(held.read) == MAX_AT_ONCE
    assert post(address, OURS, 1).status_code == 200


def test_the_next_picture_of_somebody_waits_for_its_place(address, held):
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(post, address, b"first")
        until(lambda: held.read)
        second = pool.submit(post, address, b"second")
        held.go.set()
        assert first.result().status_code == second.result().status_code == 200
    assert held.read == [b"first", b"second"]


def test_who_hangs_up_in_the_middle_of_a_picture_leaves_nothing(address):
    half = begun(address, 1000, bytes(500))
    until(lambda: read_picture._clients)
    half.close()
    until(lambda: not read_picture._clients)
    assert post(address, OURS).status_code == 200


def test_who_hangs_up_while_waiting_is_not_read(address, held):
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, address, b"first", 1)
        until(lambda: held.read)
        with (
            pytest.raises(httpx.ReadTimeout),
            httpx.Client(
                transport=httpx.HTTPTransport(local_address="127.0.0.2"), timeout=0.2
            ) as impatient,
        ):
            impatient.post(address, content=b"second")
        until(lambda: len(read_picture._clients) == 1)
        held.go.set()
        assert first.result().status_code == 200
    assert post(address, b"third").status_code == 200
    assert held.read == [b"first", b"third"]


def test_a_picture_that_does_not_arrive_is_given_up(address, monkeypatch):
    monkeypatch.setattr(read_picture, "RECEIVING_SECONDS", 0.1)
    answer = answer_of(begun(address, 1000, bytes(500)))
    assert answer.startswith("HTTP/1.1 408") and "did not arrive within" in answer
    assert not read_picture._clients


def test_nobody_waits_for_ever(address, held, monkeypatch):
    monkeypatch.setattr(read_picture, "READING_SECONDS", 0.1)
    answer = post(address, OURS)
    assert answer.status_code == 503
    assert "too many pictures are being read" in answer.json()["error"]


def test_without_a_classifier_the_page_says_so(address, monkeypatch):
    def find_recipe(*_):
        raise CheckpointError("there is no classifier in /secret/place")

    monkeypatch.setattr(read_picture, "find_recipe", find_recipe)
    answer = post(address, OURS)
    sentence = "this page cannot read pictures: its classifier is missing"
    assert answer.status_code == 500 and answer.json() == {"error": sentence}


def test_nothing_of_a_refused_picture_stays_in_memory(address, monkeypatch):
    pixels = []

    def find_recipe(*_):
        image = Image.new("RGBA", (8, 8))
        pixels.append(weakref.ref(image))
        raise ValueError("nothing to be seen")

    monkeypatch.setattr(read_picture, "find_recipe", find_recipe)
    gc.disable()
    try:
        assert post(address, OURS).status_code == 400
        until(lambda: pixels[0]() is None)
    finally:
        gc.enable()
