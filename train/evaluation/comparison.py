"""Compares avatars with the true images, at any size of the model, a few pictures at a time.

Hundreds of pictures at full size are hundreds of megabytes, and several times that as the floating
point numbers that measuring makes of them, so they come and go in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from avatar_model.attributes import NAMES
from avatar_model.crop import resize
from avatar_model.images import on_white
from train.data.dataset import PackedSet
from train.evaluation.attribute_accuracy import colour_accuracy
from train.evaluation.generate import batches
from train.evaluation.paired import PairedErrors, paired_errors, summarize
from train.evaluation.palette import Palette
from train.evaluation.psnr import psnr

REGIONS = {"face": "face_color", "hair": "hair_color", "glasses": "glasses_color"}
"""What a region of the picture is called, and the attribute that gives it its colour."""

Read = Callable[[np.ndarray], np.ndarray]
"""What a classifier reads in pictures: uint8 premultiplied RGBA [n, H, W, 4] -> int64 [n, 18]."""


@dataclass(frozen=True)
class Comparison:
    """What was found in N avatars.

    Attributes:
        errors: each against its true image.
        colours: by ``REGIONS``, the value read from the avatar's pixels, int64 [N, 3].
        true_colours: the same of the true images.
        values: what the classifier reads in the avatars, int64 [N, 18]; [N, 0] without one.
    """

    errors: PairedErrors
    colours: np.ndarray
    true_colours: np.ndarray
    values: np.ndarray


def compare(
    generated: Iterable[np.ndarray], truth: PackedSet, palette: Palette, read: Read | None
) -> Comparison:
    """Compare generated avatars with the images of ``truth``, in its order.

    Args:
        generated: uint8 premultiplied RGBA [n, H, W, 4], in ``batches``.
        truth: N of them at the same size.
        palette: for that size, see ``Palette.at``.
    """
    errors: list[PairedErrors] = []
    colours: list[np.ndarray] = []
    true_colours: list[np.ndarray] = []
    values: list[np.ndarray] = []
    for images, real, attributes in zip(
        generated, batches(truth.images), batches(truth.attributes), strict=True
    ):
        masks = {r: palette.regions(name, real, attributes) for r, name in REGIONS.items()}
        errors.append(paired_errors(images, real, masks))
        for shown, found in ((images, colours), (real, true_colours)):
            columns = [palette.read(name, shown, masks[r]) for r, name in REGIONS.items()]
            found.append(np.stack(columns, axis=1))
        values.append(read(images) if read else np.empty((len(images), 0), dtype=np.int64))
    return Comparison(
        PairedErrors.combined(errors, np.concatenate),
        *map(np.concatenate, (colours, true_colours, values)),
    )


def summarize_seeds(seeds: list[Comparison], attributes: np.ndarray) -> dict[str, Any]:
    """``paired`` and ``colours`` for JSON: each combination counts once, whatever the seeds.

    Args:
        seeds: the same combinations, generated with each seed.
        attributes: integers [N, 18], what was asked for.
    """
    errors = [seed.errors for seed in seeds]
    paired = summarize(PairedErrors.combined(errors, lambda values: np.mean(values, axis=0)))
    paired["psnr_per_seed"] = [float(e.psnr.mean()) for e in errors]
    colours = {
        name: colour_accuracy(
            attributes[:, NAMES.index(name)],
            np.stack([seed.colours[:, column] for seed in seeds]),
            seeds[0].true_colours[:, column],
        )
        for column, name in enumerate(REGIONS.values())
    }
    return {"paired": paired, "colours": colours}


def resized_psnr(images: np.ndarray, real: np.ndarray) -> float:
    """Mean PSNR on white, in dB, of pictures that are first brought to the size of the true ones.

    Args:
        images: uint8 premultiplied RGBA [N, H, H, 4]; resized with ``crop.resize``.
        real: the same people at another size.
    """
    errors = [
        psnr(on_white(resize(some, real.shape[1])), on_white(some_real))
        for some, some_real in zip(batches(images), batches(real), strict=True)
    ]
    return float(np.concatenate(errors).mean())
