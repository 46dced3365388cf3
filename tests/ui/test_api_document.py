"""The examples of docs/api.md, run as they stand there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from avatar_model import Vocabulary
from ui.from_name import looks_and_seed

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
EXAMPLES = re.findall(
    r"^```(\w+)\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.DOTALL | re.MULTILINE
)


def run(server, folder, language):
    """The output of all examples in a language, one after the other."""
    program = {"python": [sys.executable, "-c"], "bash": ["bash", "-euc"]}[language]
    output = ""
    for kind, text in EXAMPLES:
        if kind == language:
            text = text.replace("http://127.0.0.1:7860", server)
            done = subprocess.run(
                [*program, text], cwd=folder, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, done.stderr
            output += done.stdout
    return output


def test_curl(server, tmp_path):
    output = run(server, tmp_path, "bash")
    with Image.open(tmp_path / "avatar.webp") as image:
        assert (image.format, image.size) == ("WEBP", (512, 512))
    with Image.open(tmp_path / "ada.png") as image:
        assert image.size == (256, 256)
    assert '{"error":"hair 500 is out of range; it has values 0..110"}' in output
    assert "event: complete" in output and "avatar-7.png" in output


def test_python(server, tmp_path):
    output = run(server, tmp_path, "python")
    assert "avatar-7.png 7 " in output and "avatars-7.png" in output
    hair = looks_and_seed("Ada Lovelace", Vocabulary.numbered())["hair"]
    assert f"\nhair {hair}\n" in f"\n{output}" and f"  # hair {hair}\n" in DOCUMENT.read_text(
        "utf-8"
    )


def test_picture(server):
    (html,) = [text for kind, text in EXAMPLES if kind == "html"]
    address = re.search(r'src="([^"]*)"', html)[1].replace("http://127.0.0.1:7860", server)
    content = subprocess.run(["curl", "-sf", address], capture_output=True, check=True).stdout
    assert content.startswith(b"\x89PNG")


def test_there_is_something_to_run():
    assert {kind for kind, _ in EXAMPLES} == {"html", "bash", "python"}
