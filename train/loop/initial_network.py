"""The network of an earlier checkpoint as the start of a new run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from avatar_model.checkpoint import load_stage
from avatar_model.checkpoint_files import UPSCALER_FOLDER, fetch_checkpoint
from avatar_model.config import ModelConfig
from avatar_model.network import AvatarNetwork
from train.data.splits import HELD_OUT

NO_ARCHITECTURE = frozenset({"crop"})
"""Fields of ModelConfig on which no weight depends."""


def initial_network(name: str, config: ModelConfig) -> AvatarNetwork:
    """The (averaged) weights of a checkpoint; for an upscaler, those of its upscaler.

    What differs in ``NO_ARCHITECTURE`` is for the new run to learn. The base may be another one,
    and the data set too: the held-out combinations are the same in all of them.

    Args:
        name: a checkpoint folder, or a Hub repository ("user/name").
        config: the architecture it must have.

    Raises:
        CheckpointError: it cannot be loaded.
        ValueError: it has another architecture, or has seen images that this run holds out.
    """
    folder = fetch_checkpoint(name)
    stage, *_ = load_stage(folder / UPSCALER_FOLDER if config.is_upscaler else folder)
    theirs = asdict(stage.config)
    for field, ours in asdict(config).items():
        if theirs[field] != ours and field not in NO_ARCHITECTURE:
            raise ValueError(
                f"init_from: {name} has another architecture: its {field} is {theirs[field]!r}, "
                f"not {ours!r}"
            )
    check_held_out(f"init_from: {name}", stage.training)
    return stage.network


def check_held_out(what: str, training: Mapping[str, Any]) -> None:
    """ValueError if a checkpoint with this ``training`` has seen images that are held out today."""
    if training.get("held_out") != HELD_OUT:
        raise ValueError(
            f"{what} was trained with other images held out than this run ({HELD_OUT}), so nobody "
            "could tell how good the result is"
        )
