"""Upload a checkpoint to a model repository of the Hugging Face Hub.

    python -m train.hub --checkpoint runs/mine/checkpoints/step-00009000 --repo user/name

Log in first: ``hf auth login``, or put a token with write access into HF_TOKEN.
"""

from __future__ import annotations

from pathlib import Path

from avatar_model import AvatarPipeline
from avatar_model.checkpoint_files import fetch_checkpoint
from train.command import command
from train.hub.model_card import CARD_FILE, write_model_card
from train.hub.retry import insist, say_and_sleep
from train.hub.target import check_target
from train.hub.upload import check_folder, upload


def main(checkpoint: Path, repo: str, private: bool = False) -> None:
    """Upload one checkpoint folder; what the repository has already is not sent again.

    Args:
        checkpoint: the folder, or that of a run, for its best one; a model card is added to it if
            there is none.
        repo: model repository, user/name; made if need be.
        private: make a new repository private.
    """
    check_target(repo)
    if checkpoint.is_dir():
        checkpoint = fetch_checkpoint(str(checkpoint))
    check_folder(checkpoint)
    if not (checkpoint / CARD_FILE).exists():
        write_model_card(checkpoint, AvatarPipeline.from_pretrained(checkpoint), None, repo)
    message = f"Upload {checkpoint.resolve().name}"
    url = insist(
        lambda api: upload(api, checkpoint, repo, message, private or None), wait=say_and_sleep
    )
    print(f"uploaded: {url}")


cli = command(main, __doc__)

if __name__ == "__main__":
    cli()
