"""Named training runs: those of the bundled model, and the blog's experiments."""

from __future__ import annotations

from avatar_model.attributes import did_you_mean
from train.loop.config import TrainConfig
from train.presets.blog import BLOG
from train.presets.bundled import BUNDLED

PRESETS = {**BLOG, **BUNDLED}


def names() -> list[str]:
    """Of all presets, sorted."""
    return sorted(PRESETS)


def load(name: str) -> TrainConfig:
    """The preset called ``name``; ValueError with the nearest name if there is none."""
    if name not in PRESETS:
        raise ValueError(f"there is no preset {name!r}{did_you_mean(name, names())}")
    return PRESETS[name].config


def summary(name: str) -> str:
    """What the preset is, in one line."""
    return PRESETS[name].about
