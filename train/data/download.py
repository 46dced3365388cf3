"""Fetches Cartoon Set by name from the Hugging Face Hub, once: later calls use the Hub's cache."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from huggingface_hub import hf_hub_download
from huggingface_hub.utils import httpx

from train.data.errors import DatasetError

REPO_ID = "cgarciae/cartoonset"
ARCHIVES = {
    "cartoonset10k": "data/cartoonset10k.tgz",
    "cartoonset100k": "data/cartoonset100k.tgz",
}
"""Name of the data set -> file in the repository."""


def download(name: str) -> Path:
    """The archive of a data set (a key of ``ARCHIVES``), downloaded if the Hub's cache lacks it.

    A dropped connection is resumed where it broke off, also by a later call.

    Raises:
        DatasetError: it could not be downloaded; the message says how to get it by hand.
    """
    try:
        return Path(hf_hub_download(REPO_ID, ARCHIVES[name], repo_type="dataset"))
    except (OSError, RuntimeError, ValueError, httpx.HTTPError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DatasetError(
            f"{name} could not be downloaded from the Hugging Face Hub ({reason}). Get "
            f"{PurePosixPath(ARCHIVES[name]).name} by hand from "
            "https://google.github.io/cartoonset/download.html and pass its path (or that of the "
            f"unpacked folder) instead of the name {name}."
        ) from error
