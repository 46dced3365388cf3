"""A server of its own, which must not have printed a traceback when all is over."""

from __future__ import annotations

import dataclasses
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from avatar_model import ATTRIBUTES, AvatarPipeline, Vocabulary
from benchmarks.app_server import AppServer, running_app
from tests.tiny import save_with_upscaler, untrained

SECRET = "hf_notATokenButLooksLikeOne0123456789"
CASES = int(os.environ.get("FUZZ_CASES", "40"))
"""Per property. The long version: FUZZ_CASES=10000."""


@dataclasses.dataclass
class Site:
    """A running page and a client for it."""

    server: AppServer
    client: httpx.Client

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET a path that starts with a slash."""
        return self.client.get(self.server.address + path, **options)

    def generate(self, body: str, call: str = "call/v2") -> tuple[int, str]:
        """Status and text of ``/generate`` for a body that should be JSON.

        Args:
            call: "call/v2" takes parameters by name, "call" a list under "data".
        """
        answer = self.client.post(
            f"{self.server.address}/gradio_api/{call}/generate",
            content=body.encode("utf-8", "surrogatepass"),
            headers={"Content-Type": "application/json"},
        )
        if answer.status_code != 200:
            return answer.status_code, answer.text
        event = answer.json()["event_id"]
        answer = self.get(f"/gradio_api/call/generate/{event}")
        return answer.status_code, answer.text

    def post(self, path: str, body: Any) -> httpx.Response:
        """POST JSON to a path that starts with a slash."""
        return self.client.post(self.server.address + path, json=body)

    def draw(self, **values: Any) -> tuple[str, Any]:
        """The event ("complete" or "error") that ``/generate`` ends in, and its data."""
        _, text = self.generate(json.dumps(values))
        return last_event(text)

    def opened(self, query: dict[str, str], remembered: Any, board: Any) -> list[dict[str, Any]]:
        """What the event of an opening page is answered with: all messages of its stream.

        Args:
            query: of the page's address.
            remembered: what the browser says it remembers.
            board: what it says is locked.
        """
        config = self.get("/config").json()
        values = {c["id"]: c["props"].get("value") for c in config["components"]}
        ids = {c["props"].get("elem_id"): c["id"] for c in config["components"]}
        memory = next(i for i, v in values.items() if isinstance(v, dict) and "picked" in v)
        values |= {memory: remembered, ids["board"]: board}
        loads = [d for d in config["dependencies"] if any(t[1] == "load" for t in d["targets"])]
        opening = max(loads, key=lambda d: len(d["inputs"]))
        session = uuid.uuid4().hex
        body = {
            "fn_index": opening["id"],
            "data": [values[i] for i in opening["inputs"]],
            "session_hash": session,
        }
        joined = self.client.post(
            f"{self.server.address}/gradio_api/queue/join",
            params=query,
            content=json.dumps(body).encode("utf-8", "surrogatepass"),
            headers={"Content-Type": "application/json"},
        )
        assert joined.status_code == 200, joined.text
        text = self.get(f"/gradio_api/queue/data?session_hash={session}").text
        return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def last_event(stream: str) -> tuple[str, Any]:
    """Its name and data; before it are heartbeats if it took more than 15 s."""
    name, _, data = stream.strip().rpartition("event: ")[2].partition("\ndata: ")
    return name, json.loads(data)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder: an untrained network, with a face shape that never occurred."""
    torch.manual_seed(0)
    network = untrained(image_size=64)
    counts = {a.name: [1] * a.num_values for a in ATTRIBUTES}
    counts["face_shape"][6] = 0
    folder = tmp_path_factory.mktemp("model")
    AvatarPipeline(network, Vocabulary.numbered(counts)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def pipeline(model: Path) -> AvatarPipeline:
    """The same in this process."""
    return AvatarPipeline.from_pretrained(model)


@pytest.fixture(scope="session")
def large_model(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same checkpoint with an upscaler to 256 pixels."""
    return save_with_upscaler(model, tmp_path_factory.mktemp("large-model"))


@pytest.fixture(scope="session")
def site(large_model: Path) -> Iterator[Site]:
    """For tests that leave the server as it was."""
    environment = {
        "OMP_NUM_THREADS": "1",
        "HF_TOKEN": SECRET,
        "GRADIO_ANALYTICS_ENABLED": "True",
        "FORWARDED_ALLOW_IPS": "127.0.0.1",  # every visitor of benchmarks.load has an address
    }
    with running_app(large_model, environment) as server:
        with httpx.Client(timeout=60) as client:
            yield Site(server, client)
        log = server.log()
    assert "Traceback" not in log, log
    assert SECRET not in log
