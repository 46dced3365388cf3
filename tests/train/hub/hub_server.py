"""A small Hugging Face Hub on loopback for the real client to talk to, and to fail in many ways.

It speaks plain HTTP without Xet: the client needs ``HF_HUB_DISABLE_XET``. ``Hub.fail``,
``Hub.hang_up`` and ``Hub.hold`` make the next requests that they match go wrong.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from tests.train.hub.hub_api import Answer, HubState, RefusedError, Request


@dataclass
class Fault:
    """What happens to the next ``times`` requests whose "METHOD /path" has ``pattern`` in it."""

    pattern: str
    times: int
    refused: RefusedError | None = None
    hangs_up: bool = False
    done_first: bool = False
    held: bool = False
    arrived: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


class Hub(ThreadingHTTPServer):
    """The server; its state is ``state``, and ``requests`` has a "METHOD /path" for each one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.state = HubState(self.endpoint)
        self.requests: list[str] = []
        self.ranges: list[str | None] = []  # that were asked for, one per download
        self._connections: list[socket.socket] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def fail(self, pattern: str, status: int, times: int = 1, code: str = "", message: str = ""):
        """Answer with an error; without a code or message it has a gateway's HTML page."""
        refused = RefusedError(status, code, message)
        self._faults.append(Fault(pattern, times, refused))

    def hang_up(self, pattern: str, times: int = 1, done_first: bool = False) -> None:
        """Close the connection halfway through the body, or when all is done but the answer."""
        self._faults.append(Fault(pattern, times, hangs_up=True, done_first=done_first))

    def hold(self, pattern: str) -> Fault:
        """Keep one request waiting for ``release``; ``arrived`` is set when it is there."""
        self._faults.append(Fault(pattern, 1, held=True))
        return self._faults[-1]

    def stop(self) -> None:
        """As if the machine were gone: nothing listens, and open connections break."""
        self.shutdown()
        self.server_close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def came(self, request: str) -> Fault | None:
        """Note a request; what is to go wrong with it."""
        with self._lock:
            self.requests.append(request)
            for fault in self._faults:
                if fault.times and re.search(fault.pattern, request):
                    fault.times -= 1
                    return fault
        return None

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients break connections too; that is no news."""


@contextlib.contextmanager
def running_hub() -> Iterator[Hub]:
    """A Hub that answers until the block ends."""
    hub = Hub()
    threading.Thread(target=hub.serve_forever, args=[0.02], daemon=True).start()
    try:
        yield hub
    finally:
        hub.stop()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Hub

    def setup(self) -> None:
        super().setup()
        self.server._connections.append(self.connection)

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        fault = self.server.came(f"{self.command} {path}")
        if fault and fault.held:
            fault.arrived.set()
            fault.release.wait(20)
        hangs_up = fault is not None and fault.hangs_up
        halfway = hangs_up and not fault.done_first
        body = self._body(halfway)
        if halfway and body:
            self._hang_up()
            return
        if self.command == "GET" and "/resolve/" in path:
            self.server.ranges.append(self.headers["Range"])
        refused = fault.refused if fault else None
        status, headers, content = self._answer(
            Request(self.command, path, self.headers, body), refused
        )
        if hangs_up and not halfway:
            self._hang_up()
            return
        self.send_response(status)
        for name, value in {"Content-Length": len(content), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if halfway else content)
        if halfway:
            self._hang_up()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def _answer(self, request: Request, refused: RefusedError | None) -> Answer:
        try:
            if refused:
                raise refused
            return self.server.state.answer(request)
        except RefusedError as error:
            if not error.code and not error.message:
                return error.status, {}, b"<html>please try again later</html>"
            headers = {"X-Error-Code": error.code, "X-Error-Message": error.message}
            return error.status, headers, json.dumps({"error": error.message}).encode()

    def _body(self, half: bool) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0) // (2 if half else 1))
        content = b""
        while (size := int(self.rfile.readline(), 16)) and not (half and content):
            content += self.rfile.read(size)
            self.rfile.readline()
        if not half:
            self.rfile.readline()
        return content

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
