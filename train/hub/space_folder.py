"""What a Space of the Hugging Face Hub consists of: which files, and the README that describes it.

Nothing here talks to the Hub.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from huggingface_hub import SpaceCard, SpaceCardData

from train.hub.errors import HubError
from train.hub.model_card import CARD_FILE, CARTOON_SET_REPO
from train.hub.upload import FILES

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = Path(__file__).with_name("space_card.md")

SENT = ("app.py", "ui", "avatar_model", "assets", "LICENSE")
"""What the page needs to run, and its licence; the rest is written for the Space."""

REQUIREMENTS_FILE = "requirements.txt"

CHECKPOINTS = ("assets/model", "assets/classifier")
"""Folders of which only the files of a published checkpoint go along."""

MAX_DESCRIPTION = 60
"""Characters of ``short_description`` that the Hub accepts."""


def stage(folder: Path, model: str | None, preload: tuple[str, ...]) -> dict[str, Any]:
    """Put the Space together in an empty folder.

    Args:
        model: Hub repository that the page loads; None for the bundled ``assets/model``.
        preload: files of ``model`` that become part of the Space's image when it is built.

    Returns:
        The front matter of its ``README.md``.

    Raises:
        HubError: a file is missing, or the front matter is not what the Hub accepts.
    """
    for source in _files():
        target = folder / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    (folder / REQUIREMENTS_FILE).write_text(requirements(), "utf-8")
    front = front_matter(model, preload)
    card = SpaceCard.from_template(
        SpaceCardData(**front), template_path=str(TEMPLATE), title=front["title"], model=model
    )
    (folder / CARD_FILE).write_text(f"{str(card).rstrip()}\n", "utf-8")
    return front


def requirements() -> str:
    """What a Space installs: the locked versions, which are what the tests run with.

    Without hashes: the Space's own packages, which pip installs in the same command, have none. The
    page's lock leaves torch out, so that one is from the tests'.

    Raises:
        HubError: a lock is missing.
    """
    pins = [
        *re.findall(r"^torch==\S+", _read("requirements-test.lock"), re.MULTILINE),
        *re.findall(r"^[\w.-]+==\S+", _read("requirements.lock"), re.MULTILINE),
    ]
    return "\n".join(pins) + "\n"


def front_matter(model: str | None, preload: tuple[str, ...]) -> dict[str, Any]:
    """The Space's settings, which stand at the top of its README.

    Those of ours, and what is known only here; their meaning:
    https://huggingface.co/docs/hub/spaces-config-reference. Gradio and Python are pinned there, to
    those of the locks.

    Raises:
        HubError: the front matter is not what the Hub accepts.
    """
    front = SpaceCard.load(ROOT / CARD_FILE).data.to_dict()
    front |= {
        "suggested_hardware": "cpu-basic",
        # From the start of app.py to its first answer; on two cores that is about 20 seconds.
        "startup_duration_timeout": "10m",
        "datasets": [CARTOON_SET_REPO],
    }
    if model:
        front["models"] = [model]
    if preload:
        front["preload_from_hub"] = [f"{model} {','.join(preload)}"]
    if len(front["short_description"]) > MAX_DESCRIPTION:
        raise HubError(
            f"short_description in {CARD_FILE} has {len(front['short_description'])} characters; "
            f"the Hub takes {MAX_DESCRIPTION}"
        )
    return front


def _files() -> Iterator[Path]:
    for name in SENT:
        path = _existing(name)
        yield from filter(_wanted, sorted(path.rglob("*")) if path.is_dir() else [path])


def _wanted(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    # Hidden files are an editor's, or hold what is nobody's business.
    if not path.is_file() or any(p.startswith(".") or p == "__pycache__" for p in parts):
        return False
    for checkpoint in CHECKPOINTS:
        if path.is_relative_to(ROOT / checkpoint):
            return path.relative_to(ROOT / checkpoint).as_posix() in FILES
    return True


def _read(name: str) -> str:
    return _existing(name).read_text("utf-8")


def _existing(name: str) -> Path:
    path = ROOT / name
    if not path.exists():
        raise HubError(f"there is no {path}, which the Space needs")
    return path
