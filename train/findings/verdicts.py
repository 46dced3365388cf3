"""When is one run better than another? The rule, apart from everything it is applied to.

A difference between two runs has three enemies: too few images were looked at (the interval), the
runs would have come out otherwise with another seed (the floor), and it may be too small to matter
(what is worth having). A verdict needs all three settled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from train.evaluation.intervals import mean_interval

CONFIRMED = "confirmed"
NOT_CONFIRMED = "not confirmed"
UNDECIDED = "not decided at this budget"

PSEUDO_GAINS = (1.0, -1.0)
"""Added to the gains of right or wrong answers before resampling: twenty equal answers of twenty
resample to nothing else; one imagined gain and one imagined loss give the interval the width it
should have (Agresti & Min 2005 do so for paired proportions)."""


@dataclass(frozen=True)
class Difference:
    """How much better the new run is than the old one, in the units of one measure.

    Attributes:
        value: the mean over the images, positive if the new run is better.
        low, high: its 95 % interval.
        floor: how far two runs that differ in nothing but their seed were apart.
        worth: the smallest gain worth having.
        learned: whether either run has learned anything that this measure can see. If both draw
            noise, that they are equally bad says nothing.
    """

    value: float
    low: float
    high: float
    floor: float
    worth: float
    learned: bool = True

    @property
    def is_gain(self) -> bool:
        """Beyond chance and beyond the seed."""
        return self.low > 0 and self.value > self.floor

    @property
    def is_no_gain_worth_having(self) -> bool:
        """Even the best case of the interval, and even with the luck of a seed, is too little."""
        return self.high < self.worth and self.value + self.floor < self.worth


def judge_gain(difference: Difference) -> str:
    """The verdict on "the new way is better".

    Confirmed: a gain beyond interval and floor. Not confirmed: a gain worth having is ruled out,
    which includes every loss beyond interval and floor. A sure gain that is too small to matter is
    not confirmed.
    """
    if not difference.learned:
        return UNDECIDED
    if difference.is_no_gain_worth_having:
        return NOT_CONFIRMED
    return CONFIRMED if difference.is_gain else UNDECIDED


def judge_no_gain(difference: Difference) -> str:
    """The verdict on "the new way does not help": the mirror image of ``judge_gain``.

    It takes more than failing to see a gain: the interval must rule out a gain worth having.
    """
    mirrored = {CONFIRMED: NOT_CONFIRMED, NOT_CONFIRMED: CONFIRMED, UNDECIDED: UNDECIDED}
    return mirrored[judge_gain(difference)]


def reason(difference: Difference, worth: str) -> str:
    """Why the rule came out as it did, as the end of a sentence; ``worth`` in words."""
    d = difference
    if not d.learned:
        return "neither run has learned enough for this number to mean anything"
    if d.is_no_gain_worth_having:
        return f"a gain of {worth} or more is ruled out"
    if d.is_gain:
        return "beyond the interval and beyond what a seed does"
    if d.low > 0:
        return "sure for these two models, but two seeds differ as much"
    if d.high < d.worth:
        return f"less than {worth} for these two models, but a seed could hide more"
    return "the interval leaves open whether there is a gain"


def paired_difference(
    old: np.ndarray, new: np.ndarray, right_or_wrong: bool
) -> tuple[float, float, float]:
    """The mean gain over the same images, and its 95 % interval: value, low, high.

    Args:
        old, new: float [N]; NaN where an image cannot be judged, in both.
        right_or_wrong: the values are 0 and 1.

    Raises:
        ValueError: different images, or none that can be judged.
    """
    if old.shape != new.shape or not np.array_equal(np.isnan(old), np.isnan(new)):
        raise ValueError("the two runs were not judged on the same images")
    gains = (new - old)[~np.isnan(old)]
    if not len(gains):
        raise ValueError("no image can be judged")
    pseudo = PSEUDO_GAINS if right_or_wrong else ()
    low, high = mean_interval(np.concatenate([gains, pseudo]))
    return float(gains.mean()), low, high


def independent_difference(
    old: tuple[float, float, float], new: tuple[float, float, float]
) -> tuple[float, float, float]:
    """The difference new - old of two estimates (value, low, high), and its 95 % interval.

    Errors of independent estimates add up as squares, on each side of the value for itself.
    """
    value = new[0] - old[0]
    down = np.hypot(new[0] - new[1], old[2] - old[0])
    up = np.hypot(new[2] - new[0], old[0] - old[1])
    return float(value), float(value - down), float(value + up)
