"""Publish the web page as a Space of the Hugging Face Hub.

    python -m train.push_space user/space                          # shows what would be sent
    python -m train.push_space user/space --yes                    # sends it
    python -m train.push_space user/space --model user/name --yes  # draws with a model of the Hub

Log in first: ``hf auth login``, or put a token with write access into HF_TOKEN. docs/deploy.md has
the rest.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from huggingface_hub import HfApi, ModelInfo, constants

from avatar_model.checkpoint import CONFIG_FILE, FILES, WEIGHTS_FILE

from .hub_client import DELAYS, attempt, check_repo_id, check_target, insist, say_and_sleep
from .hub_errors import HubError
from .space_folder import stage

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


def main(
    space: Annotated[str, tyro.conf.Positional],
    model: str | None = None,
    private: bool = False,
    yes: bool = False,
) -> None:
    """Create or update a Space; without --yes only show what would be sent.

    Args:
        space: user/space; made if need be.
        model: Hub repository to draw with; by default the bundled assets/model, which goes along in
            either case.
        private: make a new Space private.
        yes: send it.
    """
    (check_target if yes else check_repo_id)(space)
    found = find_model(model) if model else None
    preload = found.files if found and not found.private else ()
    with tempfile.TemporaryDirectory() as folder:
        front = stage(Path(folder), model, preload)
        _show(Path(folder), space, front, model)
        if found and found.private:
            print(
                f"{model} is private: the Space needs a secret HF_TOKEN that may read it "
                f"({_address(space)}/settings)"
            )
        if not yes:
            print("This was a dry run: nothing was sent. --yes sends it.")
            return
        url = push(Path(folder), space, model, private=private or None, wait=say_and_sleep)
    print(f"pushed: {url}\nthe page: {_address(space)}")


def _show(folder: Path, space: str, front: dict[str, Any], model: str | None) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = [path.stat().st_size for path in files]
    print(f"{_address(space)} gets {len(files)} files, {sum(sizes) / 1e6:.1f} MB:")
    for path, size in zip(files, sizes, strict=True):
        print(f"{size:12,}  {path.relative_to(folder).as_posix()}")
    print("Everything else in it is deleted. The front matter of README.md:")
    for name, value in front.items():
        print(f"  {name}: {', '.join(value) if isinstance(value, list) else value}")
    print(f"Variables: {MODEL_VARIABLE}{'=' + model if model else ' is not set'}")


def _address(space: str) -> str:
    return f"{constants.ENDPOINT}/spaces/{space}"


if __name__ == "__main__":
    try:
        tyro.cli(main, description=__doc__)
    except (HubError, OSError) as error:
        sys.exit(f"error: {error}")
