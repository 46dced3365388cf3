"""The network of an earlier checkpoint as the start of a new run."""

from __future__ import annotations

from dataclasses import asdict

from avatar_model.checkpoint import fetch_checkpoint, load_checkpoint
from avatar_model.config import ModelConfig
from avatar_model.network import AvatarNetwork

from .packed import HELD_OUT


def initial_network(name: str, config: ModelConfig) -> AvatarNetwork:
    """The (averaged) weights of a checkpoint.

    Its data set may have been another one: the held-out combinations are the same in all of them.

    Args:
        name: a checkpoint folder, or a Hub repository ("user/name").
        config: the architecture it must have.

    Raises:
        CheckpointError: it cannot be loaded.
        ValueError: it has another architecture, or has seen images that this run holds out.
    """
    checkpoint = load_checkpoint(fetch_checkpoint(name))
    theirs = asdict(checkpoint.network.config)
    for field, ours in asdict(config).items():
        if theirs[field] != ours:
            raise ValueError(
                f"init_from: {name} has another architecture: its {field} is {theirs[field]!r}, "
                f"not {ours!r}"
            )
    if checkpoint.training.get("held_out") != HELD_OUT:
        raise ValueError(
            f"init_from: {name} was trained with other images held out than this run "
            f"({HELD_OUT}), so nobody could tell how good the result is"
        )
    return checkpoint.network
