"""The files of a checkpoint folder, the same locally and on the Hub: fetched, read and written.

No pickles: a folder from a stranger can be wrong, but it cannot run code.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download

# The client's own, which may be httpx2: ``import httpx`` would catch nothing of it.
from huggingface_hub.utils import httpx
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from .atomic import write_atomically
from .errors import AvatarError
from .training_run import CHECKPOINTS_FOLDER, best_checkpoint

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
GRAPH_FILE = "unet.onnx"
STAGE_FILES = (CONFIG_FILE, WEIGHTS_FILE, GRAPH_FILE)
UPSCALER_FOLDER = "upscaler"
FILES = (*STAGE_FILES, *(f"{UPSCALER_FOLDER}/{name}" for name in STAGE_FILES))
"""All that a checkpoint may consist of, below its folder."""
FORMAT = 1
"""Raised when ``config.json`` changes so that older code cannot read it."""


logger = logging.getLogger(__name__)


class CheckpointError(AvatarError, RuntimeError):
    """A checkpoint that cannot be used; the message names the file and what is wrong with it."""


def fetch_checkpoint(name: str, revision: str | None = None, token: str | None = None) -> Path:
    """The local folder of ``name``: the folder itself, or the Hub repository's cached files.

    Of the folder of a training run it is that of its best checkpoint.

    Raises:
        CheckpointError: neither a folder nor a repository that can be reached, or a run without
            a checkpoint.
    """
    if Path(name).is_dir():
        return _best_of_run(Path(name))
    if name.count("/") != 1 or name.startswith((".", "/")):
        raise CheckpointError(f"there is no checkpoint folder {name!r}")
    try:
        return Path(
            snapshot_download(name, revision=revision, token=token, allow_patterns=[*FILES])
        )
    except (OSError, RuntimeError, ValueError, httpx.HTTPError) as error:
        raise CheckpointError(
            f"{name!r} is no folder here and could not be loaded from the Hugging Face Hub: "
            f"{first_line(error)}"
        ) from error


def _best_of_run(folder: Path) -> Path:
    """The best checkpoint, if ``folder`` is that of a training run, else ``folder``."""
    if not (folder / CHECKPOINTS_FOLDER).is_dir() or (folder / WEIGHTS_FILE).exists():
        return folder
    best = best_checkpoint(folder)
    if best is None:
        raise CheckpointError(f"the training run {folder} has no checkpoint yet")
    logger.info("%s: using its best checkpoint, %s", folder, best.name)
    return best


def read_config(path: Path) -> Mapping[str, Any]:
    """The content of a ``config.json``; CheckpointError if it is none of this ``FORMAT``."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"there is no {path}; is this a checkpoint folder?") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    config = config if isinstance(config, dict) else {}
    if config.get("format") != FORMAT:
        found = config.get("format")
        raise CheckpointError(f"{path} has format {found!r}; this version reads format {FORMAT}")
    return config


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill a network, on the CPU, with the weights of a file; CheckpointError if they differ."""
    try:
        weights = load_file(path)
    except FileNotFoundError:
        raise CheckpointError(f"there is no {path}") from None
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is not a whole safetensors file: {error}") from error
    expected = network.state_dict()
    missing, unknown = sorted(expected.keys() - weights), sorted(weights.keys() - expected)
    if missing or unknown:
        raise CheckpointError(
            f"{path} belongs to another architecture: it lacks {len(missing)} tensors"
            f"{_example(missing)} and has {len(unknown)} unknown ones{_example(unknown)}"
        )
    for name, value in weights.items():
        if value.shape != expected[name].shape:
            raise CheckpointError(
                f"{path}: {name} has shape {tuple(value.shape)}, "
                f"the config asks for {tuple(expected[name].shape)}"
            )
    network.load_state_dict(weights)


def write_model(
    folder: Path,
    network: nn.Module,
    config: Mapping[str, Any],
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a network's weights, of type ``dtype``, and its ``config.json`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    # Contiguous: channels_last strides are a matter of the machine that runs the model.
    weights = {
        name: value.to("cpu", dtype if value.is_floating_point() else None, copy=True).contiguous()
        for name, value in network.state_dict().items()
    }
    # Not save_file, which makes a file that only its owner can read.
    write_atomically(folder / WEIGHTS_FILE, save(weights, metadata={"format": "pt"}))
    text = json.dumps({"format": FORMAT, **config}, indent=1) + "\n"
    write_atomically(folder / CONFIG_FILE, text)


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its type if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _example(names: list[str]) -> str:
    return f" ({names[0]}, ...)" if names else ""
