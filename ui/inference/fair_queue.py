"""A queue in which clients take turns. Nothing here knows of threads or pictures."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

URGENT_TURNS = 3
"""In a row while something else waits: thumbnails wait for pictures, but not for ever."""


class Waiting(Protocol):
    """What stands in the queue.

    Attributes:
        client: whose it is.
        urgent: whether it goes before what is not.
    """

    client: str
    urgent: bool

    @property
    def kind(self) -> Hashable:
        """Equal for what can be generated together."""


W = TypeVar("W", bound=Waiting)


class FairQueue(Generic[W]):
    """Clients take turns, so the 111 thumbnails of one are not in front of all others.

    There are two queues, for what is urgent and for what is not; a client is in first-in, first-out
    order in each.
    """

    def __init__(self) -> None:
        self._queues: dict[bool, OrderedDict[str, deque[W]]] = {
            True: OrderedDict(),
            False: OrderedDict(),
        }
        self._urgent_turns = 0

    def __len__(self) -> int:
        return sum(len(jobs) for queue in self._queues.values() for jobs in queue.values())

    def add(self, job: W) -> None:
        """To the end of its client's."""
        self._queues[job.urgent].setdefault(job.client, deque()).append(job)

    def remove(self, job: W) -> None:
        """Take one out that stands in the queue."""
        queue = self._queues[job.urgent]
        queue[job.client].remove(job)
        if not queue[job.client]:
            del queue[job.client]

    def count(self, client: str) -> int:
        """How many of a client's wait."""
        return sum(len(queue.get(client, ())) for queue in self._queues.values())

    def before(self, job: W) -> int:
        """How many go first, if nobody joins; those of the other queue are not counted."""
        queue = self._queues[job.urgent]
        index = queue[job.client].index(job)
        total, turn = index, 1  # of those whose turn comes before this client's
        for client, jobs in queue.items():
            if client == job.client:
                turn = 0
            else:
                total += min(len(jobs), index + turn)
        return total

    def next(self) -> W:
        """Take out whose turn it is. Raises IndexError when nobody waits."""
        urgent, other = self._queues[True], self._queues[False]
        if not urgent and not other:
            raise IndexError("nobody waits")
        choose_urgent = bool(urgent) and (self._urgent_turns < URGENT_TURNS or not other)
        self._urgent_turns = self._urgent_turns + 1 if choose_urgent else 0
        queue = urgent if choose_urgent else other
        return self._take(next(iter(queue.values()))[0])

    def next_like(self, first: W, most: int) -> list[W]:
        """Take out up to ``most`` others of the kind and urgency of ``first``, in turns."""
        queue = self._queues[first.urgent]
        taken: list[W] = []
        while len(taken) < most:
            alike = (
                next((job for job in queue[client] if job.kind == first.kind), None)
                for client in list(queue)[: most - len(taken)]
            )
            found = [self._take(job) for job in alike if job is not None]
            if not found:
                break
            taken += found
        return taken

    def _take(self, job: W) -> W:
        """Take one out; its client goes to the end."""
        self.remove(job)
        queue = self._queues[job.urgent]
        if job.client in queue:
            queue.move_to_end(job.client)
        return job
