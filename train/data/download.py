"""Fetches Cartoon Set by name from the Hugging Face Hub, once: later calls use the Hub's cache."""

from __future__ import annotations

from pathlib import Path

from train.data.rejects import DatasetError

REPO_ID = "cgarciae/cartoonset"
ARCHIVES = {
    "cartoonset10k": "data/cartoonset10k.tgz",
    "cartoonset100k": "data/cartoonset100k.tgz",
}
"""Name of the data set -> file in the repository."""

BY_HAND = "https://google.github.io/cartoonset/download.html"


def download(name: str, endpoint: str | None = None, cache_dir: str | Path | None = None) -> Path:
    """The archive of a data set, downloaded if it is not in the Hub's cache yet.

    A dropped connection is resumed where it broke off, also by a later call.

    Args:
        name: a key of ``ARCHIVES``.
        endpoint: address of the Hub; by default what ``huggingface_hub`` uses (``HF_ENDPOINT``).
        cache_dir: the Hub's cache; by default what ``huggingface_hub`` uses (``HF_HOME``).

    Raises:
        DatasetError: it could not be downloaded; the message says how to get it by hand.
    """
    # Imported here: it takes a while, and local data sets do not need it.
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import httpx

    filename = ARCHIVES[name]
    try:
        path = hf_hub_download(
            repo_id=REPO_ID,
            repo_type="dataset",
            filename=filename,
            endpoint=endpoint,
            cache_dir=cache_dir,
        )
    except (OSError, RuntimeError, ValueError, httpx.HTTPError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        archive = Path(filename).name
        raise DatasetError(
            f"{name} could not be downloaded from the Hugging Face Hub ({reason}). Get {archive} "
            f"by hand from {BY_HAND} and pass its path (or that of the unpacked folder) instead of "
            f"the name {name}."
        ) from error
    return Path(path)
