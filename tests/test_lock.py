"""The lock file and the Space's settings say what is installed and tested."""

from __future__ import annotations

import re
from pathlib import Path

from huggingface_hub import SpaceCard
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINNED = dict(re.findall(r"^([\w.-]+)==(\S+) \\$", LOCK, re.MULTILINE))


def test_every_requirement_is_pinned_as_it_may_be():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if not line.startswith("#")]
    assert {w.name for w in wanted} - {*PINNED} == {"torch"}  # of which there are several builds
    for requirement in wanted:
        if requirement.name != "torch":
            assert PINNED[requirement.name] in requirement.specifier, requirement


def test_every_pin_has_a_hash():
    entries = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) == len(PINNED) > 50
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)


def test_the_space_asks_for_what_is_locked():
    front = SpaceCard.load(ROOT / "README.md").data.to_dict()
    assert front["sdk_version"] == PINNED["gradio"]
    assert f"made with Python {front['python_version']} " in LOCK
