"""Hostile clients on loopback beside a light visitor, and the memory that sessions leave.

    python -m benchmarks.under_attack --hostile 40      # what a light visitor waits beside them
    python -m benchmarks.under_attack --sessions 500    # memory after so many with 16 pictures each

Starts ``app.py`` by itself and stops it. Everything is bounded in number and in time.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from collections import Counter
from contextlib import suppress

import httpx
import numpy as np

from train.command import command

from .app_server import AppServer, running_app
from .load import patient_client, resident
from .measure import DEFAULT_MODEL, Model, machine, table

ENVIRONMENT = {"FORWARDED_ALLOW_IPS": "127.0.0.1"}
"""Everybody has an address, as a proxy would tell it."""
LOOKS = 20
"""Avatars of the light visitor, of which the median counts."""
AT_ONCE = 8
"""What each hostile client has under way."""
SETTLE_SECONDS = 5


class Client:
    """Somebody with an address.

    Args:
        number: 0..65535.
    """

    def __init__(self, client: httpx.AsyncClient, address: str, number: int) -> None:
        self._client, self.address = client, address
        self._headers = {"X-Forwarded-For": f"10.2.{number >> 8}.{number & 255}"}
        self._luck = random.Random(number)

    async def get(self, path: str) -> int:
        """The status of an answer."""
        return (await self._client.get(self.address + path, headers=self._headers)).status_code

    async def hang_up(self, path: str, after: float) -> int:
        """Ask, and leave without the answer."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.get(path), after)
        return 0

    async def event(self, number: int, data: list, query: str = "", listen: bool = True) -> int:
        """Cause an event of the page; its status, or that of the stream with its answer."""
        session = uuid.uuid4().hex
        body = {"fn_index": number, "data": data, "session_hash": session, "event_data": None}
        joined = await self._client.post(
            f"{self.address}/gradio_api/queue/join?{query}", json=body, headers=self._headers
        )
        if joined.status_code != 200 or not listen:
            return joined.status_code
        return await self.get(f"/gradio_api/queue/data?session_hash={session}")

    async def attack(self, film: int, state: dict) -> int:
        """One thing out of several that cost much."""
        luck, seed = self._luck.random(), self._luck.randrange(2**32)
        heavy = f"seed={seed}&num_inference_steps=50&guidance_scale=9&guidance_method=classic"
        if luck < 0.2:
            return await self.event(film, [state], listen=False)
        if luck < 0.3:
            return await self.event(film, [state])
        if luck < 0.5:
            return await self.get(f"/avatar.png?{heavy}&size=1024")
        if luck < 0.6:
            return await self.get(f"/avatars.zip?{heavy}&num_images=16")
        if luck < 0.8:
            return await self.hang_up("/avatar.png?seed=7&hair=3&size=1024", 0.05)
        return await self.get(f"/avatar.svg?seed={self._luck.randrange(50)}&size=1024")


def event_number(config: dict, trigger: str, name: str = "click") -> int:
    """Of the event of the component with an ``elem_id``."""
    ids = {c["props"].get("elem_id"): c["id"] for c in config["components"]}
    events = config["dependencies"]
    return next(e["id"] for e in events if [ids[trigger], name] in map(list, e["targets"]))


async def beside_hostile(
    server: AppServer, count: int, looks: int = LOOKS, settle: float = SETTLE_SECONDS
) -> dict[str, list[float]]:
    """What a light visitor waits for a page, for ``/health`` and for an avatar, in seconds."""
    waited: dict[str, list[float]] = {"page": [], "health": [], "avatar": []}
    said: Counter[int] = Counter()
    async with (
        patient_client() as theirs,
        httpx.AsyncClient(timeout=90) as mine,
    ):
        config = (await mine.get(f"{server.address}/config")).json()
        film, state = event_number(config, "show-film"), {"now": "hair=3&seed=7", "picked": 0}

        async def keep_on(number: int) -> None:
            client = Client(theirs, server.address, number)
            while not over.is_set():
                try:
                    said[await client.attack(film, state)] += 1
                except httpx.HTTPError:
                    said[-1] += 1
                    await asyncio.sleep(0.1)

        over = asyncio.Event()
        attackers = [asyncio.create_task(keep_on(i)) for i in range(count) for _ in range(AT_ONCE)]
        await asyncio.sleep(settle)
        light = Client(mine, server.address, 60_000)
        for look in range(looks):
            for kind, path in (
                ("page", "/"),
                ("health", "/health"),
                ("avatar", f"/avatar.png?hair={look}&seed={look}&size=256"),
            ):
                start = time.perf_counter()
                status = await light.get(path)
                assert status == 200, (kind, status)
                waited[kind].append(time.perf_counter() - start)
            await asyncio.sleep(0.5)
        over.set()
        for attacker in attackers:
            attacker.cancel()
        await asyncio.gather(*attackers, return_exceptions=True)
    print(f"answers to them by status: {dict(said)}; {resident(server):.0f} MiB")
    return waited


async def fill_sessions(server: AppServer, count: int) -> list[float]:
    """Memory in MiB before, and after each tenth of sessions that have 16 pictures drawn."""
    marks = [resident(server)]
    async with patient_client() as theirs:
        config = (await theirs.get(f"{server.address}/config")).json()
        loads = [d for d in config["dependencies"] if any(t[1] == "load" for t in d["targets"])]
        opening = max(loads, key=lambda d: len(d["inputs"]))
        values = {c["id"]: c["props"].get("value") for c in config["components"]}
        data = [values[i] for i in opening["inputs"]]
        arrivals = itertools.count()

        async def stay() -> None:
            while (number := next(arrivals)) < count:
                client = Client(theirs, server.address, number)
                query = f"seed={number % 20}&num_images=16"
                assert await client.event(opening["id"], data, query) == 200
                if number % max(count // 10, 1) == 0:
                    marks.append(resident(server))

        await asyncio.gather(*(stay() for _ in range(4)))
    return [*marks, resident(server)]


def main(
    model: Model = DEFAULT_MODEL, hostile: int | None = None, sessions: int | None = None
) -> None:
    """Attack a server of its own, and print what was measured.

    Args:
        hostile: how many clients attack while somebody asks for avatars.
        sessions: how many sessions have 16 pictures drawn.
    """
    print(machine())
    if hostile is not None:
        with running_app(model, ENVIRONMENT) as server:
            waited = asyncio.run(beside_hostile(server, hostile))
        rows = [[kind, len(s), np.median(s), max(s)] for kind, s in waited.items()]
        print(table([f"beside {hostile} hostile clients", "answers", "p50, s", "slowest, s"], rows))
    if sessions is not None:
        with running_app(model, ENVIRONMENT) as server:
            marks = asyncio.run(fill_sessions(server, sessions))
        print(f"MiB on the way: {', '.join(f'{mark:.0f}' for mark in marks)}")


if __name__ == "__main__":
    command(main, __doc__)()
