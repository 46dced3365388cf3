"""A checkpoint folder as the stages of a model.

``config.json`` and ``model.safetensors``; a model of two stages has its upscaler in the subfolder
``upscaler``, of the same form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from . import checkpoint_files as files
from .attributes import Vocabulary
from .checkpoint_files import UPSCALER_FOLDER, CheckpointError
from .config import ModelConfig, check_upscaler
from .network import AvatarNetwork
from .stage import Stage


class UpscalerError(CheckpointError):
    """An upscaler that cannot be used; the base beside it can."""


def save_checkpoint(
    folder: str | Path,
    vocabulary: Vocabulary,
    base: Stage,
    upscaler: Stage | None = None,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write the files of a checkpoint into ``folder``, each moved into place whole.

    The upscaler of an earlier checkpoint in ``folder`` goes, as its other files do.

    Args:
        dtype: of the stored weights; half precision is enough to generate with.
    """
    folder = Path(folder)
    second = folder / UPSCALER_FOLDER
    for path, stage in ((folder, base), (second, upscaler)):
        (path / files.FORMER_FILE).unlink(missing_ok=True)
        if stage is not None:
            config = {
                **({"base": fingerprint(base.network, dtype)} if stage is upscaler else {}),
                "model": stage.config.to_dict(),
                "defaults": stage.defaults,
                "training": stage.training,
                "vocabulary": vocabulary.to_dict(),
            }
            files.write_model(path, stage.network, config, dtype)
    if upscaler is None:
        for name in files.STAGE_FILES:
            (second / name).unlink(missing_ok=True)
        with suppress(OSError):  # there is none, or something of somebody else's is in it
            second.rmdir()


def load_checkpoint(
    folder: str | Path, with_upscaler: bool = True
) -> tuple[Vocabulary, Stage, Stage | None]:
    """Read a checkpoint folder into networks in float32 on the CPU.

    Args:
        with_upscaler: whether to load the second stage, if there is one.

    Returns:
        what the attribute values are called, the base, and the upscaler made for it, if any.

    Raises:
        CheckpointError: a missing, truncated or foreign file; the message names it.
        UpscalerError: the same in the second stage, or one made for another base.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"there is no checkpoint folder {str(folder)!r}")
    base, vocabulary, _ = load_stage(folder)
    if base.config.is_upscaler:
        raise CheckpointError(
            f"{folder} holds an upscaler alone; the checkpoint is the folder of its base"
        )
    upscaler = None
    if with_upscaler and (folder / UPSCALER_FOLDER).is_dir():
        upscaler = load_upscaler(folder / UPSCALER_FOLDER, base, vocabulary)
    return vocabulary, base, upscaler


def load_stage(folder: Path) -> tuple[Stage, Vocabulary, Mapping[str, Any]]:
    """One stage of a checkpoint, its vocabulary, and all that its ``config.json`` says.

    Raises:
        CheckpointError: a missing, truncated or foreign file; the message names it.
    """
    path = folder / files.CONFIG_FILE
    config = {"defaults": {}, "training": {}, **files.read_config(path)}
    with files.errors_as_checkpoint_error(f"{path} does not describe a model: "):
        model = ModelConfig.from_dict(files.section(config, "model"))
        vocabulary = Vocabulary.from_dict(files.section(config, "vocabulary"))
        defaults, training = (files.section(config, name) for name in ("defaults", "training"))
    network = files.load_network(
        lambda: AvatarNetwork(model), folder / files.WEIGHTS_FILE, AvatarNetwork.rehearse
    )
    with files.errors_as_checkpoint_error(f"{path}: the default "):
        return Stage(network, defaults, training), vocabulary, config


def load_upscaler(folder: Path, base: Stage, vocabulary: Vocabulary) -> Stage:
    """The second stage from its folder, checked against its base.

    Raises:
        UpscalerError: it cannot be used, or was made for another base.
    """
    try:
        upscaler, its_vocabulary, config = load_stage(folder)
    except CheckpointError as error:
        raise UpscalerError(str(error)) from error
    try:
        check_upscaler(upscaler.config, base.config)
        if its_vocabulary.labels != vocabulary.labels:
            raise ValueError("it was made for another vocabulary than that of the base")
        if config.get("base") != fingerprint(base.network):
            raise ValueError("it was made for a base with other weights")
    except ValueError as error:
        raise UpscalerError(f"{folder} does not fit its base: {error}") from error
    return upscaler


def fingerprint(network: AvatarNetwork, dtype: torch.dtype = torch.float32) -> str:
    """A short hash of the weights, in half precision, as they are once stored in ``dtype``."""
    digest = hashlib.blake2b(digest_size=8)
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.to("cpu", dtype).to(torch.float16).contiguous().numpy())
    return digest.hexdigest()
