"""Many visitors at once on loopback: latency, throughput, errors, and the server's memory.

    python -m benchmarks.load --visitors 50 --seconds 120   # think times, pages, avatars, sheets
    python -m benchmarks.load --burst 200                   # all at the same moment
    python -m benchmarks.load --soak 2000                   # memory

Starts ``app.py`` by itself and stops it. Everything is bounded in number and in time.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import time

import httpx
import psutil

from .app_server import AppServer, running_app
from .measure import DEFAULT_MODEL, machine, table
from .visitor import Record, Visitor

THINK_SECONDS = (1.0, 9.0)
"""Between two actions of a visitor, evenly distributed."""
SHEETS = 0.3
"""Share of a visitor's actions that opens a sheet of thumbnails; the others draw an avatar."""
SOAK_WORKERS = 4
WARM_UP = 1500
"""Requests until all that the server remembers is full."""
TIMEOUT = httpx.Timeout(90)


async def visitors(address: str, count: int, seconds: float) -> Record:
    """``count`` visitors who arrive within the first tenth of the time and stay until its end."""
    record = Record()
    end = time.monotonic() + seconds

    async def stay(number: int) -> None:
        luck = random.Random(number)
        await asyncio.sleep(luck.uniform(0, seconds / 10))
        visitor = Visitor(client, address, number, record)
        await visitor.open_page()
        await visitor.thumbnails()
        while (pause := luck.uniform(*THINK_SECONDS)) < end - time.monotonic():
            await asyncio.sleep(pause)
            await (visitor.thumbnails() if luck.random() < SHEETS else visitor.generate())

    async with _client() as client:
        await asyncio.gather(*map(stay, range(count)))
    return record


async def burst(address: str, count: int) -> Record:
    """``count`` visitors, each of whom asks for one avatar, at the same moment."""
    record = Record()
    async with _client() as client:
        everybody = [Visitor(client, address, number, record) for number in range(count)]
        await asyncio.gather(*(visitor.generate() for visitor in everybody))
    return record


async def soak(server: AppServer, count: int, warm_up: int = WARM_UP) -> tuple[Record, list[float]]:
    """``warm_up`` and then ``count`` requests of ever new visitors, four at a time.

    Returns:
        what was measured, and the server's resident memory in MiB: after the warm-up, and ten
        times on the way.
    """
    record, memory = Record(), []
    arrivals = iter(range(65536))
    marks = [warm_up + count * i // 10 for i in range(11)]

    async def work() -> None:
        while record.requests < marks[-1]:
            visitor = Visitor(client, server.address, next(arrivals), record)
            await visitor.open_page()
            await visitor.thumbnails(6)
            for _ in range(4):
                await visitor.generate()
            while len(memory) < len(marks) and record.requests >= marks[len(memory)]:
                memory.append(resident(server))

    async with _client() as client:
        await asyncio.gather(*(work() for _ in range(SOAK_WORKERS)))
    return record, memory


def resident(server: AppServer) -> float:
    """MiB of the server's memory that are in RAM."""
    return psutil.Process(server.process.pid).memory_info().rss / 2**20


def report(record: Record, seconds: float) -> str:
    """A table of latencies, and the sums below it."""
    rows = [
        [kind, len(values), statistics.median(values), *_tail(values), max(values)]
        for kind, values in record.seconds.items()
    ]
    answered = sum(map(len, record.seconds.values()))
    lines = [
        table(["request", "answers", "p50, s", "p95, s", "p99, s", "slowest, s"], rows),
        f"{len(record.errors)} errors, {answered} answers in {seconds:.1f} s, "
        f"{answered / seconds:.1f} per second",
        *sorted(set(record.errors))[:5],
    ]
    return "\n\n".join(lines)


def _tail(values: list[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return tuple(ordered[min(len(ordered) - 1, int(len(ordered) * p))] for p in (0.95, 0.99))


def _client() -> httpx.AsyncClient:
    # Uvicorn hangs up after 5 s without a request: by then nothing may be on its way to it.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=2)
    return httpx.AsyncClient(limits=limits, timeout=TIMEOUT)


def main() -> None:
    """Start a server for each load that is asked for, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--visitors", type=int)
    parser.add_argument("--seconds", type=float, default=120, help="that the visitors stay")
    parser.add_argument("--burst", type=int)
    parser.add_argument("--soak", type=int)
    arguments = parser.parse_args()
    print(machine())
    bad = False
    for name in ("visitors", "burst", "soak"):
        if (count := getattr(arguments, name)) is None:
            continue
        with running_app(arguments.model) as server:
            asyncio.run(burst(server.address, 1))  # a server that has drawn before
            start, before = time.monotonic(), resident(server)
            memory: list[float] = []
            if name == "visitors":
                record = asyncio.run(visitors(server.address, count, arguments.seconds))
            elif name == "burst":
                record = asyncio.run(burst(server.address, count))
            else:
                record, memory = asyncio.run(soak(server, count))
            print(f"\n## {name} {count}\n\n{report(record, time.monotonic() - start)}")
            print(f"\nmemory: {before:.0f} MiB before, {resident(server):.0f} MiB after")
            if memory:
                print(
                    f"after warm-up {memory[0]:.0f} MiB, then "
                    f"{', '.join(f'{m:.0f}' for m in memory[1:])}: "
                    f"{memory[-1] / memory[0] - 1:+.1%}"
                )
            if "Traceback" in server.log():
                print(f"\nin the server's log:\n{server.log()[-4000:]}")
            bad |= bool(record.errors) or "Traceback" in server.log()
    sys.exit(bad)


if __name__ == "__main__":
    main()
