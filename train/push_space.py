"""Publish the web page as a Space of the Hugging Face Hub.

    python -m train.push_space user/space                          # shows what would be sent
    python -m train.push_space user/space --yes                    # sends it
    python -m train.push_space user/space --model user/name --yes  # draws with a model of the Hub

Log in first: ``hf auth login``, or put a token with write access into HF_TOKEN. docs/deploy.md has
the rest.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import tyro
from huggingface_hub import constants

from train.command import command
from train.hub.retry import insist, say_and_sleep
from train.hub.space import MODEL_VARIABLE, find_model, push
from train.hub.space_folder import stage
from train.hub.target import check_repo_id, check_target


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
    files, model_is_private = find_model(model) if model else ((), False)
    with tempfile.TemporaryDirectory() as folder:
        front = stage(Path(folder), model, () if model_is_private else files)
        _show(Path(folder), space, front, model)
        if model_is_private:
            print(
                f"{model} is private: the Space needs a secret HF_TOKEN that may read it "
                f"({_address(space)}/settings)"
            )
        if not yes:
            print("This was a dry run: nothing was sent. --yes sends it.")
            return
        url = insist(
            lambda api: push(api, Path(folder), space, model, private or None), wait=say_and_sleep
        )
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


cli = command(main, __doc__)

if __name__ == "__main__":
    cli()
