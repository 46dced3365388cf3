"""A checkpoint folder: ``config.json`` + ``model.safetensors``, the same locally and on the Hub.

A model of two stages has its upscaler in the subfolder ``upscaler``, of the same form.

No pickles: a folder from a stranger can be wrong, but it cannot run code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.utils import httpx
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from .attributes import Vocabulary
from .config import ModelConfig
from .errors import AvatarError
from .network import AvatarNetwork

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
GRAPH_FILE = "unet.onnx"
STAGE_FILES = (CONFIG_FILE, WEIGHTS_FILE, GRAPH_FILE)
UPSCALER_FOLDER = "upscaler"
FILES = (*STAGE_FILES, *(f"{UPSCALER_FOLDER}/{name}" for name in STAGE_FILES))
"""All that a checkpoint may consist of, below its folder."""
FORMAT = 1
"""Raised when ``config.json`` changes so that older code cannot read it."""


class CheckpointError(AvatarError, RuntimeError):
    """A checkpoint that cannot be used; the message names the file and what is wrong with it."""


class UpscalerError(CheckpointError):
    """An upscaler that cannot be used; the base beside it can."""


@dataclass
class Checkpoint:
    """What a checkpoint folder holds.

    Attributes:
        network: with its weights, in evaluation mode.
        vocabulary: what the attribute values of the training data are called.
        defaults: ``guidance_scale``, ``num_inference_steps`` and ``sampler`` that suit this model.
        training: how it was trained, for people to read.
        graph: the architecture for ONNX Runtime, if ``export.py`` has made it (``unet.onnx``).
        upscaler: the second stage, made for this base; its vocabulary is that of the base.
    """

    network: AvatarNetwork
    vocabulary: Vocabulary
    defaults: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    graph: bytes | None = None
    upscaler: Checkpoint | None = None


def save_checkpoint(
    folder: str | Path, checkpoint: Checkpoint, dtype: torch.dtype = torch.float16
) -> None:
    """Write the files of a checkpoint into ``folder``, each moved into place whole.

    The upscaler of an earlier checkpoint in ``folder`` goes, as its other files do.

    Args:
        dtype: of the stored weights; half precision is enough to draw with.
    """
    folder = Path(folder)
    _save_stage(folder, checkpoint, dtype)
    if checkpoint.upscaler is not None:
        base = fingerprint(checkpoint.network, dtype)
        _save_stage(folder / UPSCALER_FOLDER, checkpoint.upscaler, dtype, base)
    else:
        for name in STAGE_FILES:
            (folder / UPSCALER_FOLDER / name).unlink(missing_ok=True)
        with suppress(OSError):  # there is none, or something of somebody else's is in it
            (folder / UPSCALER_FOLDER).rmdir()


def _save_stage(
    folder: Path, checkpoint: Checkpoint, dtype: torch.dtype, base: str | None = None
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "format": FORMAT,
        **({} if base is None else {"base": base}),
        "model": checkpoint.network.config.to_dict(),
        "defaults": checkpoint.defaults,
        "training": checkpoint.training,
        "vocabulary": checkpoint.vocabulary.to_dict(),
    }
    # Contiguous: channels_last strides are a matter of the machine that runs the model.
    weights = {
        name: value.detach().to("cpu", dtype, copy=True).contiguous()
        for name, value in checkpoint.network.state_dict().items()
    }
    # Not save_file, which makes a file that only its owner can read.
    write_atomically(folder / WEIGHTS_FILE, save(weights, metadata={"format": "pt"}))
    write_atomically(folder / CONFIG_FILE, json.dumps(config, indent=1) + "\n")
    if checkpoint.graph is not None:
        write_atomically(folder / GRAPH_FILE, checkpoint.graph)


def load_checkpoint(folder: str | Path, upscaler: bool = True) -> Checkpoint:
    """Read a checkpoint folder into networks in float32 on the CPU.

    Args:
        upscaler: whether to load the second stage, if there is one.

    Raises:
        CheckpointError: a missing, truncated or foreign file; the message names it.
        UpscalerError: the same in the second stage, or one made for another base.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"there is no checkpoint folder {str(folder)!r}")
    checkpoint, _ = load_stage(folder)
    if checkpoint.network.config.is_upscaler:
        raise CheckpointError(
            f"{folder} holds an upscaler alone; the checkpoint is the folder of its base"
        )
    if upscaler and (folder / UPSCALER_FOLDER).is_dir():
        checkpoint.upscaler = _load_upscaler(folder / UPSCALER_FOLDER, checkpoint)
    return checkpoint


