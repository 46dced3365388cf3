"""Does the model show unseen people, or the training image that is most like them?

A combination that was never trained on has a true image. A model that has learned what the
attributes mean generates something nearer to it than to any training image; one that has learned
its training images by heart generates one of those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from avatar_model.images import on_white
from train.evaluation.intervals import mean, wilson_interval

NEAR_COPY = 0.5
"""A near copy of a training image is less than this times as far from it as the true image is from
its own nearest one. By the triangle inequality it is then also nearer to that training image than
to the truth."""

_CHUNK = 256


@dataclass(frozen=True)
class Memorisation:
    """Distances of N generated avatars: root mean squared differences on white, in levels 0..255.

    Attributes:
        to_truth: to the true image of the same attributes, float64 [N].
        to_train: to the nearest training image, float64 [N].
        nearest: row of that training image (the first, if several are as near), int64 [N].
        true_to_train: from the true image to *its* nearest training image, float64 [N]: what
            ``to_train`` is for a perfect model. 0 where the true image is a training image, as it
            can be for another combination: glasses of another colour on nobody's nose.
    """

    to_truth: np.ndarray
    to_train: np.ndarray
    nearest: np.ndarray
    true_to_train: np.ndarray

    @property
    def ratio(self) -> np.ndarray:
        """``to_truth / to_train``, float64 [N].

        Below 1 is nearer to the truth, 0 a perfect copy of it, infinite a perfect copy of a
        training image, NaN a perfect copy of both.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.to_truth / self.to_train

    @property
    def decidable(self) -> np.ndarray:
        """bool [N]: the true image is no training image, so a copy of one is no right answer."""
        return self.true_to_train > 0


def memorisation(
    generated: np.ndarray, truth: np.ndarray, train_images: np.ndarray
) -> Memorisation:
    """Compare generated avatars with their true images and with every training image.

    The search is exhaustive and exact: sums of squared differences of uint8 are whole numbers
    below 2^53.

    Args:
        generated, truth: uint8 premultiplied RGBA [N, H, W, 4], the same person at the same row.
        train_images: uint8 premultiplied RGBA [M, H, W, 4]; may be memory-mapped.

    Raises:
        ValueError: no images, another type, or shapes that do not fit.
    """
    for name, x in (("generated", generated), ("truth", truth), ("train_images", train_images)):
        if x.dtype != np.uint8 or x.ndim != 4 or x.shape[-1] != 4 or not len(x):
            shape = [*x.shape]
            raise ValueError(f"{name} is {x.dtype} {shape}; needs uint8 [N, H, W, 4], N > 0")
    if generated.shape != truth.shape or generated.shape[1:] != train_images.shape[1:]:
        shapes = ", ".join(str([*x.shape]) for x in (generated, truth, train_images))
        raise ValueError(f"generated, truth and train_images do not fit together: {shapes}")
    queries = np.concatenate([_flat(generated), _flat(truth)])
    squared, nearest = _nearest(queries, train_images)
    count, pixels = len(generated), queries.shape[1]
    apart = ((queries[:count] - queries[count:]) ** 2).mean(axis=1)
    to_train, true_to_train = np.sqrt(squared / pixels).reshape(2, count)
    return Memorisation(np.sqrt(apart), to_train, nearest[:count], true_to_train)


def _flat(images: np.ndarray) -> np.ndarray:
    """uint8 [N, H, W, 4] -> float64 [N, H * W * 3] on white."""
    return on_white(images).reshape(len(images), -1).astype(np.float64)


def _nearest(queries: np.ndarray, train_images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared distance to the nearest row of ``train_images`` (float64 [N]) and that row."""
    squared = np.full(len(queries), np.inf)
    nearest = np.zeros(len(queries), dtype=np.int64)
    rows = np.arange(len(queries))
    own = (queries**2).sum(axis=1)
    for start in range(0, len(train_images), _CHUNK):
        some = _flat(train_images[start : start + _CHUNK])
        # |q - t|^2 as one matrix product. float64, because float32 is only exact below 2^24, and
        # near copies are where the difference of large numbers matters.
        found = own[:, None] + (some**2).sum(axis=1) - 2 * (queries @ some.T)
        best = found.argmin(axis=1)
        nearer = found[rows, best] < squared
        squared[nearer] = found[rows, best][nearer]
        nearest[nearer] = start + best[nearer]
    return squared, nearest


def summarize(m: Memorisation) -> dict[str, Any]:
    """The answer in a few numbers, for JSON.

    Pictures whose true image is itself a training image say nothing and are only counted
    ("undecidable"). Of the others, "count" of them:

    - "nearer_to_truth": the share that is nearer to the truth than to any training image (one that
      is as near to both is not); "interval": 95 %, Wilson. 1 for a perfect model, 0 for one that
      generates the training image nearest to the truth.
    - "near_copies": the share that is a near copy of a training image (``NEAR_COPY``);
      "near_copies_interval" likewise. 0 for a perfect model, 1 for the other one.
    - "median_ratio", "ratio_95th_percentile": of :attr:`Memorisation.ratio`, the smallest ratio
      that at least so many do not exceed; None where it is infinite.
    - "median_to_truth", "median_to_train", "median_true_to_train": the distances, in levels.

    Without any such picture, everything but the counts is None.
    """
    use = m.decidable
    nearer, interval = _share((m.to_truth < m.to_train)[use])
    near, near_interval = _share((m.to_train < NEAR_COPY * m.true_to_train)[use])
    return {
        "count": int(use.sum()),
        "undecidable": int((~use).sum()),
        "nearer_to_truth": nearer,
        "interval": interval,
        "near_copies": near,
        "near_copies_interval": near_interval,
        "median_ratio": _percentile(m.ratio[use], 50),
        "ratio_95th_percentile": _percentile(m.ratio[use], 95),
        "median_to_truth": _percentile(m.to_truth[use], 50),
        "median_to_train": _percentile(m.to_train[use], 50),
        "median_true_to_train": _percentile(m.true_to_train[use], 50),
    }


def _share(hits: np.ndarray) -> tuple[float | None, list[float] | None]:
    """The share of True in bool [N] and its 95 % Wilson interval; None twice without any."""
    if not len(hits):
        return None, None
    return mean(hits), [*wilson_interval(int(hits.sum()), len(hits))]


def _percentile(x: np.ndarray, percent: float) -> float | None:
    if not len(x):
        return None
    # One of the values, because between a number and infinity there is nothing to interpolate.
    value = float(np.percentile(x, percent, method="inverted_cdf"))
    return value if np.isfinite(value) else None
