"""The page as a visitor meets it: ``app.py`` in a process of its own, around a tiny model."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from avatar_model import ATTRIBUTES, AvatarPipeline, Vocabulary
from tests.tiny import save_with_upscaler, untrained

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
HAIR = (*range(16), 57, 110)
"""The styles this model knows: a sheet of all 111 for every drawing takes the browser seconds."""


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder: an untrained network, with a face shape and hair that never occurred."""
    torch.manual_seed(0)
    network = untrained(image_size=64)
    counts = {a.name: [1] * a.num_values for a in ATTRIBUTES}
    counts["face_shape"][6] = 0
    counts["hair"] = [int(value in HAIR) for value in range(111)]
    labels = {
        "eye_lashes": ["none", "long lashes"],
        "glasses": [*(f"glasses {value}" for value in range(11)), "none"],
    }
    vocabulary = Vocabulary.from_options(labels, counts)
    folder = tmp_path_factory.mktemp("model")
    AvatarPipeline(network, vocabulary).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def pipeline(model: Path) -> AvatarPipeline:
    """The same in this process."""
    return AvatarPipeline.from_pretrained(model)


@pytest.fixture(scope="session")
def large_model(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with an upscaler to 256 pixels."""
    return save_with_upscaler(model, tmp_path_factory.mktemp("large-model"))


@pytest.fixture(scope="session")
def large_pipeline(large_model: Path) -> AvatarPipeline:
    """The same in this process."""
    return AvatarPipeline.from_pretrained(large_model)


@pytest.fixture(scope="session")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running ``app.py``."""
    with serving(model, tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(scope="session")
def large_server(large_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same around the model with an upscaler."""
    with serving(large_model, tmp_path_factory.mktemp("large-server")) as address:
        yield address


@contextmanager
def serving(model: Path, folder: Path, port: int | None = None) -> Iterator[str]:
    """``app.py`` with this model; its log, without a traceback in it, is in ``folder``."""
    address = f"http://127.0.0.1:{port or _free_port()}"
    environment = os.environ | {
        "AVATAR_MODEL": str(model),
        "GRADIO_SERVER_PORT": address.rpartition(":")[2],
        "GRADIO_TEMP_DIR": str(folder / "files"),
        "OMP_NUM_THREADS": "1",
    }
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        try:
            _wait_for(address, process)
            yield address
            log.seek(0)
            assert "Traceback" not in (text := log.read()), text
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    from tests.ui.browsing import launched

    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def contexts() -> dict[str, Any]:
    """Browser profiles, by the screen they have; tests share them."""
    return {}


@pytest.fixture
def visit(browser: Any, contexts: dict[str, Any], server: str) -> Iterator[Any]:
    """Opens pages; at the end: no error in their console and no request to anybody else."""
    with visiting(browser, contexts, server) as visits:
        yield visits


@pytest.fixture
def large_visit(browser: Any, contexts: dict[str, Any], large_server: str) -> Iterator[Any]:
    """The same of the model with an upscaler."""
    with visiting(browser, contexts, large_server) as visits:
        yield visits


@contextmanager
def visiting(browser: Any, contexts: dict[str, Any], server: str) -> Iterator[Any]:
    """``Visits`` that are checked at the end."""
    from tests.ui.browsing import Visits

    visits = Visits(browser, contexts, server)
    yield visits
    visits.close()
    assert not visits.foreign
    assert not visits.errors


@pytest.fixture
def page(visit: Any) -> Any:
    """The opened page with its first avatar."""
    return visit()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(address: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"app.py did not start: exit code {process.poll()}")
