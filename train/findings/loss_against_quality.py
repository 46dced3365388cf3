"""Does a lower loss mean better pictures?"""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import numpy as np
from scipy.stats import binomtest, spearmanr, ttest_1samp

from train.findings.compare import (
    CONFIRMED,
    NOT_CONFIRMED,
    UNDECIDED,
    Estimate,
    known,
    known_mean,
)

LEVEL = 0.05
"""For a lower loss with worse pictures to be beyond chance, over all comparisons together."""
TOGETHER = 0.7
"""A rank correlation whose whole interval lies above this counts as "they go together"."""
MIN_RUNS = 5
RESAMPLES = 1000


def loss_against_quality(runs: dict[str, dict[str, np.ndarray]]) -> dict[str, Any]:
    """Does a lower loss mean better pictures? From checkpoint to checkpoint, and from run to run.

    "Doesn't promise" is a claim about instances: one model with a lower loss and worse pictures
    than another one shows it. Among hundreds of comparisons some look so by chance, so an instance
    must be surer the more there are (Bonferroni).

    Args:
        runs: name -> ``loss`` and measures of quality, higher is better, of each image at each
            check, float [checks, N]; NaN where it was not looked at or cannot be judged. Of runs
            whose losses mean the same: the same target, noise and pixel range.

    Returns:
        for JSON. ``within``: successive checkpoints of a run between which the loss fell, and
        ``across``: pairs of finished runs, the one with the lower loss second. Each has
        ``between``, what they are; ``measure``; ``change`` of it, second minus first; ``p``, how
        likely chance alone makes loss and quality both look as if they had fallen. ``instances``:
        the sure ones, the surest first. ``correlation``: measure -> Spearman's of lower loss and
        higher quality over the finished runs, with its interval (bootstrap over runs); None for too
        few runs. ``verdict``: confirmed by one sure instance; not confirmed if there is none and,
        over the runs, loss and every measure of quality go together for sure.
    """
    within, across, ends = [], [], {}
    for name, run in runs.items():
        checks = [dict(zip(run, rows, strict=True)) for rows in zip(*run.values(), strict=True)]
        for i, (first, second) in enumerate(pairwise(checks), 1):
            within += _compare(f"{name}, check {i} to {i + 1}", first, second)
        ends[name] = checks[-1]
    means = {name: {key: known_mean(x) for key, x in end.items()} for name, end in ends.items()}
    for pair in combinations(runs, 2):
        a, b = sorted(pair, key=lambda name: -means[name]["loss"])
        across += _compare(f"{a} to {b}", ends[a], ends[b])
    every = sorted(within + across, key=lambda c: c["p"])
    instances = [c for c in every if c["p"] * len(every) < LEVEL]
    measures = [*next(iter(runs.values()), {"loss": ()})]
    correlation = {m: _correlation([*means.values()], m) for m in measures if m != "loss"}
    lowest = min((c[1] if c else -1.0 for c in correlation.values()), default=-1.0)
    verdict = CONFIRMED if instances else NOT_CONFIRMED if lowest > TOGETHER else UNDECIDED
    found = {"within": within, "across": across, "instances": instances, "correlation": correlation}
    return {**found, "verdict": verdict}


def _compare(
    between: str, first: dict[str, np.ndarray], second: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """One comparison per measure, or none if the loss did not fall from the first to the second."""
    changes = {key: known(second[key] - values) for key, values in first.items()}
    fall, found = -changes.pop("loss"), []
    if fall.mean() <= 0:
        return []
    for measure, change in changes.items():
        if len(change):
            # Both must have fallen, so the less sure of the two decides.
            p = max(p_positive(fall), p_positive(-change))
            numbers = {"change": float(change.mean()), "p": p}
            found.append({"between": between, "measure": measure, **numbers})
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


def _correlation(means: list[dict[str, float]], measure: str) -> Estimate | None:
    pairs = np.array([(-mean["loss"], mean[measure]) for mean in means])
    loss, quality = pairs[~np.isnan(pairs[:, 1])].T
    if len(loss) < MIN_RUNS or np.ptp(loss) == 0 or np.ptp(quality) == 0:
        return None
    # Not scipy's bootstrap: resamples of equal runs have no correlation and do not count.
    resampled = [
        spearmanr(loss[rows], quality[rows]).statistic
        for rows in np.random.default_rng(0).integers(len(loss), size=(RESAMPLES, len(loss)))
        if np.ptp(loss[rows]) and np.ptp(quality[rows])
    ]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(spearmanr(loss, quality).statistic), float(low), float(high)
