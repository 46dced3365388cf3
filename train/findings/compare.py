"""When is one run better than another?

A difference between two experiments has three enemies: too few images were looked at, other seeds
would have given other runs (both widen the interval), and it may be too small to matter (what is
worth having). A verdict needs all three settled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t

from avatar_model.errors import AvatarError
from train.evaluation.intervals import mean_interval
from train.findings.measures import COLOURS
from train.findings.plan import Run

CONFIRMED = "confirmed"
SMALL = "a small gain"
NOT_CONFIRMED = "not confirmed"
UNDECIDED = "not decided at this budget"

PSEUDO_GAINS, PSEUDO_ANSWERS = (1.0, -1.0), (0.0, 1.0)
"""Added to gains or shares of right or wrong answers before resampling: twenty equal answers of
twenty resample to nothing else; one imagined gain and one imagined loss give the interval the width
it should have (Agresti & Min 2005 do so for paired proportions)."""

Estimate = tuple[float, float, float]
"""A value and its 95 % interval: value, low, high."""


class Measure(NamedTuple):
    """What a finding can be judged by.

    Below ``least`` in both of two runs, their difference means nothing: both generate noise. It was
    chosen by eye; None is a gain worth having above guessing, and for nearness that of ``clean``.
    """

    title: str
    worth: float  # the smallest gain worth having
    least: float | None
    unit: str = "points"  # in which it is shown: dB, or hundredths


MEASURES = {
    "hair": Measure("hair colour right", 0.10, None),
    "face": Measure("face colour right", 0.10, None),
    "psnr": Measure("PSNR", 0.5, 10.0, "dB"),
    "likeness": Measure("likeness", 0.25, 0.25, "dB"),
    "restored": Measure("restoring noisy pictures", 0.5, 12.0, "dB"),
    "clean": Measure("free of noise", 0.10, 0.8),
    "kernel": Measure("nearness to real avatars", 0.10, None),
}
"""``clean`` and ``kernel`` are put on a scale from 0, pure noise, to 1, real images."""
AS_NEAR_AS_REAL = 0.01
"""The share of noise's KD-shape below which nearness hardly grows. It is a logarithm, since seeds
change KD-shape by a factor, of 0.02 as of 20; and it is below 0 where that is above noise's."""
LEAST_FREEDOM = 3
"""Of a deviation between seeds, in degrees of freedom, as four runs of one experiment have. With
fewer it can come out as almost nothing by luck."""
UNCONDITIONAL = ("restored", "clean", "kernel")
"""What a model can be judged by that nobody can ask for an avatar."""


@dataclass(frozen=True)
class Difference:
    """How much better the new experiment is than the old one, in the units of one measure."""

    value: float  # the mean over seeds and images, positive if the new one is better
    low: float  # its 95 % interval
    high: float
    worth: float  # the smallest gain worth having
    learned: bool = True  # if both generate noise, that they are equally bad says nothing

    def verdict(self, helps: bool = True) -> str:
        """On "the new one is better"; without ``helps`` on "it is not".

        Confirmed: it gains beyond the interval, and what is worth having. A small gain: beyond the
        interval, and less than that. Not confirmed: no such gain, and even at the upper end of the
        interval none worth having.
        """
        if not self.learned:
            return UNDECIDED
        sure, enough = self.low > 0, self.value >= self.worth
        if not helps:
            none = self.high < self.worth
            return CONFIRMED if none else NOT_CONFIRMED if sure and enough else UNDECIDED
        if sure:
            return CONFIRMED if enough else SMALL
        return NOT_CONFIRMED if self.high < self.worth else UNDECIDED


class MissingError(AvatarError):
    """Runs that a finding needs and that are not finished, or that could not be measured."""


