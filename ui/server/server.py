"""The web server: listens, keeps connections within their limits, and stops in order."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, cast

import uvicorn

from ui.server.connection import Connection, check_all, max_connections
from ui.server.site import Site

FIRST_PORT, LAST_PORT = 7860, 7959
"""Gradio's: the first that is free, unless one is asked for."""
STOP_SECONDS = 5.0
"""To finish what is being drawn, when the server is asked to stop; Docker kills after 10."""
CLOSE_SECONDS = 1.0
"""For the last answers to go out."""
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

logger = logging.getLogger(__name__)


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that accepts connections.

    Args:
        port: default: the first of Gradio's that is free.

    Raises:
        OSError: no such address here, or no port is free; says which.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    host = host.strip("[]")
    for number in [port] if port is not None else range(FIRST_PORT, LAST_PORT + 1):
        try:
            return socket.create_server((host, number), family=family, backlog=1024)
        except OSError as error:
            last = OSError(f"{host} port {number}: {error.strerror or error}")
    raise last


def serve(site: Site, listening: socket.socket) -> NoReturn:
    """Serve until a signal comes; then finish what is drawn, and end the process with status 0."""
    connection = functools.partial(Connection, limit=max_connections())
    config = uvicorn.Config(
        site.app,
        http=cast(Any, connection),
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # forwarded.py
        server_header=False,
    )
    host, port = listening.getsockname()[:2]
    print(f"* Running on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
    server = _Server(config, site)
    server.run(sockets=[listening])
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: a thread that still draws in C++ would abort the process when Python ends.
    os._exit(0)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self._site = site

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on the first signal, at once on the second; uvicorn would raise it again."""
        for number in _handled():
            signal.signal(number, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note that a signal has come."""
        if self.should_exit:
            os._exit(0)
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; every second look at the connections."""
        if counter % 10 == 0:
            check_all(cast("set[Connection]", self.server_state.connections))
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing, finish what is being drawn, refuse the rest, let the answers out."""
        logger.info("event=stopping connections=%d", len(self.server_state.connections))
        for server in self.servers:
            server.close()
        self._site.refuse()
        await _until(lambda: not self._site.is_drawing, STOP_SECONDS)
        self._site.give_up()
        await asyncio.sleep(0.3)  # for those who waited, to write their answers
        self._site.end_streams()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await _until(lambda: not self.server_state.connections, CLOSE_SECONDS)
        for connection in list(self.server_state.connections):
            cast(Connection, connection).transport.abort()
        await _until(lambda: not self.server_state.tasks, CLOSE_SECONDS)
        await self.lifespan.shutdown()


async def _until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)


def _handled() -> list[signal.Signals]:
    """Those that nobody has told this process to ignore, as ``nohup`` does."""
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
