"""Who listens to the answers of Gradio's queue; without anybody nothing is drawn or kept.

The one place that looks into that queue.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr
from gradio.queueing import Event
from gradio.server_messages import ProcessCompletedMessage

from ui.inference.client import client_of

MAX_EVENTS = 512
"""Accepted and not answered yet, of all clients; each has a thread, which mostly waits."""
MAX_BODIES = 8 * 2**20
"""Bytes of what came with them; as Python's objects that is up to 20 times as much."""
MAX_UNREAD, MAX_UNREAD_OF_ALL = 32, 256
"""Messages that a session, and that all have not read yet; the largest have 0.3 MB."""
PATIENCE = 15.0
"""Seconds until somebody listens to an event that was accepted, or it is given up."""
FORGET_SECONDS = 30.0
"""Answers that nobody listens to are kept for so long, and up to as long again."""


class Listeners:
    """Which sessions and events are listened to.

    Args:
        page: whose queue it is.
    """

    def __init__(self, page: gr.Blocks) -> None:
        self._page = page
        self._listening: Counter[str] = Counter()
        self._somebody_came = asyncio.Event()
        self._deserted: set[str] = set()

    @property
    def open_events(self) -> int:
        """Accepted and not answered yet."""
        return len(self._page._queue.event_ids_to_events)

    @contextmanager
    def listening(self, name: str) -> Iterator[None]:
        """For as long as a client has the stream of a session or an event open."""
        self._listening[name] += 1
        self._somebody_came.set()
        self._somebody_came = asyncio.Event()
        try:
            yield
        finally:
            self._listening[name] -= 1
            if not self._listening[name]:
                del self._listening[name]

    def make_room(self, client: str, size: int, session: str = "") -> bool:
        """Whether a client may cause another event, which may displace another client's.

        It is the latest of whoever has most, so that nobody can keep others out.

        Args:
            size: bytes of its body.
            session: where its answer would wait to be read.
        """
        queue = self._page._queue
        unread = {name: q.qsize() for name, q in queue.pending_messages_per_session.items()}
        mine = unread.get(session, 0)
        if mine >= MAX_UNREAD or (mine and sum(unread.values()) >= MAX_UNREAD_OF_ALL):
            return False
        events: dict[str, list[Event]] = {client: []}
        for event in queue.event_ids_to_events.values():
            if event.alive:
                events.setdefault(client_of(event.request), []).append(event)
        while sum(map(len, events.values())) >= MAX_EVENTS:
            busiest = max(events.values(), key=len)
            if len(busiest) <= len(events[client]) + 1:
                return False
            self._give_up(busiest.pop())
        while sum(map(_bodies, events.values())) + size > MAX_BODIES:
            largest = max(events.values(), key=_bodies)
            if _bodies(largest) <= _bodies(events[client]) + size:
                return False
            self._give_up(largest.pop())
        return True

    def _give_up(self, event: Event) -> None:
        """Answer an event with an error; what works on it notices within a moment."""
        queue = self._page._queue
        output = {"error": "Many others are waiting; please ask for less at once.", "title": "Busy"}
        queue.send_message(event, ProcessCompletedMessage(output=output, success=False))
        event.alive = False
        waiting = queue.event_queue_per_concurrency_id[event.concurrency_id].queue
        if event in waiting:
            waiting.remove(event)
        queue.event_ids_to_events.pop(event._id, None)

    async def wait_for_one(self, event_id: str) -> bool:
        """Whether somebody listens to an event, or comes to do so soon."""
        event = self._page._queue.event_ids_to_events.get(event_id)
        if event is None:
            return False
        names = {event.session_hash, event._id}
        deadline = time.monotonic() + PATIENCE
        while not names & self._listening.keys():
            try:
                await asyncio.wait_for(self._somebody_came.wait(), deadline - time.monotonic())
            except asyncio.TimeoutError:  # until Python 3.10 another than the usual
                return False
        return event.alive

    async def forget_the_deserted(self) -> None:
        """Again and again drop answers that nobody has listened to for a while."""
        queue = self._page._queue
        while True:
            await asyncio.sleep(FORGET_SECONDS)
            busy = {e.session_hash for e in queue.event_ids_to_events.values()}
            deserted = queue.pending_messages_per_session.keys() - busy - self._listening.keys()
            ids = queue.pending_event_ids_session
            # Who listens to an event by its own name is not known by that of the session.
            deserted = {s for s in deserted if not self._listening.keys() & ids.get(s, set())}
            for session in deserted & self._deserted:
                queue.pending_messages_per_session.pop(session, None)
                ids.pop(session, None)
            self._deserted = deserted


def _bodies(events: list[Event]) -> int:
    return sum(event.request.scope.get("body_size", 0) for event in events)
