"""Publishes a checkpoint as a model repository of the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import HfApi

from avatar_model.checkpoint_files import CONFIG_FILE, UPSCALER_FOLDER, WEIGHTS_FILE, outdated
from avatar_model.checkpoint_files import FILES as CHECKPOINT_FILES
from train.hub.errors import HubError
from train.hub.model_card import CARD_FILE, SAMPLES_FILE

FILES = (*CHECKPOINT_FILES, CARD_FILE, SAMPLES_FILE)
"""What of a checkpoint folder goes to the Hub; ``state.pt`` is for resuming only."""


def check_folder(folder: Path) -> None:
    """HubError unless a checkpoint is in ``folder``."""
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise HubError(f"there is no {folder / name}; is this a checkpoint folder?")


def upload(
    api: HfApi, folder: Path, repo_id: str, message: str, private: bool | None = None
) -> str:
    """Upload ``FILES`` of a checkpoint folder as one commit, the repository made if need be.

    Files that are there already are not sent again; with nothing new there is no commit.

    Args:
        message: of the commit.
        private: of a new repository; by default what its owner has set.

    Returns:
        The URL of the newest commit.
    """
    api.create_repo(repo_id, private=private, exist_ok=True)
    commit = api.upload_folder(
        repo_id=repo_id,
        folder_path=folder,
        commit_message=message,
        allow_patterns=[*FILES],
        delete_patterns=outdated((folder / UPSCALER_FOLDER).is_dir()),
    )
    return str(commit.commit_url)
