"""What stands in the scheduler's queue."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from ui.inference.batch_runner import GeneratedImage, ImageRequest


@dataclass(eq=False)
class Job:
    """An avatar that is waited for.

    Attributes:
        futures: of all who have asked for it; it is abandoned when all are cancelled.
        queued: still in the queue; otherwise it is being generated.
        context: of who asked first; ZeroGPU charges the visitor that it finds in there.
    """

    request: ImageRequest
    client: str
    urgent: bool
    seconds: float
    futures: list[Future[GeneratedImage]]
    queued: bool = True
    since: float = field(default_factory=time.monotonic)
    context: Context = field(default_factory=copy_context)

    @property
    def kind(self) -> tuple[Any, ...]:
        """Equal for what can be generated together."""
        return self.request.kind

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for it any more."""
        return all(future.cancelled() for future in self.futures)

    def fail(self, error: Exception) -> None:
        """Tell those who wait for it."""
        for future in self.futures:
            with suppress(InvalidStateError):  # cancelled
                future.set_exception(error)


@dataclass(eq=False)
class AloneJob:
    """Somebody who wants the tools alone, from ``turn`` until ``released``."""

    client: str
    seconds: float
    urgent: bool = False
    since: float = field(default_factory=time.monotonic)
    turn: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    error: Exception | None = None

    @property
    def kind(self) -> int:
        """Like no other."""
        return id(self)

    def fail(self, error: Exception) -> None:
        """Tell those who wait for it."""
        self.error = error
        self.turn.set()
