"""A Space of the Hugging Face Hub: which model it draws with, and how its files get there."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, ModelInfo

from avatar_model.checkpoint import CONFIG_FILE, FILES, WEIGHTS_FILE
from train.hub.client import DELAYS, attempt, check_repo_id, insist
from train.hub.errors import HubError

MODEL_VARIABLE = "AVATAR_MODEL"
"""The environment variable that tells ``app.py`` what to draw with."""


@dataclass(frozen=True)
class HubModel:
    """A model repository that can be drawn with.

    Attributes:
        files: those of a checkpoint that it has.
        private: whether a Space needs a token to load it.
    """

    name: str
    files: tuple[str, ...]
    private: bool


def find_model(name: str, endpoint: str | None = None) -> HubModel:
    """Ask the Hub about a model; nothing is downloaded.

    Raises:
        HubError: there is no such repository for this login, or it holds no avatar model.
    """
    check_repo_id(name)
    info: ModelInfo = attempt(lambda api: api.model_info(name), endpoint)
    there = {sibling.rfilename for sibling in info.siblings or []}
    for needed in (CONFIG_FILE, WEIGHTS_FILE):
        if needed not in there:
            raise HubError(f"{name} has no {needed}; is it an avatar model?")
    return HubModel(name, tuple(file for file in FILES if file in there), bool(info.private))


def push(
    folder: Path,
    space: str,
    model: str | None,
    *,
    private: bool | None = None,
    endpoint: str | None = None,
    delays: Sequence[float] = DELAYS,
    wait: Callable[[float], object] = time.sleep,
) -> str:
    """Make a Space hold exactly what is in ``folder``, as one commit; it is made if need be.

    What is there already is not sent again; with nothing new there is no commit and no restart.

    Args:
        folder: from ``space_folder.stage``.
        model: value of ``AVATAR_MODEL``; None removes the variable.
        private: a new Space's visibility; by default what its owner has set.
        endpoint, delays, wait: see ``hub_client.insist``.

    Returns:
        The URL of the newest commit.

    Raises:
        HubError: it did not work.
    """

    def send(api: HfApi) -> str:
        options: dict[str, Any] = {"repo_id": space, "repo_type": "space"}
        api.create_repo(**options, space_sdk="gradio", private=private, exist_ok=True)
        _set_model(api, space, model)
        commit = api.upload_folder(
            **options, folder_path=folder, commit_message="Update the page", delete_patterns="*"
        )
        return str(commit.commit_url)

    return insist(send, endpoint, delays, wait)


def _set_model(api: HfApi, space: str, model: str | None) -> None:
    """Change ``AVATAR_MODEL`` only if it is another: every change restarts the Space."""
    found = api.get_space_variables(space).get(MODEL_VARIABLE)
    if model and (found is None or found.value != model):
        api.add_space_variable(space, MODEL_VARIABLE, model)
    elif found is not None and not model:
        api.delete_space_variable(space, MODEL_VARIABLE)
