"""How far a crowd of generated avatars is from a crowd of real ones, in any features of them.

Pixel errors judge one avatar at a time; these numbers judge whether together they vary as real
ones do. All are of principal components of *other* real images, on one scale, and corrected for
the number of images, and each stands beside the same one between two disjoint sets of real images
(``floor``): docs/evaluation.md says why. Compare them with each other, not with a published FID
or KID, and not between features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from scipy.spatial.distance import cdist
from scipy.stats import t as student_t

from train.evaluation.intervals import wilson_interval

METRICS = ("frechet", "kernel", "density", "coverage")
MIN_SAMPLES = 50
JACKKNIFE_GROUPS = 50


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The squared Frechet distance of the Gaussians with the means and covariances of two samples.

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)): Dowson & Landau 1982; Heusel et al.
    2017, eq. 6, where it is called FID if the features are Inception's.

    Args:
        a, b: float [N, D] and [M, D].

    Returns:
        At least 0, in squared units of the features. Biased upwards by about a constant / N; 0 for
        equal samples.

    Raises:
        ValueError: fewer than two rows, different D, or values that are not finite.
    """
    a, b = _checked(a, b)
    mean_a, mean_b = a.mean(0), b.mean(0)
    # With C = R^T R, the trace of (C_a C_b)^(1/2) is the sum of the singular values of R_a R_b^T.
    # R comes from the samples by QR, so nothing is squared or inverted, and no covariance needs
    # full rank; scipy's sqrtm of C_a C_b fails there or returns complex numbers.
    r_a = np.linalg.qr((a - mean_a) / np.sqrt(len(a) - 1)).R
    r_b = np.linalg.qr((b - mean_b) / np.sqrt(len(b) - 1)).R
    overlap = np.linalg.norm(r_a @ r_b.T, "nuc")
    spread = (r_a**2).sum() + (r_b**2).sum()
    distance = float(((mean_a - mean_b) ** 2).sum() + spread - 2 * overlap)
    return distance if distance > 1e-12 * spread else 0.0  # less is rounding


def kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The squared maximum mean discrepancy with the kernel (x.y / D + 1)^3.

    Binkowski et al. 2018, section 4, where it is called KID if the features are Inception's. With
    as many rows in ``a`` as in ``b``, the U-statistic of Gretton et al. 2012, eq. 4: row i of one
    is not compared with row i of the other, so it stays unbiased if both show the same person.
    Otherwise the samples must be independent: eq. 3.

    Args:
        a, b: float [N, D] and [M, D].

    Returns:
        Unbiased, so about 0, and below it as often as above, for samples of one distribution;
        exactly 0 if the rows are equal one by one.

    Raises:
        ValueError: fewer than two rows, different D, or values that are not finite.
    """
    a, b = _checked(a, b)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def mean_of_others(k: np.ndarray) -> float:
        return float((k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)))

    across = kernel(a, b)
    cross = mean_of_others(across) if len(a) == len(b) else float(across.mean())
    return mean_of_others(kernel(a, a)) + mean_of_others(kernel(b, b)) - 2 * cross


def density_coverage(real: np.ndarray, generated: np.ndarray, k: int = 5) -> tuple[float, float]:
    """How closely generated samples crowd around real ones, and how many real ones they reach.

    Naeem et al. 2020, eq. 4 and 5. Around each real sample lies a ball that reaches to its k-th
    nearest real neighbour. Density: in how many balls a generated sample lies on average, divided
    by k. Coverage: the share of balls with a generated sample in them.

    Args:
        real, generated: float [N, D] and [M, D].
        k: 1 to N - 1.

    Returns:
        density, at least 0 and on average 1 for independent samples of one distribution, more if
        the generated ones keep to where real ones are common; coverage, 0..1 and then on average
        about 1 - 2^-k (lemma 2, with N = M).

    Raises:
        ValueError: ``k`` does not fit, different D, or values that are not finite.
    """
    real, generated = _checked(real, generated)
    if not 1 <= k < len(real):
        raise ValueError(f"k = {k} neighbours of {len(real)} real samples; 1..{len(real) - 1} work")
    # Column 0 of the sorted distances is a sample's distance to itself.
    radius = np.partition(cdist(real, real), k, axis=1)[:, k]
    # The same arithmetic for both distances, so a copy of the k-th neighbour is exactly on the
    # ball; it counts as outside, as in the authors' code.
    inside = cdist(real, generated) < radius[:, None]
    return float(inside.sum() / (k * len(generated))), float(inside.any(axis=1).mean())


def compare_distributions(
    real: np.ndarray,
    generated: np.ndarray,
    other_real: np.ndarray,
    *,
    components: int = 64,
    seed: int = 0,
) -> dict[str, Any]:
    """Frechet and kernel distance, density and coverage, each with interval and floor.

    ``generated`` may be independent of ``real`` or show the same people in the same order. In the
    latter case a perfect model has distances of exactly 0 and a density and coverage of exactly 1.

    Args:
        real: features of held-out images, float [N, D].
        generated: features of generated ones, [N, D].
        other_real: features of real images that are not in ``real``, [M, D]; N of them, chosen at
            random, make the floor, the principal components come from the others. Several times
            N is good.
        components: how many to keep; at most D.
        seed: of that choice and of the jackknife's groups.

    Returns:
        For JSON: "count"; "components"; and for each of ``METRICS``:

        - "value": of a distance, the estimate for endlessly many images, which may come out
          slightly below 0; density and coverage are as found with "count" images;
        - "interval": 95 %, how it would vary with other real and generated images;
        - "floor", "floor_interval": the same between two disjoint sets of "count" real images;
        - "uncorrected": the metric as its paper defines it, bias included; "count".

        "kept_variance" is the share of the squared distance from the mean of ``other_real`` that
        lies in the components, for "real", "drawn" and "floor": if it is lower for "drawn", the
        avatars have something no real one has, which the metrics hardly see.

    Raises:
        ValueError: too few images (it says how many are needed), shapes that do not fit, or values
            that are not finite.
    """
    real, generated = _checked(real, generated)
    real, other_real = _checked(real, other_real)
    count, components = len(real), min(components, real.shape[1])
    needed = max(2 * components, MIN_SAMPLES)
    if len(generated) != count:
        raise ValueError(f"{len(generated)} drawn and {count} real images; needs as many of both")
    if count < needed:
        raise ValueError(f"{count} images are too few for {components} components; needs {needed}")
    if len(other_real) < count + needed:
        raise ValueError(
            f"{len(other_real)} other real images are too few; needs {count + needed}: as many as "
            f"drawn for the floor, and {needed} for the components"
        )
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(other_real))
    # From rows of their own, so that they fit the floor's images no better than the held-out ones.
    mean, axes, scale = _principal_components(other_real[shuffled[count:]], components)
    crowds = {"real": real, "drawn": generated, "floor": other_real[shuffled[:count]]}
    parts = {name: x - mean for name, x in crowds.items()}
    projected = {name: x @ axes for name, x in parts.items()}
    kept = {name: float((projected[name] ** 2).sum() / (x**2).sum()) for name, x in parts.items()}
    x, y, z = (projected[name] / scale for name in crowds)
    measured, floors = _jackknife(x, y, rng).tolist(), _jackknife(x, z, rng).tolist()
    metrics = {
        name: {
            "value": value,
            "interval": interval,
            "floor": floor,
            "floor_interval": floor_interval,
            "uncorrected": uncorrected,
            "count": count,
        }
        for name, (value, *interval, uncorrected), (floor, *floor_interval, _) in zip(
            METRICS, measured, floors, strict=True
        )
    }
    return {**metrics, "count": count, "components": components, "kept_variance": kept}


def _jackknife(real: np.ndarray, generated: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Of each of ``METRICS``: corrected value, 95 % interval's ends, uncorrected; float64 [4, 4].

    The metrics are computed again without each of 50 groups of rows (Efron & Tibshirani 1993,
    chapter 10 for the bias, 11 for the error). Row i leaves both samples together, which is right
    whether or not they show the same person. Not a bootstrap, see docs/evaluation.md.
    """

    def all_metrics(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.array([frechet_distance(a, b), kernel_distance(a, b), *density_coverage(a, b)])

    whole = all_metrics(real, generated)
    groups = np.array_split(rng.permutation(len(real)), JACKKNIFE_GROUPS)
    without = np.array(
        [all_metrics(np.delete(real, g, 0), np.delete(generated, g, 0)) for g in groups]
    )
    n = len(groups)
    value = whole.copy()
    # Only the Frechet distance. The kernel distance is unbiased, and density and coverage have no
    # limit to be corrected towards: with more images, the k-th neighbour is nearer.
    value[0] -= (n - 1) * (without[:, 0].mean() - whole[0])
    # On average never too small, whatever the metric (Efron & Stein 1981), and too large where a
    # distance is near 0.
    reach = student_t.ppf(0.975, n - 1) * np.sqrt((n - 1) * without.var(0))
    low, high = value - reach, value + reach
    low[2:] = np.maximum(low[2:], 0)
    # Where all or no balls are reached, leaving rows out changes nothing, but so few prove little.
    wilson_low, wilson_high = wilson_interval(round(whole[3] * len(real)), len(real))
    low[3], high[3] = min(low[3], wilson_low), min(max(high[3], wilson_high), 1)
    return np.stack([value, low, high, whole], axis=1)


def _principal_components(x: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, float]:
    """The mean [D], the first ``count`` axes [D, count], and the root of their mean variance."""
    mean = x.mean(0)
    size = x.shape[1]
    covariance = (x - mean).T @ (x - mean) / (len(x) - 1)
    variance, axes = scipy.linalg.eigh(covariance, subset_by_index=(size - count, size - 1))
    scale = float(np.sqrt(max(variance.mean(), 0.0)))
    if scale == 0:
        raise ValueError("the features of all other real images are equal")
    return mean, axes, scale


def _checked(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 [N, D] and [M, D], or a ValueError."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"needs features [N, D] and [M, D], not {[*a.shape]} and {[*b.shape]}")
    if min(len(a), len(b)) < 2:
        raise ValueError(f"{len(a)} and {len(b)} samples are too few; needs 2")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("some features are not finite")
    return a, b
