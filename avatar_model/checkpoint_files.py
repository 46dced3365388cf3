"""The files of a checkpoint folder, the same locally and on the Hub: fetched, read and written.

No pickles: a folder from a stranger can be wrong, but it cannot run code.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub import snapshot_download

# The client's own, which may be httpx2: ``import httpx`` would catch nothing of it.
from huggingface_hub.utils import httpx
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from .atomic import write_atomically
from .errors import AvatarError
from .training_run import CHECKPOINTS_FOLDER, best_checkpoint

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
STAGE_FILES = (CONFIG_FILE, WEIGHTS_FILE)
UPSCALER_FOLDER = "upscaler"
FILES = (*STAGE_FILES, *(f"{UPSCALER_FOLDER}/{name}" for name in STAGE_FILES))
"""All that a checkpoint may consist of, below its folder."""
FORMER_FILE = "unet.onnx"
"""A stage's graph for ONNX Runtime, of earlier versions. Nobody reads it, and to other weights it
does not belong."""
FORMAT = 1
"""Raised when ``config.json`` changes so that older code cannot read it."""
MAX_CONFIG, MAX_DEPTH = 1_000_000, 20
"""Bytes and levels of a ``config.json``; that of the bundled model has 9,000 and 4."""
FLOATS, WHOLE = ("F16", "BF16", "F32", "F64"), ("I64",)
"""Types of numbers, as safetensors calls them, that weights may have."""

N = TypeVar("N", bound=nn.Module)


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


def read_config(path: Path) -> dict[str, Any]:
    """The content of a ``config.json``: finite, readable, of at most ``MAX_CONFIG`` bytes.

    Raises:
        CheckpointError: there is none, or none of this ``FORMAT``.
    """
    try:
        if not path.is_file():
            raise CheckpointError(f"there is no {path}; is this a checkpoint folder?")
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG + 1)
        if len(content) > MAX_CONFIG:
            raise ValueError(f"it has more than {MAX_CONFIG:,} bytes")
        # To read a number of a million digits as a whole one takes minutes.
        config = json.loads(
            content.decode("utf-8"), parse_int=lambda n: int(n) if len(n) < 20 else float(n)
        )
        _check_json(config, "config")
        section({"it": config}, "it")
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {first_line(error)}") from error
    found: dict[str, Any] = config
    if found.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} has format {found.get('format')!r:.80}; this version reads format {FORMAT}"
        )
    return found


def _check_json(value: Any, place: str, depth: int = 0) -> None:
    """ValueError names the first place with what JSON has no way to write, or nested too deep."""
    if depth > MAX_DEPTH:
        raise ValueError(f"{place} is nested too deep")
    if isinstance(value, dict):
        for name, item in value.items():
            _check_json(name, f"a name in {place}", depth)
            _check_json(item, f"{place}[{name!r:.40}]"[:200], depth + 1)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            _check_json(item, f"{place}[{i}]"[:200], depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} is {value}, which is no number")
    elif isinstance(value, str) and re.search("[\ud800-\udfff]", value):
        raise ValueError(f"{place} has half a character, {value!r:.40}")


def section(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object called ``name`` in a config; ValueError if it is something else or missing."""
    if name not in config:
        raise ValueError(f"it has no {name!r}")
    value = config[name]
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object, not {value!r:.80}")
    return value


@contextmanager
def errors_as_checkpoint_error(beginning: str) -> Iterator[None]:
    """Within it, a ValueError is a CheckpointError whose message starts with ``beginning``."""
    try:
        yield
    except ValueError as error:
        raise CheckpointError(beginning + first_line(error)) from error


def load_network(build: Callable[[], N], path: Path, rehearse: Callable[[N], Tensor]) -> N:
    """A network with the weights of a file, on the CPU in float32, in evaluation mode.

    Nothing is allocated before the header of the file promises the very tensors that the network
    has, so that it takes no more memory than its file makes likely.

    Args:
        build: makes it, with any weights.
        rehearse: has it compute something.

    Raises:
        CheckpointError: weights of another network, or that compute nothing finite.
    """
    try:
        with torch.device("meta"):
            expected = build().state_dict()
        if not path.is_file():
            raise CheckpointError(f"there is no {path}")
        _check_header(path, expected)
        network = build().eval()
        network.load_state_dict(load_file(path))
        for name, value in network.state_dict().items():
            if not value.sum().isfinite():  # quicker than to look at each
                raise CheckpointError(f"{path}: {name} has values that are not finite")
        with torch.inference_mode():
            finite = bool(rehearse(network).isfinite().all())
    except (OSError, SafetensorError) as error:
        message = f"{path} is not a whole safetensors file: {first_line(error)}"
        raise CheckpointError(message) from error
    except CheckpointError:
        raise
    except (MemoryError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be used: {first_line(error)}") from error
    if not finite:
        raise CheckpointError(f"{path}: what is computed with these weights is not finite")
    return network


def _check_header(path: Path, expected: Mapping[str, Tensor]) -> None:
    """CheckpointError unless a file has these tensors: names, shapes and kinds of numbers."""
    with safe_open(path, "pt") as file:
        found = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 it is no dict
        missing, unknown = sorted(expected.keys() - found), sorted(found.keys() - expected)
        if missing or unknown:
            raise CheckpointError(
                f"{path} belongs to another architecture: it lacks {len(missing)} tensors"
                f"{_example(missing)} and has {len(unknown)} unknown ones{_example(unknown)}"
            )
        for name, tensor in expected.items():
            shape, dtype = tuple(found[name].get_shape()), found[name].get_dtype()
            if shape != tensor.shape:
                raise CheckpointError(
                    f"{path}: {name} has shape {shape}, the config asks for {tuple(tensor.shape)}"
                )
            if dtype not in (FLOATS if tensor.is_floating_point() else WHOLE):
                raise CheckpointError(f"{path}: {name} has numbers of type {dtype}")


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
    text = json.dumps({"format": FORMAT, **config}, indent=1, allow_nan=False, ensure_ascii=False)
    # The name of a folder may have bytes that are no text; nobody could read the file then.
    write_atomically(folder / CONFIG_FILE, f"{text}\n".encode(errors="replace"))


def outdated(with_upscaler: bool) -> list[str]:
    """Patterns of what goes of an earlier checkpoint in the same Hub repository."""
    second = FORMER_FILE if with_upscaler else "*"
    return [FORMER_FILE, f"{UPSCALER_FOLDER}/{second}"]


def first_line(error: Exception) -> str:
    """The first line of an error's message, shortened, or its type if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _example(names: list[str]) -> str:
    return f" ({names[0]!r:.80}, ...)" if names else ""
