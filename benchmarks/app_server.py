"""``python app.py`` in a process of its own on loopback, for load and faults."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from avatar_model.errors import AvatarError

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120


class StartError(AvatarError):
    """The page did not start; the message has what it printed."""


@dataclass(frozen=True)
class AppServer:
    """A running page.

    Attributes:
        address: ``http://127.0.0.1:PORT``.
        process: the server's.
        log_file: what it has printed so far.
    """

    address: str
    process: subprocess.Popen[bytes]
    log_file: Path

    def log(self) -> str:
        """Standard output and error so far."""
        return self.log_file.read_text(encoding="utf-8")


@contextmanager
def running_app(
    model: str | Path,
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
    *,
    root: Path = ROOT,
    python: str | Path | Sequence[str] = sys.executable,
) -> Iterator[AppServer]:
    """Start the page around a model and stop it afterwards.

    Args:
        environment: variables to add, such as ``GRADIO_TEMP_DIR``.
        port: a free one by default.
        root: where ``app.py`` is.
        python: what runs it, perhaps with words before.

    Raises:
        StartError: it did not start.
    """
    port = port or _free_port()
    before = [str(python)] if isinstance(python, (str, Path)) else python
    with tempfile.TemporaryDirectory() as folder:
        variables = os.environ | {
            "PYTHONUNBUFFERED": "1",
            "AVATAR_MODEL": str(model),
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_TEMP_DIR": str(Path(folder) / "files"),
            **(environment or {}),
        }
        log = Path(folder) / "log"
        with log.open("w", encoding="utf-8") as out:
            process = subprocess.Popen(
                [*before, "app.py"], cwd=root, env=variables, stdout=out, stderr=out
            )
        server = AppServer(f"http://127.0.0.1:{port}", process, log)
        try:
            _wait_for(server)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(server: AppServer) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        with suppress(OSError):
            urllib.request.urlopen(f"{server.address}/health", timeout=5).close()
            return
        time.sleep(0.1)
    raise StartError(f"app.py did not start:\n{server.log()}")
