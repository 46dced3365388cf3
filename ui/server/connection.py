"""A connection with limits on what it may keep the server waiting for and holding in memory."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

MAX_CONNECTIONS = 1000
SPARE_DESCRIPTORS = 60
"""Of those that the process may have, for what is no connection: files, sockets that listen."""
REQUEST_SECONDS = 10.0
"""For the head of a request, from when the connection is made or the answer before it is out."""
BODY_BYTES_PER_SECOND = 16 * 1024
"""As slow as a body may come in, after that time."""
READ_SECONDS = 20.0
READ_BYTES_PER_SECOND = 4 * 1024
"""As slow as an answer may be read, over so many seconds."""
MAX_UNREAD = 64 * 2**20
"""Bytes of answers that all clients together have not read yet; then the largest are given up."""


def max_connections() -> int:
    """As many as the process has descriptors for, of which it first gets as many as it may."""
    if resource is None:
        return MAX_CONNECTIONS // 2
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = MAX_CONNECTIONS + SPARE_DESCRIPTORS
    if soft < enough:
        soft = enough if hard == resource.RLIM_INFINITY else min(hard, enough)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(min(MAX_CONNECTIONS, soft - SPARE_DESCRIPTORS), 8)


class _CountingTransport:
    """A transport that knows how much was written to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.written = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self.written += len(data)
        self._transport.write(data)


class Connection(H11Protocol):
    """Uvicorn's own, one of a bounded number.

    When there is no room for another, the address that has the most loses the connection which has
    kept the server waiting longest, or else its latest; so nobody can keep others out. Only who has
    as many as anybody is turned away.

    Args:
        limit: how many there may be at once.
    """

    def __init__(self, *args: Any, limit: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limit = limit
        self._since = time.monotonic()  # it has been waited for the request that comes next
        self._received = 0
        self._read = (self._since, 0)  # when and how much, when it was last known to be read

    @property
    def host(self) -> str:
        """Of the client."""
        return self.client[0] if self.client else ""

    @property
    def unread(self) -> int:
        """Bytes of answers that the client has not read yet."""
        return int(self.transport.get_write_buffer_size())

    @property
    def keeps_waiting(self) -> bool:
        """Whether the next request has not wholly arrived, though its turn has come."""
        if self.cycle is None or self.cycle.response_complete:
            return not self.unread
        return bool(self.cycle.more_body and not self.flow.read_paused)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Find room, or hang up."""
        counted = _CountingTransport(cast(asyncio.Transport, transport))
        super().connection_made(cast(asyncio.Transport, counted))
        if not self._find_room():
            self.connections.discard(self)
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Count; the head of a request begins with its first byte."""
        self._received += len(data)
        if not self.transport.is_closing():
            super().data_received(data)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._since, self._received = time.monotonic(), 0
        super().on_response_complete()

    def check(self, now: float) -> None:
        """Hang up on who takes too long to send or to read."""
        patience = REQUEST_SECONDS
        if self.cycle is not None and not self.cycle.response_complete:
            patience += self._received / BODY_BYTES_PER_SECOND
        elif self.unread:  # the last answer is still on its way
            self._since = now
        since, read_then = self._read
        read = cast(_CountingTransport, self.transport).written - self.unread
        if self.keeps_waiting and now - self._since > patience:
            self.transport.abort()
        elif not self.unread:
            self._read = (now, read)
        elif now - since > READ_SECONDS:
            if read - read_then < READ_SECONDS * READ_BYTES_PER_SECOND:
                self.transport.abort()
            self._read = (now, read)

    def _find_room(self) -> bool:
        others = cast("set[Connection]", self.connections) - {self}
        if len(others) < self._limit:
            return True
        hosts = Counter(other.host for other in others)
        busiest, count = hosts.most_common(1)[0]
        theirs = [c for c in others if c.host == busiest]
        if idle := [c for c in theirs if c.keeps_waiting]:
            displaced = min(idle, key=lambda c: c._since)
        elif count > hosts[self.host] + 1:
            displaced = max(theirs, key=lambda c: c._since)
        else:
            return False
        displaced.transport.abort()
        self.connections.discard(displaced)
        return True


def check_all(connections: Iterable[Connection]) -> None:
    """Hang up on those that take too long, and while too much is unread, on the largest."""
    now, waiting = time.monotonic(), list(connections)
    for connection in waiting:
        connection.check(now)
    unread = sorted(waiting, key=lambda c: c.unread)
    total = sum(c.unread for c in unread)
    while total > MAX_UNREAD:
        total -= unread[-1].unread
        unread.pop().transport.abort()
