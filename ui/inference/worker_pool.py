"""Threads for what takes long besides generating, such as compressing a large picture."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from ui.inference.busy import BusyError
from ui.inference.fair_queue import FairQueue

T = TypeVar("T")
THREADS = 2
"""At once: the outlines of an SVG take up to 100 MB for a moment, of noise 350 MB."""
MAX_WAITING = 1024
TOO_MANY = "too many files are being made; please try again in a minute"
URGENT_SECONDS = 0.02
"""What takes no longer goes first: a thumbnail does not wait for posters."""


@dataclass(eq=False)
class _Work:
    do: Callable[[], Any]
    client: str
    seconds: float
    future: Future[Any]

    @property
    def urgent(self) -> bool:
        return self.seconds <= URGENT_SECONDS

    @property
    def kind(self) -> int:
        return id(self)


class WorkerPool:
    """A bounded number of threads and of what waits for them; clients share the time.

    What is cancelled while it waits leaves the line at once.
    """

    def __init__(self, threads: int = THREADS, max_waiting: int = MAX_WAITING) -> None:
        self.max_waiting = max_waiting
        self._queue: FairQueue[_Work] = FairQueue()
        self._running = 0
        self._lock = threading.Condition(threading.RLock())
        for number in range(threads):
            threading.Thread(target=self._run, name=f"worker-{number}", daemon=True).start()

    @property
    def waiting(self) -> int:
        """What nobody has begun."""
        return len(self._queue)

    @property
    def busy(self) -> int:
        """What is not finished."""
        return len(self._queue) + self._running

    def submit(self, do: Callable[[], T], *, client: str = "", seconds: float = 0) -> Future[T]:
        """Have something done.

        Args:
            client: who asks.
            seconds: about how long it takes.

        Raises:
            BusyError: too much waits.
        """
        future: Future[T] = Future()
        work = _Work(do, client, seconds, future)
        with self._lock:
            displaced = self._queue.make_room(client, 1, self.max_waiting)
            if displaced is None:
                raise BusyError(TOO_MANY)
            for other in displaced:
                with suppress(InvalidStateError):  # cancelled
                    other.future.set_exception(BusyError(TOO_MANY))
            self._queue.add(work)
            self._lock.notify()
        future.add_done_callback(lambda _: self._leave(work))
        return future

    def _leave(self, work: _Work) -> None:
        if work.future.cancelled():
            with self._lock:
                if work in self._queue:
                    self._queue.remove(work)

    def _run(self) -> None:
        while True:
            with self._lock:
                while not len(self._queue):
                    self._lock.wait()
                work = self._queue.next()
                self._running += 1
            if work.future.set_running_or_notify_cancel():
                try:
                    work.future.set_result(work.do())
                except BaseException as error:
                    work.future.set_exception(error)
            del work  # or its picture stays until there is other work
            with self._lock:
                self._running -= 1


workers = WorkerPool()
"""The one of this process."""
