"""The first start of a Space: what ``train.push_space`` sends, in a fresh virtual environment.

    python -m benchmarks.space_start

Installs what a Space installs, in one command as the Hub does, which takes minutes and over a
gigabyte, and asks the page that ``app.py`` serves there for one avatar.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from gradio_client import Client

from benchmarks.app_server import running_app
from benchmarks.measure import machine
from train.command import command
from train.hub.space_folder import REQUIREMENTS_FILE, stage


def main() -> None:
    """Print how long each part took."""
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        space, environment = Path(folder) / "space", Path(folder) / "venv"
        space.mkdir()
        front = stage(space, None, ())
        start = time.perf_counter()
        venv.create(environment, with_pip=True)
        python = environment / "bin" / "python"
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run(
            [
                *pip,
                *("-r", str(space / REQUIREMENTS_FILE)),
                f"gradio[oauth,mcp]=={front['sdk_version']}",
                *("uvicorn>=0.14.0", "websockets>=10.4", "spaces"),
            ],
            check=True,
        )
        print(f"installed after {time.perf_counter() - start:.0f} s")
        start = time.perf_counter()
        # Nothing of this checkout may be found from there.
        variables = {name: "" for name in ("PYTHONPATH", "VIRTUAL_ENV") if name in os.environ}
        with running_app("assets/model", variables, root=space, python=python) as server:
            print(f"page after {time.perf_counter() - start:.1f} s")
            start = time.perf_counter()
            (picture, *_), _ = Client(server.address, verbose=False).predict(
                hair=12, seed=7, api_name="/generate"
            )
            size = Path(picture).stat().st_size
            print(f"avatar after another {time.perf_counter() - start:.1f} s, {size:,} bytes")
            if "Traceback" in server.log():
                sys.exit(server.log())


if __name__ == "__main__":
    command(main, __doc__)()
