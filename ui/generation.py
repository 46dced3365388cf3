"""One visitor's request to the scheduler: its time limit, how long it took, what replaces it."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, wait
from concurrent.futures import TimeoutError as TooLate  # until Python 3.10 another than the usual
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import TypeVar

import gradio as gr
from PIL import Image

from avatar_model import ANY
from avatar_model.arguments import MAX_SEED
from ui.files.picture_file import FileOptions, encode
from ui.inference.batch_runner import GeneratedImage
from ui.inference.client import current_client, current_listener
from ui.inference.scheduler import POLL_SECONDS, TIME_LIMIT, Scheduler, too_long
from ui.inference.worker_pool import workers
from ui.recipe import Recipe
from ui.translation import _

T = TypeVar("T")

TELL_AFTER = 3.0
"""Seconds until somebody is told their place in the queue."""
PREVIEW_SECONDS = 0.08
"""What a preview at full size may take, for about ten of them a second, all else included."""

MAX_VISITORS = 10_000
"""Whose turns are remembered."""


@dataclass(frozen=True)
class Avatar:
    """One finished picture.

    Attributes:
        recipe: of this picture alone, complete.
        labels: the 18 looks as the vocabulary calls them.
        sampled: names of the looks that were left on "Any".
    """

    image: Image.Image
    recipe: Recipe
    labels: dict[str, str]
    sampled: frozenset[str]

    @property
    def asked(self) -> Recipe:
        """Of this picture alone, as it was asked for: what was left on "Any" is so again."""
        return self.recipe.single(0, self.recipe.named_looks | dict.fromkeys(self.sampled, ANY))

    def file(self, options: FileOptions) -> bytes:
        """The picture as a file that knows its recipe, made when it is its turn."""
        return in_turn(lambda: encode(self.image, options, self.recipe.values()), options.seconds)


@dataclass(frozen=True)
class Generation:
    """The answer to one request.

    Attributes:
        seconds: that it took, or None if all of it was still there.
    """

    recipe: Recipe
    avatars: list[Avatar]
    seconds: float | None


@dataclass(frozen=True, eq=False)
class _Pending:
    """What is being generated for a visitor."""

    futures: list[Future[GeneratedImage]]
    preview: bool


class AvatarGenerator:
    """Generates for visitors and programs; a visitor's new request replaces the one before."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self._latest: dict[str, _Pending] = {}
        self._turns: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def generate(
        self,
        recipe: Recipe,
        visitor: str | None = None,
        turn: int | None = None,
        *,
        size: int | None = None,
        preview: bool = False,
    ) -> Generation:
        """Generate all images of a recipe.

        Args:
            visitor: whose earlier requests this one replaces. Default: nobody's.
            turn: which of two requests is the earlier one, if not the one that came in first; a
                preview has none.
            size: side of the pictures, one of the pipeline's ``sizes``. Default: the largest.
            preview: whether it gives way to a request that is none. The last preview of a slider
                that was dragged can come in after what was asked for when it was let go.

        Raises:
            CancelledError: the same visitor asked for something newer, or for more than a preview.
            BusyError: too many wait, or it took too long.
            gr.Error: there is no visitor any more.
        """
        start = time.perf_counter()
        visitor = secrets.token_hex() if visitor is None else visitor
        asked = recipe.singles()
        with self._lock:
            before = self._latest.get(visitor)
            if preview and before and not before.preview:
                raise CancelledError
            if turn is not None:
                self._take_turn(visitor, turn)
            cached = self.scheduler.is_cached(asked, size)
            futures = self.scheduler.submit_all(asked, size, urgent=True, client=current_client())
            pending = self._latest[visitor] = _Pending(futures, preview)
            if before:
                self.scheduler.abandon(before.futures)
        try:
            images = self._results(futures)
        finally:
            with self._lock:
                newest = self._latest.get(visitor) is pending
                if newest:
                    del self._latest[visitor]
        if not newest:  # finished in time all the same; but the newer answer may be out already
            raise CancelledError
        avatars = [self._avatar(r, image) for r, image in zip(asked, images, strict=True)]
        return Generation(recipe, avatars, None if cached else time.perf_counter() - start)

    def stop(self, visitor: str, turn: int) -> None:
        """Give up what a visitor has asked for before; it ends in a CancelledError.

        So does what was asked for before and comes in later: a browser sends only so much at once.

        Args:
            turn: see ``generate``.

        Raises:
            CancelledError: the visitor has asked for something since.
        """
        with self._lock:
            self._take_turn(visitor, turn)
            if visitor in self._latest:
                self.scheduler.abandon(self._latest[visitor].futures)

    def preview(self, recipe: Recipe, visitor: str) -> Generation:
        """At once: the first image alone, unless all are still there; small if that is quicker."""
        if self.scheduler.is_cached(recipe.singles()):
            return self.generate(recipe, visitor, preview=True)
        recipe = replace(recipe, num_images=1)
        quick = self.scheduler.expected_seconds(recipe) <= PREVIEW_SECONDS
        size = self.scheduler.pipeline.sizes[-1 if quick else 0]
        return self.generate(recipe, visitor, size=size, preview=True)

    def _take_turn(self, visitor: str, turn: int) -> None:
        if turn < self._turns.get(visitor, turn):
            raise CancelledError
        self._turns[visitor] = turn
        self._turns.move_to_end(visitor)
        if len(self._turns) > MAX_VISITORS:
            self._turns.popitem(last=False)

    def _results(self, futures: Sequence[Future[GeneratedImage]]) -> list[GeneratedImage]:
        start, told, listens = time.monotonic(), False, current_listener()
        try:
            while wait(futures, POLL_SECONDS).not_done:
                if not listens():
                    raise gr.Error("Nobody waits for this any more.", print_exception=False)
                waited = time.monotonic() - start
                if waited > TIME_LIMIT:
                    raise too_long()
                if waited > TELL_AFTER and not told:
                    self._tell_place(futures)
                    told = True
            return [future.result() for future in futures]
        finally:
            self.scheduler.abandon(futures)

    def _tell_place(self, futures: Sequence[Future[GeneratedImage]]) -> None:
        before, seconds = self.scheduler.place(futures)
        if before:
            text = _(
                "{count} avatars are drawn before yours, for about {seconds} seconds.",
                count=before,
                seconds=round(seconds),
            )
            gr.Info(text, title=_("Many visitors"))

    def _avatar(self, recipe: Recipe, generated: GeneratedImage) -> Avatar:
        label = self.scheduler.pipeline.vocabulary.label
        return Avatar(
            generated.image,
            recipe.single(0, generated.values),
            {name: label(name, value) for name, value in generated.values.items()},
            frozenset(name for name, value in recipe.named_looks.items() if value == ANY),
        )


def in_turn(do: Callable[[], T], seconds: float) -> T:
    """Have one of the few threads for it do what takes long, for whoever caused this event.

    Raises:
        BusyError: too much waits, or for too long.
    """
    speaking = copy_context()  # the visitor's language
    done = workers.submit(lambda: speaking.run(do), client=current_client(), seconds=seconds)
    try:
        return done.result(TIME_LIMIT)
    except TooLate:
        raise too_long() from None
    finally:
        done.cancel()


def random_seed() -> int:
    """Any seed the pipeline accepts."""
    return secrets.randbelow(MAX_SEED + 1)
