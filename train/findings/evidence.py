"""How two runs differ in one measure, with everything that a verdict needs to know about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from train.evaluation.intervals import mean_interval
from train.findings.measures import Reference
from train.findings.results import Point, Result
from train.findings.runs import BASE, SECOND_SEED, Run
from train.findings.verdicts import Difference, independent_difference, paired_difference

FLOOR_POINTS = 3
"""Checks, the last ones, over which the two seeds are compared. One pair of runs may agree by luck
at its end; that it agrees three times is less likely."""

PSEUDO = (0.0, 1.0)
"""As ``verdicts.PSEUDO_GAINS``, for a share of right answers."""


@dataclass(frozen=True)
class Measure:
    """What a finding can be judged by.

    Attributes:
        title: what it is called.
        worth: the smallest gain worth having.
        least: what one of two runs must reach for their difference to mean anything: below, both
            draw noise. The colours have their own, a gain worth having above guessing.
        unit, factor, digits: how it is shown: times the factor, with so many digits.
        right_or_wrong: each image is either right (1) or wrong (0).
    """

    title: str
    worth: float
    least: float | None = None
    unit: str = "%"
    factor: float = 100.0
    digits: int = 0
    right_or_wrong: bool = False

    def number(self, x: float, sign: str = "") -> str:
        """``x`` without its unit; ``sign`` "+" shows the sign of a gain."""
        return f"{self.factor * x:{sign}.{self.digits}f}"

    def show(self, x: float) -> str:
        """A value in words."""
        return f"{self.number(x)} {self.unit}"

    def show_gain(self, x: float, sign: str = "+") -> str:
        """A difference in words: percentages differ by points."""
        return f"{self.number(x, sign)} {'points' if self.unit == '%' else self.unit}"


_DB = {"unit": "dB", "factor": 1.0, "digits": 2}
MEASURES = {
    "hair": Measure("hair colour right", 0.10, right_or_wrong=True),
    "face": Measure("face colour right", 0.10, right_or_wrong=True),
    "psnr": Measure("PSNR", 0.5, 10.0, **_DB),
    "likeness": Measure("likeness", 0.25, 0.25, **_DB),
    "clean": Measure("free of noise", 0.10, 0.8),
    "kernel": Measure("nearness to real avatars", 0.10, 0.5),
}
"""``clean`` and ``kernel`` are put on a scale from 0 %, pure noise, to 100 %, real images. Their
``least`` was chosen by eye: below it blog-4 drew speckles, above it faces."""


def in_words(difference: Difference, measure: str) -> str:
    """A difference with its interval and the floor, in a few words."""
    m, d = MEASURES[measure], difference
    return (
        f"{m.show_gain(d.value)} ({m.number(d.low, '+')} to {m.number(d.high, '+')}; "
        f"seeds {m.number(d.floor)})"
    )


class MissingError(Exception):
    """Runs that a finding needs and that are not finished, or that could not be measured."""


class Evidence:
    """The finished runs, to be compared.

    Args:
        runs: all that a study consists of.
        results: those there are.
        reference: of the same study.
    """

    def __init__(
        self, runs: dict[str, Run], results: dict[str, Result], reference: Reference
    ) -> None:
        self.runs = runs
        self.results = results
        self.reference = reference

    def result(self, name: str) -> Result:
        """A finished run.

        Raises:
            MissingError: it is not.
        """
        result = self.results.get(name)
        if result is None:
            raise MissingError(f"the run {name} has not been made")
        if not result.finished:
            raise MissingError(f"the run {name} stopped early: {result.failure}")
        return result

    def per_image(self, point: Point, measure: str) -> np.ndarray:
        """A measure of every image of a check, higher is better; NaN where it cannot be judged."""
        values = point.per_image
        if measure == "likeness":
            return values["psnr"] - values["other"]
        if measure == "clean":
            real, noise = self.reference.real_grain, self.reference.noise_grain
            return (noise - values["grain"]) / (noise - real)
        return values[measure]

    def estimate(self, name: str, measure: str) -> tuple[float, float, float]:
        """The measure of a run at its end, and its 95 % interval: value, low, high.

        Raises:
            MissingError: it has no such number.
        """
        result = self.result(name)
        if measure == "kernel":
            noise = self.reference.noise_kernel
            if result.kernel is None or noise is None:
                raise MissingError("there are too few images for KD-shape")
            low, high = result.kernel["interval"]
            return 1 - result.kernel["value"] / noise, 1 - high / noise, 1 - low / noise
        values = self.per_image(result.last, measure)
        values = values[~np.isnan(values)]
        if not len(values):
            raise MissingError(f"no image shows what {MEASURES[measure].title!r} is about")
        pseudo = PSEUDO if MEASURES[measure].right_or_wrong else ()
        return float(values.mean()), *mean_interval(np.concatenate([values, pseudo]))

    def difference(self, old: str, new: str, measure: str) -> Difference:
        """How much better ``new`` is than ``old`` at the end.

        Raises:
            MissingError: a run is missing, the two seeds of blog-4 among them.
        """
        estimates = [self.estimate(name, measure) for name in (old, new)]
        if measure == "kernel":
            # Not paired: the shapes of two crowds are compared, and an unconditional model
            # draws whom it likes.
            found = independent_difference(*estimates)
        else:
            a, b = (self.per_image(self.result(name).last, measure) for name in (old, new))
            found = paired_difference(a, b, MEASURES[measure].right_or_wrong)
        worth = MEASURES[measure].worth
        least = self.least(measure)
        learned = any(value >= least for value, _, _ in estimates)
        return Difference(*found, self.floor(measure), worth, learned)

    def least(self, measure: str) -> float:
        """What one of two runs must reach for their difference to mean anything."""
        least = MEASURES[measure].least
        if least is None:
            return self.reference.chance[measure] + MEASURES[measure].worth
        return least

    def floor(self, measure: str) -> float:
        """How far the two seeds of blog-4 were apart, at worst, over the last checks."""
        if measure == "kernel":
            first, second = (self.estimate(name, measure)[0] for name in (BASE, SECOND_SEED))
            return abs(first - second)
        apart = []
        pairs = zip(self.result(BASE).points, self.result(SECOND_SEED).points, strict=True)
        for a, b in list(pairs)[-FLOOR_POINTS:]:
            gap = self.per_image(a, measure) - self.per_image(b, measure)
            gap = gap[~np.isnan(gap)]
            apart.append(abs(float(gap.mean())) if len(gap) else 0.0)
        return max(apart)
