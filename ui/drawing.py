"""One request to the studio: its time limit, how long it took, and every error as one sentence."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import gradio as gr
from PIL import Image

from avatar_model import ANY
from avatar_model.arguments import MAX_SEED

from .caller import current_client, current_listener
from .picture_files import FileOptions, encode
from .recipe import Recipe
from .studio import TIME_LIMIT, BusyError, Drawn, Studio, too_long

LOOK_SECONDS = 0.25
"""How often to look whether anybody still listens."""
TELL_AFTER = 3.0
"""Seconds until somebody is told their place in the line."""

THUMBNAIL_SIDE = 64
"""Of one picture among several, in pixels."""
MAX_VISITORS = 10_000
"""Whose turns are remembered."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Avatar:
    """One finished picture.

    Attributes:
        recipe: of this picture alone, complete.
        labels: the 18 looks as the vocabulary calls them.
        drawn: names of the looks that were left on "Any" and drawn at random.
    """

    image: Image.Image
    recipe: Recipe
    labels: dict[str, str]
    drawn: frozenset[str]

    @property
    def values(self) -> dict[str, int]:
        """The 18 looks as numbers."""
        return self.recipe.named_looks

    @cached_property
    def png(self) -> bytes:
        """The picture as it was drawn, as a PNG file that knows its recipe."""
        return self.file(FileOptions(size=None))

    @cached_property
    def thumbnail(self) -> bytes:
        """The picture small, as a PNG file."""
        return self.file(FileOptions(size=THUMBNAIL_SIDE))

    def file(self, options: FileOptions) -> bytes:
        """The picture as a file that knows its recipe."""
        return encode(self.image, options, self.recipe.values())

    @property
    def file_name(self) -> str:
        """What the picture is called when it is saved."""
        return f"avatar-{self.recipe.seed}.png"


@dataclass(frozen=True)
class Drawing:
    """The answer to one request.

    Attributes:
        seconds: that it took, or None if the studio remembered all of it.
    """

    recipe: Recipe
    avatars: list[Avatar]
    seconds: float | None


@dataclass(frozen=True, eq=False)
class _Request:
    """What is being drawn for a visitor."""

    futures: list[Future[Drawn]]
    preview: bool


class Drawer:
    """Draws for visitors and programs; a visitor's new request replaces the one before."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._latest: dict[str, _Request] = {}
        self._turns: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def draw(
        self,
        recipe: Recipe,
        visitor: str | None = None,
        turn: int | None = None,
        *,
        size: int | None = None,
        preview: bool = False,
    ) -> Drawing:
        """Draw all images of a recipe.

        Args:
            visitor: whose earlier requests this one replaces.
            turn: which of two requests is the earlier one, if not the one that came in first; a
                preview has none.
            size: side of the pictures, one of the pipeline's ``sizes``. Default: the largest.
            preview: whether it gives way to a request that is none. The last preview of a slider
                that was dragged can come in after what was asked for when it was let go.

        Raises:
            CancelledError: the same visitor asked for something newer, or for more than a preview.
            gr.Error: with one sentence for the visitor, if there still is one.
        """
        start = time.perf_counter()
        asked = [recipe.single(i) for i in range(recipe.num_images)]
        with errors_as_sentences():
            with self._lock:
                before = None if visitor is None else self._latest.get(visitor)
                if preview and before and not before.preview:
                    raise CancelledError
                if visitor is not None and turn is not None:
                    self._take_turn(visitor, turn)
                remembered = self.studio.remembers(asked, size)
                futures = self.studio.submit_all(asked, size, urgent=True, client=current_client())
                request = _Request(futures, preview)
                if visitor is not None:
                    if before:
                        self.studio.abandon(before.futures)
                    self._latest[visitor] = request
            try:
                drawn = self._results(futures)
            finally:
                with self._lock:
                    newest = visitor is None or self._latest.get(visitor) is request
                    if visitor is not None and newest:
                        del self._latest[visitor]
            if not newest:  # drawn in time all the same; but the newer answer may be out already
                raise CancelledError
        avatars = [self._avatar(r, d) for r, d in zip(asked, drawn, strict=True)]
        return Drawing(recipe, avatars, None if remembered else time.perf_counter() - start)

    def stop(self, visitor: str) -> None:
        """Give up what is being drawn for a visitor; its ``draw`` ends in a CancelledError."""
        with self._lock:
            if visitor in self._latest:
                self.studio.abandon(self._latest[visitor].futures)

    def preview(self, recipe: Recipe, visitor: str) -> Drawing:
        """At once: the first image alone and small, unless all of them have been drawn before."""
        if self.studio.remembers([recipe.single(i) for i in range(recipe.num_images)]):
            return self.draw(recipe, visitor, preview=True)
        recipe = replace(recipe, num_images=1)
        return self.draw(recipe, visitor, size=self.studio.pipeline.sizes[0], preview=True)

    def _take_turn(self, visitor: str, turn: int) -> None:
        if turn < self._turns.get(visitor, turn):
            raise CancelledError
        self._turns[visitor] = turn
        self._turns.move_to_end(visitor)
        if len(self._turns) > MAX_VISITORS:
            self._turns.popitem(last=False)

    def _results(self, futures: Sequence[Future[Drawn]]) -> list[Drawn]:
        start, told, listens = time.monotonic(), False, current_listener()
        try:
            while wait(futures, LOOK_SECONDS).not_done:
                if not listens():
                    raise gr.Error("Nobody waits for this any more.", print_exception=False)
                waited = time.monotonic() - start
                if waited > TIME_LIMIT:
                    raise BusyError(too_long())
                if waited > TELL_AFTER and not told:
                    self._tell_place(futures)
                    told = True
            return [future.result() for future in futures]
        finally:
            self.studio.abandon(futures)

    def _tell_place(self, futures: Sequence[Future[Drawn]]) -> None:
        before, seconds = self.studio.place(futures)
        if before:
            text = f"{before} avatars are drawn before yours, for about {seconds:.0f} seconds."
            gr.Info(text, title="Many visitors")

    def _avatar(self, recipe: Recipe, drawn: Drawn) -> Avatar:
        label = self.studio.pipeline.vocabulary.label
        return Avatar(
            drawn.image,
            recipe.single(0, drawn.values),
            {name: label(name, value) for name, value in drawn.values.items()},
            frozenset(name for name, value in recipe.named_looks.items() if value == ANY),
        )


def random_seed() -> int:
    """Any seed the pipeline accepts."""
    return secrets.randbelow(MAX_SEED + 1)


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """A visitor's mistake keeps its message; anything else is ours, and is logged."""
    try:
        yield
    except (CancelledError, gr.Error):
        raise
    except BusyError as error:
        raise gr.Error(str(error).capitalize(), print_exception=False, title="Busy") from error
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False) from error
    except OSError as error:  # only files to take away are written
        logger.error("event=no_file error=%r", error.strerror)
        sentence = "The server cannot store files at the moment; please try again later."
        raise gr.Error(sentence, print_exception=False) from error
    except Exception as error:
        logger.exception("drawing failed")
        raise gr.Error(
            "Something went wrong while drawing; please try again.", print_exception=False
        ) from error
