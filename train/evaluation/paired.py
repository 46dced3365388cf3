"""How far each generated avatar is from the one true image of its combination, on white."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

from avatar_model.images import on_white
from train.evaluation.intervals import mean_interval
from train.evaluation.palette import ciede2000
from train.evaluation.psnr import psnr

OPAQUE = 128
"""From this alpha on a pixel belongs to the figure."""


@dataclass(frozen=True)
class PairedErrors:
    """One number per image, float64 [N] each.

    Attributes:
        psnr: dB; infinite for a perfect copy.
        ssim: structural similarity, 1 for a perfect copy.
        alpha_iou: intersection over union of the two figures (alpha >= 128), in 0..1.
        colour: by region, the mean CIEDE2000 inside it; NaN where the true image has none.
    """

    psnr: np.ndarray
    ssim: np.ndarray
    alpha_iou: np.ndarray
    colour: dict[str, np.ndarray]

    @classmethod
    def combined(
        cls, errors: list[PairedErrors], join: Callable[[list[np.ndarray]], np.ndarray]
    ) -> PairedErrors:
        """Several as one; ``join`` makes one array of one measure's arrays."""
        return cls(
            psnr=join([e.psnr for e in errors]),
            ssim=join([e.ssim for e in errors]),
            alpha_iou=join([e.alpha_iou for e in errors]),
            colour={r: join([e.colour[r] for e in errors]) for r in errors[0].colour},
        )


def paired_errors(
    generated: np.ndarray, real: np.ndarray, regions: dict[str, np.ndarray]
) -> PairedErrors:
    """Compare each generated avatar with the true image at the same index.

    Args:
        generated, real: uint8 premultiplied RGBA [N, H, W, 4], H and W at least 11 (the window of
            SSIM).
        regions: by name, bool [N, H, W], as from ``Palette.regions`` of the real images.

    Raises:
        ValueError: the shapes differ, or the images are too small.
    """
    if generated.shape != real.shape:
        raise ValueError(f"cannot compare images of shapes {generated.shape} and {real.shape}")
    for name, region in regions.items():
        if region.shape != real.shape[:3]:
            raise ValueError(
                f"the region {name} has shape {region.shape}, but the images have {real.shape}"
            )
    a, b = on_white(generated), on_white(real)
    return PairedErrors(
        psnr=psnr(a, b),
        ssim=np.array([_ssim(x, y) for x, y in zip(a, b, strict=True)], dtype=np.float64),
        alpha_iou=_alpha_iou(generated[..., 3], real[..., 3]),
        colour={name: _colour_error(a, b, region) for name, region in regions.items()},
    )


def summarize(errors: PairedErrors) -> dict[str, Any]:
    """The errors of all images as a few numbers per measure, for JSON.

    Returns:
        for ``psnr``, ``ssim``, ``alpha_iou`` and ``colour_<region>``: ``mean``; ``interval``, its
        95 % bootstrap interval [low, high]; ``bad_5th_percentile``, a value that occurred, from
        which on the worst 5 % begin (low PSNR, SSIM and IoU, high colour error); ``count``, the
        images measured. A mean with perfect copies in it may be infinite, and then so is its
        interval. Where ``count`` is 0, the others are None.
    """
    return {
        "psnr": _summary(errors.psnr, higher_is_better=True),
        "ssim": _summary(errors.ssim, higher_is_better=True),
        "alpha_iou": _summary(errors.alpha_iou, higher_is_better=True),
        **{
            f"colour_{region}": _summary(values, higher_is_better=False)
            for region, values in errors.colour.items()
        },
    }


def _summary(values: np.ndarray, higher_is_better: bool) -> dict[str, Any]:
    values = values[~np.isnan(values)]
    if not len(values):
        return {"mean": None, "interval": [None, None], "bad_5th_percentile": None, "count": 0}
    mean = float(values.mean())
    # Neither resampling nor interpolation is of use between numbers and infinity.
    low, high = mean_interval(values) if np.isfinite(mean) else (mean, mean)
    if higher_is_better:
        bad = np.percentile(values, 5, method="lower")
    else:
        bad = np.percentile(values, 95, method="higher")
    return {
        "mean": mean,
        "interval": [low, high],
        "bad_5th_percentile": float(bad),
        "count": len(values),
    }


def _ssim(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM of two RGB pictures, the mean over the channels.

    The window is that of Wang, Bovik, Sheikh & Simoncelli 2004: Gaussian, sigma 1.5, 11 x 11. Only
    windows inside the picture count, so its outer 5 pixels count less.
    """
    return structural_similarity(
        a,
        b,
        data_range=255,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )


def _alpha_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """uint8 [N, H, W] each -> float64 [N]; 1 where both are empty."""
    a, b = a >= OPAQUE, b >= OPAQUE
    shared, covered = (mask.sum(axis=(1, 2)) for mask in (a & b, a | b))
    return np.where(covered == 0, 1.0, shared / np.maximum(covered, 1))


def _colour_error(a: np.ndarray, b: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Mean CIEDE2000 inside the region: RGB [N, H, W, 3], bool [N, H, W] -> float64 [N]."""
    rows = np.nonzero(region)[0]
    total = np.bincount(rows, ciede2000(a[region], b[region]), minlength=len(region))
    pixels = region.sum(axis=(1, 2))
    return np.where(pixels == 0, np.nan, total / np.maximum(pixels, 1))
