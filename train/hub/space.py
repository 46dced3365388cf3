"""A Space of the Hugging Face Hub: which model it generates with, and how its files get there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import HfApi

from avatar_model.checkpoint_files import CONFIG_FILE, FILES, WEIGHTS_FILE
from train.hub.errors import HubError
from train.hub.retry import attempt
from train.hub.target import check_repo_id

MODEL_VARIABLE = "AVATAR_MODEL"
"""The environment variable that tells ``app.py`` which model to load."""


def find_model(name: str) -> tuple[tuple[str, ...], bool]:
    """Ask the Hub about a model; nothing is downloaded.

    Returns:
        the files of a checkpoint that it has, and whether a Space needs a token to load it.

    Raises:
        HubError: there is no such repository for this login, or it holds no avatar model.
    """
    check_repo_id(name)
    info = attempt(lambda api: api.model_info(name))
    there = {sibling.rfilename for sibling in info.siblings or []}
    for needed in (CONFIG_FILE, WEIGHTS_FILE):
        if needed not in there:
            raise HubError(f"{name} has no {needed}; is it an avatar model?")
    return tuple(file for file in FILES if file in there), bool(info.private)


def push(
    api: HfApi, folder: Path, space: str, model: str | None, private: bool | None = None
) -> str:
    """Make a Space hold exactly what is in ``folder``, as one commit; it is made if need be.

    What is there already is not sent again; with nothing new there is no commit and no restart.

    Args:
        folder: from ``space_folder.stage``.
        model: value of ``AVATAR_MODEL``; None removes the variable.
        private: a new Space's visibility; by default what its owner has set.

    Returns:
        The URL of the newest commit.
    """
    options: dict[str, Any] = {"repo_id": space, "repo_type": "space"}
    api.create_repo(**options, space_sdk="gradio", private=private, exist_ok=True)
    _set_model(api, space, model)
    commit = api.upload_folder(
        **options, folder_path=folder, commit_message="Update the page", delete_patterns="*"
    )
    return str(commit.commit_url)


def _set_model(api: HfApi, space: str, model: str | None) -> None:
    """Change ``AVATAR_MODEL`` only if it is another: every change restarts the Space."""
    found = api.get_space_variables(space).get(MODEL_VARIABLE)
    if model and (found is None or found.value != model):
        api.add_space_variable(space, MODEL_VARIABLE, model)
    elif found is not None and not model:
        api.delete_space_variable(space, MODEL_VARIABLE)
