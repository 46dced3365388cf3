"""A visitor over plain HTTP: opens the page as a browser does, asks for avatars and thumbnails."""

from __future__ import annotations

import asyncio
import html
import json
import random
import re
import time
import uuid
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

T = TypeVar("T")
THUMBNAILS_AT_ONCE = 6
"""As many connections as a browser opens to one server over HTTP/1.1."""
IN_SIGHT = 24
"""Thumbnails that a large window shows without scrolling."""


class RequestError(Exception):
    """An answer that is not what was asked for; the message says what came."""


@dataclass
class Record:
    """What has been measured.

    Attributes:
        seconds: per kind of request, one number per good answer.
        errors: one sentence per bad answer.
        memory: of the server, in MiB, where it was looked at.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """Answers, good and bad."""
        return sum(map(len, self.seconds.values())) + len(self.errors)


class Visitor:
    """One browser.

    Args:
        address: of the server.
        number: 0..65535; gives the visitor an address of its own, as a proxy would tell it.
        record: where its requests are written down.
    """

    def __init__(
        self, client: httpx.AsyncClient, address: str, number: int, record: Record
    ) -> None:
        self._client = client
        self._address = address
        self._headers = {"X-Forwarded-For": f"10.1.{number >> 8}.{number & 255}"}
        self._record = record
        self._random = random.Random(number)
        self._thumbnails: list[str] = []

    async def open_page(self) -> None:
        """The page, the avatar that it opens with, and the addresses of its thumbnails."""
        config = await self._measured("page", self._config())
        if config is None:
            return
        loads = [d for d in config["dependencies"] if any(t[1] == "load" for t in d["targets"])]
        event = max(loads, key=lambda d: len(d["inputs"]))  # the others only restore what is saved
        values = {c["id"]: c["props"].get("value") for c in config["components"]}
        answer = await self._measured(
            "first drawing", self._event(event["id"], [values[i] for i in event["inputs"]])
        )
        addresses = re.findall(r"avatar\.png\?[^\"'\\ ]+", json.dumps(answer))
        self._thumbnails = [html.unescape(a) for a in addresses]

    async def generate(self) -> None:
        """One avatar through ``/generate``, and its file."""
        looks = {"hair": self._random.randrange(100), "num_images": 1}
        await self._measured("generate", self._generate(looks))

    async def thumbnails(self, most: int = IN_SIGHT) -> None:
        """Thumbnails of the opened sheet around another seed, some at a time."""
        seed = self._random.randrange(2**32)
        addresses = [re.sub(r"seed=\d+", f"seed={seed}", a) for a in self._thumbnails[:most]]
        for i in range(0, len(addresses), THUMBNAILS_AT_ONCE):
            await asyncio.gather(
                *(
                    self._measured("thumbnail", self._picture(a))
                    for a in addresses[i : i + THUMBNAILS_AT_ONCE]
                )
            )

    async def _measured(self, kind: str, request: Awaitable[T]) -> T | None:
        start = time.perf_counter()
        try:
            answer = await request
        except (httpx.HTTPError, RequestError, ValueError) as error:
            self._record.errors.append(f"{kind}: {type(error).__name__} {error}"[:300])
            return None
        self._record.seconds.setdefault(kind, []).append(time.perf_counter() - start)
        return answer

    async def _send(self, path: str, body: object = None) -> httpx.Response:
        """The answer to a GET, or with a ``body`` to a POST."""
        method = "GET" if body is None else "POST"
        answer = await self._client.request(
            method, f"{self._address}/{path}", json=body, headers=self._headers
        )
        if answer.status_code != 200:
            raise RequestError(f"status {answer.status_code}: {answer.text[:200]}")
        return answer

    async def _config(self) -> dict[str, Any]:
        await self._send("")
        return (await self._send("config")).json()

    async def _picture(self, path: str) -> None:
        if not (await self._send(path)).content.startswith(b"\x89PNG"):
            raise RequestError("no PNG")

    async def _event(self, number: int, data: list[Any]) -> Any:
        """One of the page's own events, until its answer."""
        session = uuid.uuid4().hex
        await self._send(
            "gradio_api/queue/join",
            {"fn_index": number, "data": data, "session_hash": session, "event_data": None},
        )
        path = f"{self._address}/gradio_api/queue/data?session_hash={session}"
        async with self._client.stream("GET", path, headers=self._headers) as stream:
            async for line in stream.aiter_lines():
                if not line.startswith("data: "):
                    continue
                message = json.loads(line[6:])
                if message["msg"] == "process_completed":
                    if not message["success"]:
                        raise RequestError(str(message["output"]))
                    return message["output"]["data"]
        raise RequestError("the stream ended early")

    async def _generate(self, values: dict[str, Any]) -> None:
        event = (await self._send("gradio_api/call/v2/generate", values)).json()["event_id"]
        text = (await self._send(f"gradio_api/call/generate/{event}")).text
        if "event: complete" not in text:
            raise RequestError(text[:200])
        files, _ = json.loads(text.rpartition("event: complete\ndata: ")[2])
        await self._picture(f"gradio_api/file={files[0]['path']}")
