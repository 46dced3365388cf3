"""The line: who waits and who is next. Nothing here knows of threads or pictures."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

URGENT_TURNS = 3
"""In a row while something else waits: thumbnails wait for pictures, but not for ever."""


class Waiting(Protocol):
    """What stands in the line.

    Attributes:
        client: whose it is.
        urgent: whether it goes before what is not.
        kind: what is equal can be done together.
    """

    client: str
    urgent: bool
    kind: Hashable


W = TypeVar("W", bound=Waiting)


class Line(Generic[W]):
    """Clients take turns, so the 111 thumbnails of one are not in front of all others.

    There are two lines, for what is urgent and for what is not; a client is in first-in, first-out
    order in each.
    """

    def __init__(self) -> None:
        self._lines: dict[bool, OrderedDict[str, deque[W]]] = {
            True: OrderedDict(),
            False: OrderedDict(),
        }
        self._urgent_turns = 0

    def __len__(self) -> int:
        return sum(len(jobs) for line in self._lines.values() for jobs in line.values())

    def add(self, job: W) -> None:
        """To the end of its client's."""
        self._lines[job.urgent].setdefault(job.client, deque()).append(job)

    def remove(self, job: W) -> None:
        """Take one out that stands in the line."""
        line = self._lines[job.urgent]
        line[job.client].remove(job)
        if not line[job.client]:
            del line[job.client]

    def count(self, client: str) -> int:
        """How many of a client's wait."""
        return sum(len(line.get(client, ())) for line in self._lines.values())

    def before(self, job: W) -> int:
        """How many go first, if nobody joins; those of the other line are not counted."""
        line = self._lines[job.urgent]
        index = line[job.client].index(job)
        total, turn = index, 1  # of those whose turn comes before this client's
        for client, jobs in line.items():
            if client == job.client:
                turn = 0
            else:
                total += min(len(jobs), index + turn)
        return total

    def next(self) -> W:
        """Take out whose turn it is. Raises IndexError when nobody waits."""
        urgent, other = self._lines[True], self._lines[False]
        if not urgent and not other:
            raise IndexError("nobody waits")
        choose_urgent = bool(urgent) and (self._urgent_turns < URGENT_TURNS or not other)
        self._urgent_turns = self._urgent_turns + 1 if choose_urgent else 0
        line = urgent if choose_urgent else other
        client, jobs = next(iter(line.items()))
        job = jobs[0]
        self._take(line, client, job)
        return job

    def next_like(self, first: W, most: int) -> list[W]:
        """Take out up to ``most`` others of the kind and urgency of ``first``, in turns."""
        line = self._lines[first.urgent]
        taken: list[W] = []
        found = True
        while found and len(taken) < most:
            found = False
            for client in list(line)[: most - len(taken)]:
                same = next((job for job in line[client] if job.kind == first.kind), None)
                if same is not None:
                    self._take(line, client, same)
                    taken.append(same)
                    found = True
        return taken

    def _take(self, line: OrderedDict[str, deque[W]], client: str, job: W) -> None:
        line[client].remove(job)
        if line[client]:
            line.move_to_end(client)
        else:
            del line[client]
