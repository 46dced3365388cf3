"""Many visitors at once on loopback: latency, throughput, errors, and the server's memory.

    python -m benchmarks.load --visitors 50 --seconds 120   # think times, pages, avatars, sheets
    python -m benchmarks.load --burst 200                   # all at the same moment
    python -m benchmarks.load --soak 2000                   # memory

Starts ``app.py`` by itself and stops it. Everything is bounded in number and in time.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time

import httpx
import numpy as np
import psutil

from train.command import command

from .app_server import AppServer, running_app
from .measure import DEFAULT_MODEL, Model, machine, table
from .visitor import Record, Visitor

THINK_SECONDS = (1.0, 9.0)
"""Between two actions of a visitor, evenly distributed."""
SHEETS = 0.3
"""Share of a visitor's actions that opens a sheet of thumbnails; the others ask for an avatar."""
SOAK_WORKERS = 4
WARM_UP = 1500
"""Requests until all that the server remembers is full."""
TIMEOUT_SECONDS = 90
LOG_TAIL = 4000
"""Characters of the server's log that are shown if something went wrong."""


async def run_visitors(server: AppServer, count: int, seconds: float) -> Record:
    """``count`` visitors who arrive within the first tenth of the time and stay until its end."""
    record = Record()
    end = time.monotonic() + seconds

    async def stay(number: int) -> None:
        luck = random.Random(number)
        await asyncio.sleep(luck.uniform(0, seconds / 10))
        visitor = Visitor(client, server.address, number, record)
        await visitor.open_page()
        await visitor.thumbnails()
        while (pause := luck.uniform(*THINK_SECONDS)) < end - time.monotonic():
            await asyncio.sleep(pause)
            await (visitor.thumbnails() if luck.random() < SHEETS else visitor.generate())

    async with patient_client() as client:
        await asyncio.gather(*map(stay, range(count)))
    return record


async def run_burst(server: AppServer, count: int) -> Record:
    """``count`` visitors, each of whom asks for one avatar, at the same moment."""
    record = Record()
    async with patient_client() as client:
        everybody = [Visitor(client, server.address, i, record) for i in range(count)]
        await asyncio.gather(*(visitor.generate() for visitor in everybody))
    return record


async def run_soak(server: AppServer, count: int, warm_up: int = WARM_UP) -> Record:
    """``warm_up`` and then ``count`` requests of ever new visitors, four at a time.

    The server's memory is looked at after the warm-up, and ten times on the way.
    """
    record = Record()
    arrivals = iter(range(65536))
    marks = [warm_up + count * i // 10 for i in range(11)]

    async def work() -> None:
        while marks:
            visitor = Visitor(client, server.address, next(arrivals), record)
            await visitor.open_page()
            await visitor.thumbnails(6)
            for _ in range(4):
                await visitor.generate()
            while marks and record.requests >= marks[0]:
                record.memory.append(resident(server))
                del marks[0]

    async with patient_client() as client:
        await asyncio.gather(*(work() for _ in range(SOAK_WORKERS)))
    return record


def resident(server: AppServer) -> float:
    """MiB of the server's memory that are in RAM."""
    return psutil.Process(server.process.pid).memory_info().rss / 2**20


def report(record: Record, seconds: float) -> str:
    """A table of latencies, and the sums below it."""
    rows = [
        [kind, len(values), *np.percentile(values, (50, 95, 99, 100))]
        for kind, values in record.seconds.items()
    ]
    answered = sum(map(len, record.seconds.values()))
    answers = f"{answered} answers in {seconds:.1f} s, {answered / seconds:.1f} per second"
    lines = [
        table(["request", "answers", "p50, s", "p95, s", "p99, s", "slowest, s"], rows),
        f"{len(record.errors)} errors, {answers}",
        *sorted(set(record.errors))[:5],
    ]
    return "\n\n".join(lines)


def patient_client() -> httpx.AsyncClient:
    """For many who wait long; it keeps no connection that the server is about to close."""
    # Uvicorn hangs up after 5 s without a request: by then nothing may be on its way to it.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=2)
    return httpx.AsyncClient(limits=limits, timeout=TIMEOUT_SECONDS)


def main(
    model: Model = DEFAULT_MODEL,
    visitors: int | None = None,
    seconds: float = 120,
    burst: int | None = None,
    soak: int | None = None,
) -> None:
    """Start a server for each load that is asked for, and print what was measured.

    Args:
        visitors: how many open the page, think, and ask.
        seconds: how long the visitors stay.
        burst: how many ask for an avatar at the same moment.
        soak: how many requests after the warm-up.
    """
    print(machine())
    bad = False
    for name, count in {"visitors": visitors, "burst": burst, "soak": soak}.items():
        if count is None:
            continue
        with running_app(model, {"FORWARDED_ALLOW_IPS": "127.0.0.1"}) as server:
            asyncio.run(run_burst(server, 1))  # a server that has generated before
            start, before = time.monotonic(), resident(server)
            if name == "visitors":
                record = asyncio.run(run_visitors(server, count, seconds))
            else:
                record = asyncio.run((run_burst if name == "burst" else run_soak)(server, count))
            print(f"\n## {name} {count}\n\n{report(record, time.monotonic() - start)}")
            print(f"\nmemory: {before:.0f} MiB before, {resident(server):.0f} MiB after")
            log = server.log()
        if record.memory:
            first, *later = record.memory
            told = ", ".join(f"{m:.0f}" for m in later)
            print(f"after warm-up {first:.0f} MiB, then {told}: {later[-1] / first - 1:+.1%}")
        if broken := "Traceback" in log:
            print(f"\nin the server's log:\n{log[-LOG_TAIL:]}")
        bad |= broken or bool(record.errors)
    sys.exit(bad)


if __name__ == "__main__":
    command(main, __doc__)()