def load_stage(folder: Path) -> tuple[Checkpoint, Mapping[str, Any]]:
    """One stage of a checkpoint, and its ``config.json``; CheckpointError says what is wrong."""
    config = _read_config(folder / CONFIG_FILE)
    try:
        network = AvatarNetwork(ModelConfig.from_dict(config["model"]))
        vocabulary = Vocabulary.from_dict(config["vocabulary"])
        defaults, training = (dict(config.get(name, {})) for name in ("defaults", "training"))
    # What torch raises for sizes that are negative or do not fit into memory is a RuntimeError.
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError, MemoryError) as error:
        raise CheckpointError(
            f"{folder / CONFIG_FILE} does not describe a model: {_first_line(error)}"
        ) from error
    _load_weights(network, folder / WEIGHTS_FILE)
    graph = _read_graph(folder / GRAPH_FILE)
    return Checkpoint(network.eval(), vocabulary, defaults, training, graph), config


def check_upscaler(upscaler: ModelConfig, base: ModelConfig) -> None:
    """ValueError unless an upscaler of this kind can go on from pictures of this base."""
    if not upscaler.is_upscaler:
        raise ValueError("it is no upscaler: its low_res_size is 0")
    for theirs, ours, what in (
        (upscaler.low_res_size, base.image_size, "pictures of {} pixels, and the base draws {}"),
        (upscaler.crop, base.crop, "a crop of {}, and the base has {}"),
        (upscaler.pixel_range, base.pixel_range, "a pixel_range of {}, and the base has {}"),
    ):
        if theirs != ours:
            raise ValueError(f"it was made for {what.format(theirs, ours)}")


def fingerprint(network: AvatarNetwork, dtype: torch.dtype = torch.float32) -> str:
    """A short hash of the weights, in half precision, as they are once stored in ``dtype``."""
    digest = hashlib.blake2b(digest_size=8)
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().to("cpu", dtype).to(torch.float16).contiguous().numpy())
    return digest.hexdigest()


def _load_upscaler(folder: Path, base: Checkpoint) -> Checkpoint:
    """The second stage, checked against its base."""
    try:
        upscaler, config = load_stage(folder)
    except CheckpointError as error:
        raise UpscalerError(str(error)) from error
    try:
        check_upscaler(upscaler.network.config, base.network.config)
        if upscaler.vocabulary.labels != base.vocabulary.labels:
            raise ValueError("it was made for another vocabulary than that of the base")
        if config.get("base") != fingerprint(base.network):
            raise ValueError("it was made for a base with other weights")
    except ValueError as error:
        raise UpscalerError(f"{folder} does not fit its base: {error}") from error
    return upscaler


def fetch_checkpoint(name: str, revision: str | None = None, token: str | None = None) -> Path:
    """The local folder of ``name``: the folder itself, or the Hub repository's cached files.

    Raises:
        CheckpointError: neither a folder nor a repository that can be reached.
    """
    if Path(name).is_dir():
        return Path(name)
    if name.count("/") != 1 or name.startswith((".", "/")):
        raise CheckpointError(f"there is no checkpoint folder {name!r}")
    try:
        return Path(
            snapshot_download(
                name,
                revision=revision,
                token=token,
                allow_patterns=[*FILES],
            )
        )
    except (OSError, RuntimeError, ValueError, httpx.HTTPError) as error:
        reason = str(error).strip().splitlines()
        raise CheckpointError(
            f"{name!r} is no folder here and could not be loaded from the Hugging Face Hub: "
            f"{reason[0] if reason else type(error).__name__}"
        ) from error


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    temporary.replace(path)


def _read_graph(path: Path) -> bytes | None:
    """An extra: what is wrong with it is for ``backend.py`` to find, and no reason to give up."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _read_config(path: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"there is no {path}; is this a checkpoint folder?") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        found = config.get("format") if isinstance(config, dict) else None
        raise CheckpointError(f"{path} has format {found!r}; this version reads format {FORMAT}")
    return config


def _load_weights(network: AvatarNetwork, path: Path) -> None:
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
            f"{_first(missing)} and has {len(unknown)} unknown ones{_first(unknown)}"
        )
    for name, value in weights.items():
        if value.shape != expected[name].shape:
            raise CheckpointError(
                f"{path}: {name} has shape {tuple(value.shape)}, "
                f"the config asks for {tuple(expected[name].shape)}"
            )
    network.load_state_dict(weights)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _first(names: list[str]) -> str:
    return f" ({names[0]}, ...)" if names else ""
