"""The studio: one sampler for all visitors, which draws those who wait together.

Two samplers at once on the same cores only slow each other, so every avatar of the page, of
``/generate`` and of the picture addresses is drawn by the one thread here. Seeds are per image, so
what else is in a batch does not change a picture.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager, suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from avatar_model import AvatarPipeline

from .batch import Drawn as Drawn
from .batch import Wanted, draw_batch
from .line import Line
from .pace import Pace
from .recipe import MAX_IMAGES, Recipe
from .remembered import Remembered
from .zero_gpu import Tools, tools_of

MAX_WAITING = 512
"""Avatars. A sheet of all hair styles asks for 111 at once; a browser for six at a time."""
MAX_PER_CLIENT = 256
"""Of these, for one address: half the line, and several people may share it."""
BATCH_SECONDS = 0.25
"""A batch cannot be interrupted for somebody new, so it is made no longer than this, if it can."""
TIME_LIMIT = 60.0
"""Seconds, waiting included. 16 images of 50 guided steps take about 50 on two cores."""

logger = logging.getLogger(__name__)


class BusyError(Exception):
    """More avatars wait than the studio accepts, or they wait too long; says so in a sentence."""


@dataclass(eq=False)
class _Job:
    """An avatar that is waited for; if none is wanted, somebody who wants the tools alone.

    Attributes:
        futures: of all who have asked for it; it is abandoned when all are cancelled.
        standing: in the line; otherwise it is being drawn.
        released: set when who wanted the tools alone has finished.
        context: of who asked first; ZeroGPU charges the visitor that it finds in there.
    """

    wanted: Wanted | None
    client: str
    urgent: bool
    futures: list[Future[Any]]
    standing: bool = True
    since: float = field(default_factory=time.monotonic)
    released: threading.Event = field(default_factory=threading.Event)
    context: Context = field(default_factory=copy_context)

    @property
    def kind(self) -> Hashable:
        """Of what is wanted; the tools are handed to one at a time."""
        return id(self) if self.wanted is None else self.wanted.kind

    @property
    def abandoned(self) -> bool:
        return all(future.cancelled() for future in self.futures)


class Studio:
    """Draws recipes of one image.

    Attributes:
        pipeline: for its vocabulary and defaults; to draw with it, see ``alone``.
        drawn: avatars so far.
    """

    def __init__(
        self,
        pipeline: AvatarPipeline,
        max_waiting: int = MAX_WAITING,
        max_per_client: int = MAX_PER_CLIENT,
    ) -> None:
        self.pipeline = pipeline
        self._tools = tools_of(pipeline)
        self.max_waiting = max_waiting
        self.max_per_client = max_per_client
        self.drawn = 0
        self._line: Line[_Job] = Line()
        self._jobs: dict[Wanted, _Job] = {}  # waiting or being drawn
        self._finished = Remembered()
        self._lock = threading.Condition()  # for all of the above
        self._pace = Pace(pipeline)
        self._worker = threading.Thread(target=self._work, name="studio", daemon=True)
        self._worker.start()

    @property
    def alive(self) -> bool:
        """Whether anything is drawn at all."""
        return self._worker.is_alive()

    @property
    def waiting(self) -> int:
        """Avatars asked for and not yet drawn."""
        return len(self._jobs)

    def submit(
        self, recipe: Recipe, size: int | None = None, *, urgent: bool = False, client: str = ""
    ) -> Future[Drawn]:
        """Ask for one avatar; see ``submit_all``."""
        return self.submit_all([recipe], size, urgent=urgent, client=client)[0]

    def submit_all(
        self,
        recipes: Sequence[Recipe],
        size: int | None = None,
        *,
        urgent: bool = False,
        client: str = "",
    ) -> list[Future[Drawn]]:
        """Ask for several avatars: all or none of them.

        What somebody else waits for already is drawn once, what was drawn lately not again.

        Args:
            recipes: with ``num_images`` 1.
            size: side of the pictures, one of the pipeline's ``sizes``. Default: the largest.
            urgent: before those that are not, such as the thumbnails of a sheet.
            client: who asks; clients take turns.

        Raises:
            BusyError: too many wait.
        """
        asked = self._wanted(recipes, size)
        with self._lock:
            new = {w for w in asked if w not in self._finished and w not in self._jobs}
            self._check_room(len(new), client)
            futures = [self._submit(wanted, urgent, client) for wanted in asked]
            self._lock.notify()
        return futures

    def remembers(self, recipes: Sequence[Recipe], size: int | None = None) -> bool:
        """Whether all of these were drawn lately and need not be drawn again."""
        asked = self._wanted(recipes, size)
        with self._lock:
            return all(wanted in self._finished for wanted in asked)

    def place(self, futures: Sequence[Future[Drawn]]) -> tuple[int, float]:
        """How many avatars are drawn before the last of these, and about how many seconds go by."""
        asked = set(futures)
        with self._lock:
            jobs = [j for j in self._jobs.values() if not asked.isdisjoint(j.futures)]
            before = [self._line.before(job) for job in jobs if job.standing]
            return max(before, default=0), self._seconds_left()

    def abandon(self, futures: Sequence[Future[Any]]) -> None:
        """Nobody waits for these any more: what is not drawn yet ends in a CancelledError.

        An avatar that nobody else has asked for leaves the line; a batch of such stops.
        """
        with self._lock:
            for future in futures:
                if not future.done() and future.cancel():
                    future.set_running_or_notify_cancel()  # or ``wait`` would not see it
            for job in [j for j in self._jobs.values() if j.standing and j.abandoned]:
                self._line.remove(job)
                del self._jobs[job.wanted]

    @contextmanager
    def alone(self, client: str = "") -> Iterator[Tools]:
        """The tools, for what is not a recipe, such as a morph.

        No avatar is drawn meanwhile, so none must be waited for in it.

        Args:
            client: who asks.

        Raises:
            BusyError: too many wait, or its turn did not come.
        """
        turn: Future[None] = Future()
        job = _Job(None, client, True, [turn])
        with self._lock:
            self._check_room(1, client)
            self._line.add(job)
            self._lock.notify()
        try:
            try:
                turn.result(TIME_LIMIT)
            except FutureTimeoutError:
                raise BusyError(too_long()) from None
            yield self._tools
        finally:
            turn.cancel()
            job.released.set()

    def _wanted(self, recipes: Sequence[Recipe], size: int | None) -> list[Wanted]:
        return [Wanted(recipe, size or self.pipeline.sizes[-1]) for recipe in recipes]

    def _check_room(self, new: int, client: str) -> None:
        if not new:
            return
        if (mine := self._line.count(client)) + new > self.max_per_client:
            raise BusyError(f"{mine} avatars of yours are waiting; please wait for them first")
        if self.waiting + new > self.max_waiting:
            raise BusyError(
                f"{self.waiting} avatars are waiting, for about {self._seconds_left():.0f} "
                "seconds; please try again then"
            )

    def _submit(self, wanted: Wanted, urgent: bool, client: str) -> Future[Drawn]:
        future: Future[Drawn] = Future()
        if (drawn := self._finished.get(wanted)) is not None:
            future.set_result(drawn)
        elif (job := self._jobs.get(wanted)) is not None:
            job.futures.append(future)
            if urgent and not job.urgent and job.standing:
                self._line.remove(job)
                job.urgent, job.client = True, client
                self._line.add(job)
        else:
            job = self._jobs[wanted] = _Job(wanted, client, urgent, [future])
            self._line.add(job)
        return future

    def _seconds_left(self) -> float:
        return sum(self._pace.seconds(wanted) for wanted in self._jobs)

    def _work(self) -> None:
        while True:
            batch = self._next_batch()
            try:
                if batch[0].wanted is None:
                    self._hand_over(batch[0])
                else:
                    self._draw(batch)
            except Exception as error:  # nothing may end this thread: the page would hang
                logger.error("event=failed images=%d error=%s", len(batch), type(error).__name__)
                self._end(batch, error)

    def _next_batch(self) -> list[_Job]:
        """The first job, and others that wait and differ only in looks and seed."""
        with self._lock:
            while not len(self._line):
                self._lock.wait()
            batch = [self._line.next()]
            if (wanted := batch[0].wanted) is not None:
                most = int(BATCH_SECONDS / self._pace.seconds(wanted))
                batch += self._line.next_like(batch[0], min(most, MAX_IMAGES) - 1)
            for job in batch:
                job.standing = False
            return batch

    def _hand_over(self, job: _Job) -> None:
        with suppress(InvalidStateError):  # given up in the meantime
            job.futures[0].set_result(None)
            job.released.wait()

    def _draw(self, batch: list[_Job]) -> None:
        started = time.monotonic()
        try:
            drawn = batch[0].context.run(
                draw_batch,
                self._tools.sample,
                [job.wanted.recipe for job in batch],
                batch[0].wanted.size,
                lambda: self._stop_if_abandoned(batch),
            )
        except CancelledError:
            logger.info("event=abandoned images=%d", len(batch))
            return
        seconds = time.monotonic() - started
        self._finish(batch, drawn, seconds)
        waited = started - min(job.since for job in batch)
        logger.info(
            "event=drawn images=%d steps=%d guidance=%g sampler=%s size=%d seconds=%.3f "
            "waited=%.3f waiting=%d",
            *(len(batch), *batch[0].kind, seconds, waited, self.waiting),
        )

    def _stop_if_abandoned(self, batch: list[_Job]) -> None:
        with self._lock:
            if all(job.abandoned for job in batch):
                self._forget(batch)  # now, or somebody could still join
                raise CancelledError

    def _finish(self, batch: list[_Job], drawn: list[Drawn], seconds: float) -> None:
        with self._lock:
            self._forget(batch)
            self.drawn += len(batch)
            self._pace.learn(batch[0].wanted, seconds / len(batch))
            for job, one in zip(batch, drawn, strict=True):
                self._finished.put(job.wanted, one)
                for future in job.futures:
                    with suppress(InvalidStateError):  # cancelled
                        future.set_result(one)

    def _end(self, batch: list[_Job], error: Exception) -> None:
        with self._lock:
            self._forget(batch)
            for future in (future for job in batch for future in job.futures):
                with suppress(InvalidStateError):
                    future.set_exception(error)

    def _forget(self, batch: list[_Job]) -> None:
        for job in batch:
            if self._jobs.get(job.wanted) is job:
                del self._jobs[job.wanted]


def too_long() -> str:
    """The sentence for those who have waited for ``TIME_LIMIT``."""
    return f"this took longer than {TIME_LIMIT:.0f} seconds and was given up"
