"""A model on the Hub that cannot be had: the page draws with the bundled one, and says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request

from tests.ui.conftest import ROOT, _free_port, _wait_for


def test_the_hub_is_down(tmp_path):
    address = f"http://127.0.0.1:{_free_port()}"
    environment = os.environ | {
        "AVATAR_MODEL": "somebody/avatars",
        "HF_ENDPOINT": f"http://127.0.0.1:{_free_port()}",  # where nobody listens
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(tmp_path),
        "GRADIO_SERVER_PORT": address.rpartition(":")[2],
        "GRADIO_TEMP_DIR": str(tmp_path / "files"),
        "OMP_NUM_THREADS": "1",
    }
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
        try:
            _wait_for(address, process)
            with urllib.request.urlopen(f"{address}/health") as answer:
                assert json.load(answer)["model"] == "assets/model"
            with urllib.request.urlopen(f"{address}/config") as answer:
                assert "The model somebody/avatars cannot be had" in answer.read().decode()
            with urllib.request.urlopen(f"{address}/avatar.png?seed=7&size=64") as answer:
                assert answer.read(4) == b"\x89PNG"
        finally:
            process.terminate()
            process.wait(20)
    assert "'somebody/avatars' is no folder here and could not be loaded" in log.read_text()
    assert "Traceback" not in log.read_text()
