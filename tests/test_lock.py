"""The locks and the Space's settings say what is installed and tested."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from huggingface_hub import SpaceCard
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
TEST_LOCK = (ROOT / "requirements-test.lock").read_text(encoding="utf-8")
PYTHON = re.search(r"^# .* with Python (\S+)$", LOCK, re.MULTILINE)[1]

locked = pytest.mark.skipif(
    f"{sys.version_info.major}.{sys.version_info.minor}" != PYTHON,
    reason=f"only with Python {PYTHON} are the locked versions installed",
)


def pins(lock):
    """Names and versions."""
    return dict(re.findall(r"^([\w.-]+)==([\w.+!-]+)", lock, re.MULTILINE))


def installed(name):
    """Its version, "+cpu" left off. None: it is for another system, or what a Space adds."""
    try:
        return Version(version(name)).public
    except PackageNotFoundError:
        return "none" if name in pins(LOCK) else None


def test_every_requirement_is_pinned_as_it_may_be():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has none")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    page = [Requirement(line) for line in lines if not line.startswith("#")]
    assert {w.name for w in page} - {*pins(LOCK)} == {"torch"}  # of which there are several builds
    tools = [Requirement(line) for e in project["optional-dependencies"].values() for line in e]
    for wanted in [*page, *tools]:
        if wanted.name != project["name"]:
            assert pins(TEST_LOCK).get(wanted.name, "not") in wanted.specifier, wanted


def test_the_locks_agree():
    assert pins(LOCK).items() < pins(TEST_LOCK).items()


def test_every_pin_of_the_page_has_a_hash():
    entries = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) == len(pins(LOCK)) > 50
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)


@locked
def test_the_locked_versions_are_installed():
    found = {name: (installed(name), pin) for name, pin in pins(TEST_LOCK).items()}
    wrong = [
        f"{name} {got} ({pin})" for name, (got, pin) in found.items() if got not in (None, pin)
    ]
    assert not wrong, (
        f"installed (locked): {', '.join(wrong)}. `make -B .venv/test` installs what is locked, "
        "`make lock` locks what requirements.txt and pyproject.toml ask for"
    )


def test_the_space_asks_for_what_is_locked():
    front = SpaceCard.load(ROOT / "README.md").data.to_dict()
    assert front["sdk_version"] == pins(LOCK)["gradio"]
    assert front["python_version"] == PYTHON
    assert f"LOCK_PYTHON := {PYTHON}\n" in (ROOT / "Makefile").read_text(encoding="utf-8")


@locked
def test_what_a_space_adds_goes_with_what_is_locked():
    """It installs ``gradio[oauth,mcp]`` in the same command as our ``requirements.txt``."""
    for wanted in map(Requirement, requires("gradio")):
        if wanted.name in pins(LOCK):
            for extra in ("", "oauth", "mcp"):
                if not wanted.marker or wanted.marker.evaluate({"extra": extra}):
                    assert pins(LOCK)[wanted.name] in wanted.specifier, wanted
