"""What was measured of a run, in memory and on disk: ``results/NAME.json`` and ``NAME.npy``."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avatar_model.checkpoint import write_atomically
from train.loop.run_folder import RunError

PER_IMAGE = ("loss", "psnr", "other", "grain", "hair", "face")


@dataclass(frozen=True)
class Point:
    """One check of a run.

    Attributes:
        step: optimizer steps so far.
        seconds: spent in training steps so far.
        train_loss: mean over the steps since the last check.
        per_image: the measures of ``PER_IMAGE``, float64 [n] each; see ``measures.py``.
    """

    step: int
    seconds: float
    train_loss: float
    per_image: dict[str, np.ndarray]

    def mean(self, measure: str) -> float:
        """Over the images that can be judged; NaN if there are none."""
        values = self.per_image[measure]
        values = values[~np.isnan(values)]
        return float(values.mean()) if len(values) else float("nan")


@dataclass(frozen=True)
class Result:
    """A finished run.

    Attributes:
        settings: everything that decided it, in plain JSON types.
        parameters: how many the network has.
        points: its checks, in order; empty if it diverged before the first.
        kernel: KD-shape of the last check, ``value``, ``interval`` and ``floor``; None for too few
            images.
        failure: why it stopped early, or None.
        date: of the measurement, YYYY-MM-DD.
        drawn: uint8 premultiplied RGBA [N, H, W, 4], of the last check.
    """

    settings: dict[str, Any]
    parameters: int
    points: list[Point]
    kernel: dict[str, Any] | None
    failure: str | None
    date: str
    drawn: np.ndarray

    @property
    def finished(self) -> bool:
        """Whether it got to its end."""
        return self.failure is None and bool(self.points)

    @property
    def last(self) -> Point:
        """The check at the end."""
        return self.points[-1]


def save_result(folder: Path, name: str, result: Result) -> None:
    """Write both files; the JSON comes last and makes the result count.

    Raises:
        RunError: they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.save(buffer, result.drawn)
        temporary = folder / f"{name}.npy.tmp"
        temporary.write_bytes(buffer.getvalue())
        temporary.replace(folder / f"{name}.npy")
        content = {
            "settings": result.settings,
            "parameters": result.parameters,
            "date": result.date,
            "failure": result.failure,
            "kernel": result.kernel,
            "points": [
                {
                    "step": point.step,
                    "seconds": point.seconds,
                    "train_loss": _to_json(np.array([point.train_loss]))[0],
                    "per_image": {key: _to_json(x) for key, x in point.per_image.items()},
                }
                for point in result.points
            ],
        }
        write_atomically(folder / f"{name}.json", json.dumps(content) + "\n")
    except OSError as error:
        raise RunError(f"cannot write {folder / name}.json: {error.strerror or error}") from error


def load_result(folder: Path, name: str) -> Result | None:
    """The result of a run, or None if it has none yet.

    Raises:
        RunError: it is damaged.
    """
    path = folder / f"{name}.json"
    try:
        content = json.loads(path.read_text("utf-8"))
        points = [
            Point(
                p["step"],
                p["seconds"],
                float("nan") if p["train_loss"] is None else p["train_loss"],
                {key: np.array(p["per_image"][key], dtype=np.float64) for key in PER_IMAGE},
            )
            for p in content["points"]
        ]
        return Result(
            settings=content["settings"],
            parameters=content["parameters"],
            points=points,
            kernel=content["kernel"],
            failure=content["failure"],
            date=content["date"],
            drawn=np.load(folder / f"{name}.npy"),
        )
    except FileNotFoundError:
        if path.exists():
            raise RunError(
                f"{path} lacks {name}.npy beside it; delete it to measure again"
            ) from None
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error}); delete it to measure again") from error


def _to_json(values: np.ndarray) -> list[float | None]:
    """Six digits are plenty, and null for NaN, which JSON does not have."""
    return [None if np.isnan(x) else float(f"{x:.6g}") for x in values]
