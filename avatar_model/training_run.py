"""The checkpoints in the folder of a training run, and which of them is the best.

runs/name/checkpoints/step-00001000/    a checkpoint folder, with its score in metrics.json
"""

from __future__ import annotations

import json
import math
from pathlib import Path

CHECKPOINTS_FOLDER = "checkpoints"
METRICS_FILE = "metrics.json"
SCORE = "psnr_db"
"""The metric, higher is better, that decides which checkpoint is the best."""


def checkpoints(run: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    return sorted((run / CHECKPOINTS_FOLDER).glob("step-" + "[0-9]" * 8))


def score(checkpoint: Path) -> float | None:
    """The score in the checkpoint's ``metrics.json``, if it has one."""
    try:
        value = float(json.loads((checkpoint / METRICS_FILE).read_text(encoding="utf-8"))[SCORE])
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return value if math.isfinite(value) else None


def best_checkpoint(run: Path) -> Path | None:
    """The one with the highest score, or the newest if none has one; None if there is none."""
    found = checkpoints(run)
    scored = [(value, path) for path in found if (value := score(path)) is not None]
    return max(scored)[1] if scored else found[-1] if found else None
