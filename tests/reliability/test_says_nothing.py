"""The page, the library and the trainer say nothing to anybody, and write where they are told to.

    WATCH_SECONDS=60 python -m pytest tests/reliability/test_says_nothing.py

Each runs where every packet and every file is seen (``watched.py``). What a visitor's browser asks
others for is looked at by every test of ``tests/ui``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.train.processes import TINY

ROOT = Path(__file__).parents[2]
ALONE = ("unshare", "--net", "--mount")
SET = {"GRADIO_ANALYTICS_ENABLED", "GRADIO_SHARE", "GRADIO_RUN_HISTORY", "GRADIO_MCP_SERVER"}
"""What a shell may have set to "True"."""
DRAW = """
from avatar_model import AvatarPipeline
AvatarPipeline.from_pretrained(MODEL)({"hair": 3}, seed=7).images[0].save(GIVEN + "/avatar.png")
"""
TELL = """
import os, pathlib, socket, urllib.request
pathlib.Path.home().joinpath("device-id").touch()
os.mkdir("/var/tmp/of-tellers")
for reach in (
    lambda: urllib.request.urlopen("http://who.example.org"),
    lambda: socket.create_connection(("192.0.2.1", 443)),
    lambda: socket.create_connection(("2001:db8::1", 443)),
    lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"me", ("198.51.100.1", 99)),
):
    try:
        reach()
    except OSError:
        pass
"""


@pytest.fixture(scope="module", autouse=True)
def alone():
    """Skip where there cannot be a network of one's own."""
    if not all(map(shutil.which, ("unshare", "ip", "mount"))):
        pytest.skip("needs unshare, mount and ip, of util-linux and iproute2")
    if os.geteuid() or subprocess.run([*ALONE, "true"], check=False).returncode:
        pytest.skip("needs root, who may make a network of their own")
    for place in map(Path, (ROOT, sys.prefix, sys.base_prefix)):
        if any(map(os.path.ismount, [place, *place.parents][:-2])):
            pytest.skip(f"{place} is below a mount, which what is watched could not see")


@pytest.fixture
def watch(tmp_path):
    """Starts Python where nobody can be reached; the answer waits for its end and says what it
    said to whom, and which files it wrote elsewhere than in ``tmp_path``."""

    def start(*arguments, **environment):
        more = {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", **environment}
        process = subprocess.Popen(
            [*ALONE, sys.executable, "-m", "tests.reliability.watched", sys.executable, *arguments],
            cwd=ROOT,
            env=os.environ | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

        def ended():
            out, log = process.communicate(timeout=120)
            assert process.returncode == 0, log
            told = json.loads(out)
            assert told["returncode"] == 0, log
            return told["said"], [p for p in told["wrote"] if not p.startswith(str(tmp_path))]

        return ended

    return start


def test_what_is_said_and_written_is_seen(watch):
    said, wrote = watch("-c", TELL)()
    assert "tcp 192.0.2.1:443" in said
    assert "tcp 2001:db8::1:443" in said or not Path("/proc/net/if_inet6").exists()
    assert any(re.fullmatch(r"udp .*:53 who\.example\.org", s) for s in said)
    assert "udp 198.51.100.1:99" in said
    assert wrote == [str(Path.home() / "device-id"), "/var/tmp/of-tellers"]


def test_nothing_is_said_to_anybody(watch, model, tmp_path):
    given = f"MODEL, GIVEN = {str(model)!r}, {str(tmp_path)!r}"
    small = [*TINY, "--data=drawn:20", "--batch-size=4", "--steps=2", f"--run={tmp_path / 'run'}"]
    visit = ["-m", "tests.reliability.visit_page", str(model)]
    page = watch(*visit, **dict.fromkeys(SET, "True"))  # which mostly waits
    library = watch("-c", given + DRAW)()
    trainer = watch("train/run.py", *small, AVATAR_CACHE=str(tmp_path / "cache"))()
    said, wrote = page()
    assert re.fullmatch(r"tcp 127\.0\.0\.1:\d+", "\n".join(said))  # its own port
    assert not wrote
    assert library == trainer == ([], [])
