"""Avatars beside the true images, at any size of the model, a few pictures at a time.

Hundreds of pictures at full size are hundreds of megabytes, and several times that as the floating
point numbers that measuring makes of them, so they come and go in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from avatar_model.attributes import NAMES
from avatar_model.images import on_white, resize
from train.data.packed import PackedSet
from train.evaluation.attribute_accuracy import colour_accuracy
from train.evaluation.generate import BATCH
from train.evaluation.paired import PairedErrors, paired_errors, summarize
from train.evaluation.palette import Palette
from train.evaluation.psnr import psnr

REGIONS = {"face": "face_color", "hair": "hair_color", "glasses": "glasses_color"}
"""What a region of the picture is called, and the attribute that gives it its colour."""


@dataclass(frozen=True)
class Compared:
    """What was found in N avatars.

    Attributes:
        errors: each against its true image.
        colours: by coloured attribute, the value read from the avatar's pixels, int64 [N].
        true_colours: the same of the true images.
        values: what the classifier reads in the avatars, int64 [N, 18]; None without one.
    """

    errors: PairedErrors
    colours: dict[str, np.ndarray]
    true_colours: dict[str, np.ndarray]
    values: np.ndarray | None


def compare(
    drawn: Iterable[np.ndarray],
    truth: PackedSet,
    palette: Palette,
    read: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Compared:
    """Compare drawn avatars with the images of ``truth``, in its order.

    Args:
        drawn: uint8 premultiplied RGBA [n, H, W, 4], batch after batch.
        truth: N of them at the same size.
        palette: for that size, see ``Palette.at``.
        read: what the classifier reads in a batch, int64 [n, 18].
    """
    parts, start = [], 0
    for images in drawn:
        rows = slice(start, start + len(images))
        real, attributes = truth.images[rows], truth.attributes[rows]
        masks = {r: palette.regions(name, real, attributes) for r, name in REGIONS.items()}
        parts.append(
            Compared(
                paired_errors(images, real, masks),
                {name: palette.read(name, images, masks[r]) for r, name in REGIONS.items()},
                {name: palette.read(name, real, masks[r]) for r, name in REGIONS.items()},
                None if read is None else read(images),
            )
        )
        start = rows.stop
    return _joined(parts)


def summarize_seeds(seeds: list[Compared], attributes: np.ndarray) -> dict[str, Any]:
    """``paired`` and ``colours`` for JSON: each combination counts once, whatever the seeds.

    Args:
        seeds: the same combinations, drawn with each seed.
        attributes: integers [N, 18], what was asked for.
    """
    errors = [seed.errors for seed in seeds]
    paired = summarize(PairedErrors.combined(errors, lambda values: np.mean(values, axis=0)))
    paired["psnr_per_seed"] = [float(e.psnr.mean()) for e in errors]
    colours = {
        name: colour_accuracy(
            attributes[:, NAMES.index(name)],
            np.stack([seed.colours[name] for seed in seeds]),
            seeds[0].true_colours[name],
        )
        for name in REGIONS.values()
    }
    return {"paired": paired, "colours": colours}


def resized_psnr(images: np.ndarray, real: np.ndarray) -> float:
    """Mean PSNR on white, in dB, of pictures that are first brought to the size of the true ones.

    Args:
        images: uint8 premultiplied RGBA [N, H, H, 4]; resized with ``images.resize``.
        real: the same people at another size.
    """
    errors = []
    for start in range(0, len(images), BATCH):
        rows = slice(start, start + BATCH)
        same_size = resize(images[rows], real.shape[1])
        errors.append(psnr(on_white(same_size), on_white(real[rows])))
    return float(np.concatenate(errors).mean())


def _joined(parts: list[Compared]) -> Compared:
    def columns(dicts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        return {name: np.concatenate([d[name] for d in dicts]) for name in dicts[0]}

    return Compared(
        PairedErrors.combined([p.errors for p in parts], np.concatenate),
        columns([p.colours for p in parts]),
        columns([p.true_colours for p in parts]),
        None if parts[0].values is None else np.concatenate([p.values for p in parts]),
    )
