"""Connections that keep the server waiting, against a real server of a simple application."""

from __future__ import annotations

import functools
import logging
import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest
import uvicorn

from ui.server import connection
from ui.server.connection import Connection, check_all

SECONDS = 10
LIMIT = 12
ANSWER = b"x" * 8_000_000


async def app(scope, receive, send):
    """Answers a GET with 8 MB, a POST with the size of its body, ``/wait`` never."""
    if scope["type"] != "http":
        return
    content = b""
    while scope["method"] == "POST":
        message = await receive()
        content += message.get("body", b"")
        if not message.get("more_body"):
            break
    if scope["path"] == "/wait":
        await receive()
        await receive()
    answer = b"%d" % len(content) if scope["method"] == "POST" else ANSWER
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer})


class Ticking(uvicorn.Server):
    """Looks at its connections ten times a second."""

    async def on_tick(self, counter):
        check_all(self.server_state.connections)
        return await super().on_tick(counter)


@contextmanager
def serving():
    config = uvicorn.Config(
        app, port=0, http=functools.partial(Connection, limit=LIMIT), ws="none", log_config=None
    )
    server = Ticking(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield server, listening.getsockname()[1]
    server.should_exit = server.force_exit = True
    thread.join(SECONDS)


@pytest.fixture
def port(monkeypatch):
    """Of a server whose patience is short."""
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 0.5)
    monkeypatch.setattr(connection, "READ_SECONDS", 0.5)
    with serving() as (_, port):
        yield port


@pytest.fixture
def patient_port():
    with serving() as (_, port):
        yield port


def sent(port, text, host="127.0.0.1", buffer=None):
    """A connection, from an address, on which something was sent."""
    made = socket.socket()
    if buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    made.settimeout(SECONDS)
    made.bind((host, 0))
    made.connect(("127.0.0.1", port))
    made.sendall(text)
    return made


def is_open(made):
    made.setblocking(False)
    try:
        return made.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def closed_within(made, seconds):
    """Whether the server hangs up; what it sends until then is passed over."""
    deadline = time.monotonic() + seconds
    made.settimeout(0.1)
    while time.monotonic() < deadline:
        with suppress(TimeoutError):
            try:
                if not made.recv(65536):
                    return True
            except ConnectionError:
                return True
    return False


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_who_sends_no_whole_request_is_hung_up_on(port, text):
    assert closed_within(sent(port, text), 3)


def test_a_byte_now_and_then_is_not_enough(port):
    made = sent(port, b"GET / HTTP/1.1\r\nHost: a\r\n")
    start = time.monotonic()
    with suppress(ConnectionError):
        while time.monotonic() - start < 3:
            made.sendall(b"X")
            time.sleep(0.05)
    assert closed_within(made, 0.5) and time.monotonic() - start < 3


def test_a_large_body_has_the_time_that_it_takes(port, monkeypatch):
    monkeypatch.setattr(connection, "BODY_BYTES_PER_SECOND", 10_000)
    made = sent(port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
    for _ in range(20):  # a second; longer than what may pass without a byte
        made.sendall(b"x" * 1000)
        time.sleep(0.05)
    assert b"200 OK" in made.recv(1000)


def test_who_does_not_read_is_hung_up_on(port):
    made = sent(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3, buffer=4096)
    time.sleep(2)
    assert closed_within(made, 3)


def test_who_reads_slowly_gets_everything(patient_port, monkeypatch):
    """Also what the application handed over long before."""
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 0.5)
    monkeypatch.setattr(connection, "READ_SECONDS", 1.5)
    ask = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    made, received = sent(patient_port, ask, buffer=100_000), 0
    while part := made.recv(200_000):
        received += len(part)
        time.sleep(0.05)
    assert received > len(ANSWER)


def test_what_all_leave_unread_is_bounded_and_the_largest_goes(patient_port, monkeypatch):
    monkeypatch.setattr(connection, "MAX_UNREAD", 10_000_000)
    made = [sent(patient_port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", buffer=4096) for _ in range(6)]
    time.sleep(1)
    cut = sum(closed_within(one, 0.5) for one in made)
    assert 3 <= cut <= 6


def test_many_unfinished_requests_keep_nobody_out(patient_port):
    """The same address or another: whoever brings a whole request is answered."""
    held = [sent(patient_port, b"GET / HTTP/1.1\r\nX-", f"127.0.0.{i % 3 + 2}") for i in range(60)]
    for host in ("127.0.0.1", "127.0.0.2"):
        made = sent(
            patient_port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", host
        )
        assert b"200 OK" in made.recv(1000)
    assert sum(map(is_open, held)) <= LIMIT


def test_one_that_holds_all_gives_way_to_others(patient_port):
    wait = b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"
    held = [sent(patient_port, wait, "127.0.0.2") for _ in range(LIMIT)]
    time.sleep(0.3)
    others = [sent(patient_port, wait, f"127.0.0.{i}") for i in range(3, 7)]
    time.sleep(0.3)
    assert all(map(is_open, others)) and sum(map(is_open, held)) == LIMIT - len(others)
    # Who has as many as anybody displaces none.
    assert closed_within(sent(patient_port, wait, "127.0.0.2"), 1)
    assert all(map(is_open, others))


def test_it_says_nothing_about_those(port, caplog):
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            sent(port, b"GET / HTTP/1.1\r\nX-").close()
        assert closed_within(sent(port, b""), 3)
    assert not caplog.records
