"""Signals that end a run: the first is waited for, a second cuts short what may be cut short."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

STOPPING = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")  # Windows: two
    if hasattr(signal, name)
]
"""Ctrl+C, kill, a terminal that closes, and what clusters send before they take a machine back."""


class Interrupted(BaseException):
    """A second signal arrived where that ends the work at hand."""


class StopSignals:
    """Within it, the signals of ``STOPPING`` are counted instead of ending the process.

    A signal that was ignored before, as ``nohup`` does with SIGHUP, stays ignored.

    Attributes:
        received: how many have arrived.
    """

    def __init__(self) -> None:
        self.received = 0
        self._may_interrupt = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        """Begin to count."""
        self.received = 0
        for number in STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """What signals did before, they do again."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within it, every signal but the first of all raises ``Interrupted``."""
        self._may_interrupt = True
        try:
            if self.received > 1:
                raise Interrupted
            yield
        finally:
            self._may_interrupt = False

    def _on_signal(self, number: int, _: object) -> None:
        self.received += 1
        if number == getattr(signal, "SIGHUP", None):
            _leave_terminal()
        if self._may_interrupt and self.received > 1:
            raise Interrupted


def _leave_terminal() -> None:
    """Write to nowhere instead of a terminal, if it is gone, where every write is an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):
        if stat.S_ISCHR(os.fstat(output).st_mode) and not os.isatty(output):
            os.dup2(nowhere, output)
    os.close(nowhere)
