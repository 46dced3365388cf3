"""A queue in which clients share time. Nothing here knows of threads or pictures."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from itertools import accumulate, chain
from typing import Generic, NamedTuple, Protocol, TypeVar

URGENT_SHARE = 10
"""As much time for what is urgent as for what is not: thumbnails wait for pictures, but not for
ever."""


class Waiting(Protocol):
    """What stands in the queue.

    Attributes:
        client: whose it is.
        seconds: about how long it takes.
    """

    client: str
    seconds: float

    @property
    def urgent(self) -> bool:
        """Whether it goes before what is not."""

    @property
    def kind(self) -> Hashable:
        """Equal for what can be generated together."""


W = TypeVar("W", bound=Waiting)
K = TypeVar("K", bound=Hashable)
LITTLE = 1.0
"""Seconds of what waits, up to which a client wants little: a picture, a screen of thumbnails."""
SHARE_OF_LITTLE = 4
"""As much time for those who want little as for those who want much, while both wait."""
Line = tuple[str, bool]
"""A client, and whether what it waits for there is urgent."""


class _Shares(Generic[K]):
    """Time as each of several has had it: fair queueing (Demers, Keshav and Shenker, 1989).

    Whose job would end first, if each had always had the same share, is next: so what is short does
    not wait for what is long. Having waited for nothing earns nothing: who comes, or comes back,
    starts now (Goyal et al., 1996).
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._starts: dict[K, float] = {}  # of those that wait
        self._ends: dict[K, float] = {}  # of those that do not, and have had time in advance

    def __contains__(self, name: K) -> bool:
        return name in self._starts

    def start(self, name: K) -> float:
        return self._starts[name]

    def enter(self, name: K) -> None:
        if name not in self._starts:
            self._starts[name] = self._ends.pop(name, self._now)

    def leave(self, name: K) -> None:
        self._ends[name] = self._starts.pop(name)
        self._ends = {other: end for other, end in self._ends.items() if end > self._now}

    def charge(self, name: K, seconds: float) -> None:
        self._now = max(self._now, self._starts[name])
        self._starts[name] += seconds


class Place(NamedTuple):
    """Where something stood in the queue when it was its turn.

    Attributes:
        wants_much: the group of clients.
        end_of_group, end: when it would have ended in its group's account, and in its line's.
    """

    wants_much: bool
    end_of_group: float
    end: float

    def is_before(self, other: Place) -> bool:
        """Whether it would have been its turn before the other's."""
        if self.wants_much == other.wants_much:
            return self.end < other.end
        return self.end_of_group < other.end_of_group


