"""A model that cannot be had: the page draws with the bundled one, and says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request

import pytest

from tests.ui.conftest import ROOT, _free_port, _wait_for

SECRET = "hf_notATokenButLooksLikeOne0123456789"


@pytest.mark.parametrize("model", ["somebody/avatars", "a folder"])
def test_the_model_cannot_be_had(tmp_path, model):
    """The Hub is down; or the folder holds something broken."""
    if model == "a folder":
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "config.json").write_text("{}")
        model, called = str(tmp_path / "mine"), "mine"
    else:
        called = model
    address = f"http://127.0.0.1:{_free_port()}"
    environment = os.environ | {
        "AVATAR_MODEL": model,
        "HF_TOKEN": SECRET,
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
                health = json.load(answer)
                assert (health["model"], health["stands_in"]) == ("assets/model", True)
            with urllib.request.urlopen(f"{address}/config") as answer:
                assert f"The model {called} cannot be had" in answer.read().decode()
            with urllib.request.urlopen(f"{address}/avatar.png?seed=7&size=64") as answer:
                assert answer.read(4) == b"\x89PNG"
                # Under this address the real model's picture will be.
                assert answer.headers["Cache-Control"] == "no-store"
        finally:
            process.terminate()
            process.wait(20)
    said = log.read_text()
    assert "event=model_replaced" in said and model in said
    assert "Traceback" not in said and SECRET not in said


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("user/name", "user/name"),
        ("/srv/models/mine", "mine"),
        ("https://user:token@hub.example/user/name", "that was asked for"),
        ("user:token@host/name", "that was asked for"),
        ("<b>/x", "that was asked for"),
    ],
)
def test_visitors_are_told_a_name_and_no_secret(name, called):
    import app

    assert app.public_name(name) == called
