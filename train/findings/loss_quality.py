"""Does a lower loss mean better pictures? Counted over checkpoints, and over runs.

"Doesn't promise" is a claim about instances: one model with a lower loss and worse pictures than
another one shows it. With hundreds of comparisons some will look so by chance, so an instance must
be surer the more comparisons were made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import binomtest, spearmanr, ttest_1samp

from train.findings.verdicts import CONFIRMED, NOT_CONFIRMED, UNDECIDED

LEVEL = 0.05
TOGETHER = 0.7
"""A rank correlation whose whole interval lies above this counts as "they go together"."""
MIN_RUNS = 5
_RESAMPLES = 1000


@dataclass(frozen=True)
class Curve:
    """What one run was measured to be at its checkpoints.

    Attributes:
        name: of the run.
        loss: per checkpoint, float [N], the loss of each image, with the same noise in all runs.
        quality: measure -> per checkpoint, float [N], higher is better; NaN: cannot be judged.
    """

    name: str
    loss: Sequence[np.ndarray]
    quality: dict[str, Sequence[np.ndarray]]


@dataclass(frozen=True)
class Comparison:
    """Two models of which the second has the lower loss.

    Attributes:
        between: what they are, for people.
        measure: of quality.
        change: of that measure, second minus first.
        p: how likely chance alone makes loss and quality both look as if they had fallen.
    """

    between: str
    measure: str
    change: float
    p: float


@dataclass(frozen=True)
class LossAgainstQuality:
    """See ``loss_against_quality``.

    Attributes:
        within: successive checkpoints of a run between which the loss fell.
        across: pairs of finished runs, the one with the lower loss second.
        correlation: measure -> Spearman's rank correlation of lower loss and higher quality over
            the finished runs, and its 95 % interval (bootstrap over runs); None for too few runs.
    """

    within: list[Comparison]
    across: list[Comparison]
    correlation: dict[str, tuple[float, float, float] | None]

    @property
    def instances(self) -> list[Comparison]:
        """Lower loss and worse pictures, beyond chance (Bonferroni over all comparisons)."""
        every = self.within + self.across
        return [c for c in every if c.p * len(every) < LEVEL]


def loss_against_quality(curves: Sequence[Curve]) -> LossAgainstQuality:
    """Compare losses and quality, from checkpoint to checkpoint and from run to run.

    Args:
        curves: of runs whose losses mean the same: the same target, noise and pixel range.
    """
    within, across = [], []
    for curve in curves:
        for i in range(1, len(curve.loss)):
            where = f"{curve.name}, check {i} to {i + 1}"
            within += _compare(where, _at(curve, i - 1), _at(curve, i))
    for a, b in combinations(curves, 2):
        first, second = _at(a, -1), _at(b, -1)
        if first[0].mean() >= second[0].mean():
            across += _compare(f"{a.name} to {b.name}", first, second)
        else:
            across += _compare(f"{b.name} to {a.name}", second, first)
    measures = list(curves[0].quality) if curves else []
    return LossAgainstQuality(within, across, {m: _correlation(curves, m) for m in measures})


def judge_loss(found: LossAgainstQuality) -> str:
    """The verdict on "lower loss doesn't promise better image quality".

    Confirmed by one sure instance. Not confirmed if there is none and, over the runs, loss and
    every measure of quality go together for sure.
    """
    if found.instances:
        return CONFIRMED
    lows = [c[1] if c else -1.0 for c in found.correlation.values()]
    return NOT_CONFIRMED if lows and min(lows) > TOGETHER else UNDECIDED


State = tuple[np.ndarray, dict[str, np.ndarray]]


def _at(curve: Curve, i: int) -> State:
    return curve.loss[i], {measure: values[i] for measure, values in curve.quality.items()}


def _compare(between: str, first: State, second: State) -> list[Comparison]:
    """One comparison per measure, or none if the loss did not fall from the first to the second."""
    n = min(len(first[0]), len(second[0]))  # later checks may look at more images
    fall = first[0][:n] - second[0][:n]
    if fall.mean() <= 0:
        return []
    p_loss = p_positive(fall)
    found = []
    for measure in first[1]:
        change = second[1][measure][:n] - first[1][measure][:n]
        change = change[~np.isnan(change)]
        if len(change):
            # Both must have fallen, so the less sure of the two decides.
            p = max(p_loss, p_positive(-change))
            found.append(Comparison(between, measure, float(change.mean()), p))
    return found


def p_positive(values: np.ndarray) -> float:
    """How likely chance alone puts the mean of paired differences this far above 0; one-sided.

    The sign test where the values are differences of right and wrong answers (McNemar's test,
    exactly), else Student's t.
    """
    if np.isin(values, (-1, 0, 1)).all():
        up, down = int((values > 0).sum()), int((values < 0).sum())
        return float(binomtest(up, up + down, alternative="greater").pvalue) if up + down else 1.0
    if len(values) < 2 or np.ptp(values) == 0:
        return 1.0
    return float(ttest_1samp(values, 0, alternative="greater").pvalue)


def _correlation(curves: Sequence[Curve], measure: str) -> tuple[float, float, float] | None:
    loss = np.array([curve.loss[-1].mean() for curve in curves])
    quality = np.array([_mean(curve.quality[measure][-1]) for curve in curves])
    known = ~np.isnan(quality)
    loss, quality = loss[known], quality[known]
    if len(loss) < MIN_RUNS or np.ptp(loss) == 0 or np.ptp(quality) == 0:
        return None
    rng = np.random.default_rng(0)
    resampled = []
    for _ in range(_RESAMPLES):
        rows = rng.integers(len(loss), size=len(loss))
        if np.ptp(loss[rows]) and np.ptp(quality[rows]):
            resampled.append(spearmanr(-loss[rows], quality[rows]).statistic)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(spearmanr(-loss, quality).statistic), float(low), float(high)


def _mean(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")