class FairQueue(Generic[W]):
    """Clients get equal times of what is done, and who wants little most of it.

    What counts is the time that each has had, not how often it was its turn. Among 40 who want much
    an equal share would still be 40 times what a thing takes: so most of the time is for clients of
    whom little waits. A client stands in line twice, with what is urgent and with what is not, each
    in first-in, first-out order.
    """

    def __init__(self) -> None:
        self._lines: OrderedDict[Line, deque[W]] = OrderedDict()
        self._shares: _Shares[Line] = _Shares()
        self._wanted: dict[str, float] = {}  # seconds of all that waits, by client
        self._groups: _Shares[bool] = _Shares()  # who wants little, who wants much

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[W]:
        return chain.from_iterable(self._lines.values())

    def add(self, job: W) -> None:
        """To the end of its line."""
        line = job.client, job.urgent
        self._lines.setdefault(line, deque()).append(job)
        self._shares.enter(line)
        self._wanted[job.client] = self._wanted.get(job.client, 0) + job.seconds
        self._group()

    def remove(self, job: W) -> None:
        """Take one out that stands in the queue."""
        line = job.client, job.urgent
        self._lines[line].remove(job)
        if not self._lines[line]:
            del self._lines[line]
            self._shares.leave(line)
        self._wanted[job.client] -= job.seconds
        if not self.count(job.client):
            del self._wanted[job.client]
        self._group()

    def count(self, client: str) -> int:
        """How many of a client's wait."""
        return sum(len(self._lines.get((client, urgent), ())) for urgent in (True, False))

    def make_room(self, client: str, new: int, most: int) -> list[W] | None:
        """Take out what a client has to displace, if ``most`` are there with its ``new`` ones.

        It is the latest of whoever has most, so that nobody can keep others out by filling the
        queue. None, and nothing is taken out, if that is the client itself.
        """
        excess = len(self) + new - most
        if excess <= 0:
            return []
        jobs: dict[str, list[W]] = {client: []}
        for job in self:
            jobs.setdefault(job.client, []).append(job)
        mine = len(jobs[client]) + new
        out: list[W] = []
        while len(out) < excess:
            busiest = max(jobs.values(), key=len)
            if len(busiest) <= mine:
                return None
            out.append(busiest.pop())
        for job in out:
            self.remove(job)
        return out

    def before(self, job: W) -> int:
        """How many go first, about, if nobody joins: none of those who want more is counted."""
        mine, total, later = (job.client, job.urgent), 0, False
        index = self._lines[mine].index(job)
        my_end = self._ends(mine)[index]
        for line in self._lines:
            if line == mine:
                total, later = total + index, True
            elif self._wants_much(line[0]) <= self._wants_much(job.client):
                ends = self._ends(line)
                total += sum(end < my_end or (end == my_end and not later) for end in ends)
        return total

    def first(self) -> W:
        """Whose turn it is. Raises IndexError when nobody waits."""
        if not self._lines:
            raise IndexError("nobody waits")
        firsts: dict[bool, W] = {}
        for line, jobs in self._lines.items():
            group = self._wants_much(line[0])
            if group not in firsts or self._end(jobs[0]) < self._end(firsts[group]):
                firsts[group] = jobs[0]
        return min(firsts.values(), key=self._end_of_group)

    def place(self, job: W) -> Place:
        """Where the first of a line stands."""
        return Place(self._wants_much(job.client), self._end_of_group(job), self._end(job))

    def next(self) -> W:
        """Take out whose turn it is. Raises IndexError when nobody waits."""
        return self.take(self.first())

    def next_like(self, first: W, most: int) -> list[W]:
        """Take out up to ``most`` others of the kind and urgency of ``first``, in turns."""
        taken: list[W] = []
        while len(taken) < most:
            lines = [line for line in self._lines if line[1] == first.urgent]
            alike = (
                next((job for job in self._lines[line] if job.kind == first.kind), None)
                for line in lines[: most - len(taken)]
            )
            found = [self.take(job) for job in alike if job is not None]
            if not found:
                break
            taken += found
        return taken

    def _end(self, job: W) -> float:
        """When the first of a line would end."""
        return self._shares.start((job.client, job.urgent)) + _cost(job)

    def _ends(self, line: Line) -> list[float]:
        """When each of a line would end."""
        return [*accumulate(map(_cost, self._lines[line]), initial=self._shares.start(line))][1:]

    def _end_of_group(self, job: W) -> float:
        group = self._wants_much(job.client)
        return self._groups.start(group) + _cost_of_group(job, group)

    def _wants_much(self, client: str) -> bool:
        return self._wanted[client] > LITTLE

    def _group(self) -> None:
        """Keep account of which of the two groups wait at all."""
        present = set(map(self._wants_much, self._wanted))
        for group in (True, False):
            if group in present:
                self._groups.enter(group)
            elif group in self._groups:
                self._groups.leave(group)

    def take(self, job: W) -> W:
        """Take one out to be done; its line goes behind those that have had as much."""
        line, group = (job.client, job.urgent), self._wants_much(job.client)
        self._shares.charge(line, _cost(job))
        self._groups.charge(group, _cost_of_group(job, group))
        self.remove(job)
        if line in self._lines:
            self._lines.move_to_end(line)
        return job


def _cost(job: Waiting) -> float:
    return job.seconds / (URGENT_SHARE if job.urgent else 1)


def _cost_of_group(job: Waiting, wants_much: bool) -> float:
    return _cost(job) / (1 if wants_much else SHARE_OF_LITTLE)