@dataclass(frozen=True)
class Evidence:
    """The runs of a study, what ``measure`` found of some, and what that is to be seen against."""

    runs: dict[str, Run]
    results: dict[str, dict[str, Any]]
    reference: dict[str, Any]

    def experiments(self) -> list[str]:
        """Those of which something has been made, in the order of the tables."""
        return [*dict.fromkeys(self.runs[name].experiment for name in self.results)]

    def finished(self, experiment: str) -> list[dict[str, Any]]:
        """The results of all its runs that have been made; MissingError for none, or a failure."""
        names = [name for name, run in self.runs.items() if run.experiment == experiment]
        found = {name: self.results[name] for name in names if name in self.results}
        if not found:
            raise MissingError(f"the run {experiment} has not been made")
        for name, result in found.items():
            if result["failure"]:
                raise MissingError(f"the run {name} stopped early: {result['failure']}")
        return [*found.values()]

    def estimate(self, experiment: str, measure: str) -> Estimate:
        """The measure of an experiment at its end; MissingError if there is none."""
        results = self.finished(experiment)
        if measure == "kernel":
            of_images = _mean_of([self._nearness(result) for result in results])
        else:
            values = known(np.mean([result[measure][-1] for result in results], axis=0))
            if not len(values):
                raise MissingError(f"{MEASURES[measure].title!r} is not known of {experiment}")
            of_images = _estimate(values, PSEUDO_ANSWERS if measure in COLOURS else ())
        found = self._widened(of_images, measure, {experiment: len(results)})
        if measure not in COLOURS:
            return found
        value, low, high = np.clip(found, 0, 1).tolist()  # a share
        return value, low, high

    def difference(self, old: str, new: str, measure: str) -> Difference:
        """How much better ``new`` is than ``old`` at the end.

        MissingError for want of a run, or where the measure says nothing about one.
        """
        m, olds, news = MEASURES[measure], self.finished(old), self.finished(new)
        # A crowd can be further from real avatars than noise is and yet be of people.
        seen = "clean" if measure == "kernel" else measure
        ends = [self.estimate(name, seen)[0] for name in (old, new)]
        if measure == "kernel":
            # Not paired: the shapes of two crowds are compared, and an unconditional model
            # generates whom it likes.
            of_images = independent_difference(
                *(_mean_of([self._nearness(r) for r in results]) for results in (olds, news))
            )
        else:
            a, b = (np.mean([r[measure][-1] for r in x], axis=0) for x in (olds, news))
            of_images = paired_difference(a, b, measure in COLOURS)
        found = self._widened(of_images, measure, {old: len(olds), new: len(news)})
        least = MEASURES[seen].least
        if least is None:
            least = self.reference["chance"][measure] + m.worth
        return Difference(*found, m.worth, learned=max(ends) >= least)

    def seed_deviation(self, measure: str, of: Sequence[str]) -> tuple[float, int]:
        """How far runs that differ in nothing but their seed are apart, as a standard deviation.

        Of the experiments ``of`` together; of all, if those have fewer than ``LEAST_FREEDOM``
        degrees of freedom. Some experiments depend on their seed more than others.

        Returns:
            the deviation and its degrees of freedom.

        Raises:
            MissingError: no experiment was made more than once.
        """
        for experiments in (of, self.experiments()):
            squares, freedom = 0.0, 0
            for experiment in experiments:
                ends = self._ends(experiment, measure)
                if ends:
                    squares += np.var(ends) * len(ends)
                    freedom += len(ends) - 1
            if freedom >= LEAST_FREEDOM:
                break
        if not freedom:
            raise MissingError("no experiment has been made with two seeds")
        return float(np.sqrt(squares / freedom)), freedom

    def _ends(self, experiment: str, measure: str) -> list[float]:
        """The measure of each of its runs; none where it is not known."""
        try:
            results = self.finished(experiment)
            if measure == "kernel":
                return [self._nearness(result)[0] for result in results]
        except MissingError:
            return []
        ends = [known_mean(result[measure][-1]) for result in results]
        return [] if np.isnan(ends).any() else ends

    def _widened(self, of_images: Estimate, measure: str, seeds: dict[str, int]) -> Estimate:
        """An interval for these images, widened by the luck of seeds; errors add up as squares.

        Args:
            seeds: how often each experiment was made that it is about.
        """
        deviation, freedom = self.seed_deviation(measure, [*seeds])
        error = deviation * sum(1 / count for count in seeds.values()) ** 0.5
        luck = t.ppf(0.975, freedom) * error
        value, low, high = of_images
        return value, value - np.hypot(value - low, luck), value + np.hypot(high - value, luck)

    def _nearness(self, result: dict[str, Any]) -> Estimate:
        """KD-shape on a scale from 0, pure noise, to 1, real avatars."""
        noise, kernel = self.reference["noise_kernel"], result["kernel"]
        if kernel is None or noise is None:
            raise MissingError("there are too few images for KD-shape")
        low, high = kernel["interval"]
        # Of equal crowds it is 0, and its estimate may be below.
        shares = np.maximum([kernel["value"], high, low], 0) / noise
        value, low, high = np.log((shares + AS_NEAR_AS_REAL) / (1 + AS_NEAR_AS_REAL))
        best = np.log(AS_NEAR_AS_REAL / (1 + AS_NEAR_AS_REAL))
        return float(value / best), float(low / best), float(high / best)


def _mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """Of the same images by several runs: that they are these images does not average out."""
    value, low, high = np.mean(estimates, axis=0).tolist()
    return value, low, high


def known(values: np.ndarray) -> np.ndarray:
    """What is not NaN."""
    return values[~np.isnan(values)]


def known_mean(values: np.ndarray) -> float:
    """The mean of what is not NaN; NaN if nothing is."""
    return float(known(values).mean()) if len(known(values)) else float("nan")


def paired_difference(old: np.ndarray, new: np.ndarray, right_or_wrong: bool) -> Estimate:
    """The mean gain over the same images; ValueError for different ones, or none to be judged.

    Args:
        old, new: float [N]; NaN where an image cannot be judged, in both.
        right_or_wrong: the values are 0 and 1, or means of such over seeds.
    """
    if old.shape != new.shape or not np.array_equal(np.isnan(old), np.isnan(new)):
        raise ValueError("the two runs were not judged on the same images")
    gains = known(new - old)
    if not len(gains):
        raise ValueError("no image can be judged")
    return _estimate(gains, PSEUDO_GAINS if right_or_wrong else ())


def independent_difference(old: Estimate, new: Estimate) -> Estimate:
    """new - old, where errors add up as squares, on each side of the value for itself."""
    value = new[0] - old[0]
    down = np.hypot(new[0] - new[1], old[2] - old[0])
    up = np.hypot(new[2] - new[0], old[0] - old[1])
    return float(value), float(value - down), float(value + up)


def _estimate(values: np.ndarray, pseudo: tuple[float, ...]) -> Estimate:
    return float(values.mean()), *mean_interval(np.concatenate([values, pseudo]))
