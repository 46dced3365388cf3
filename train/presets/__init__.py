"""Named training runs: the bundled model, and the blog's experiments in the order it tells them.

Every preset is a file of its own with a ``PRESET`` and, as its docstring, the line that ``--help``
shows. ``blog_7_final.py`` is chosen with ``--preset blog-7-final``.
"""

from __future__ import annotations

import importlib
import pkgutil

from avatar_model.attributes import did_you_mean
from train.loop.config import TrainConfig


def names() -> list[str]:
    """Of all presets, sorted."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.replace("_", "-") for name in found if not name.startswith("_"))


def load(name: str) -> TrainConfig:
    """The preset called ``name``; ValueError with the nearest name if there is none."""
    if name not in names():
        raise ValueError(f"there is no preset {name!r}{did_you_mean(name, names())}")
    return _module(name).PRESET


def summary(name: str) -> str:
    """What the preset is, in one line."""
    return (_module(name).__doc__ or "").strip().splitlines()[0]


def _module(name: str) -> object:
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
