"""The blog's findings one by one: what it says, what decides it here, and the verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from train import presets
from train.findings.evidence import MEASURES, Evidence, MissingError, in_words
from train.findings.loss_finding import judge_loss_finding
from train.findings.runs import (
    BASE,
    CONSTANT,
    FAST,
    LESS_NOISY,
    NOISIER,
    OURS,
    SECOND_SEED,
    TOO_NOISY,
)
from train.findings.verdicts import (
    CONFIRMED,
    NOT_CONFIRMED,
    UNDECIDED,
    Difference,
    judge_gain,
    judge_no_gain,
    reason,
)
from train.memory.estimate import MIB, Report, memory_report

STAGNATION = 0.02
"""A loss that fell by less than this share from one check to the next has stagnated."""

Judged = tuple[str, str, str]
"""Verdict, the numbers that decided in a few words, and a text with more of them."""


@dataclass(frozen=True)
class Finding:
    """One finding of the blog, judged.

    Attributes:
        number: as in the report.
        claim: what the blog says.
        verdict: see ``verdicts.py``.
        decided_by: the numbers, in a few words.
        text: a paragraph for the report.
    """

    number: str
    claim: str
    verdict: str
    decided_by: str
    text: str


def judge_all(evidence: Evidence) -> list[Finding]:
    """All findings, in the order of the blog; one whose runs are missing is not decided."""
    findings = []
    for number, claim, told, judge in CLAIMS:
        try:
            verdict, decided_by, text = judge(evidence)
        except MissingError as error:
            verdict, decided_by, text = UNDECIDED, str(error), f"Here, {error}."
        findings.append(Finding(number, claim, verdict, decided_by, f"{told} {text}"))
    return findings


def ours_against_theirs(evidence: Evidence) -> str | None:
    """How far our own preset is from the blog's final network; None if either is missing."""
    measures = ("psnr", "likeness", "hair", "face", "kernel")
    try:
        return " ".join(_compared(evidence, "blog-7", OURS, m)[1] for m in measures)
    except MissingError:
        return None


def seed_noise(evidence: Evidence) -> str | None:
    """How far the two seeds are apart, per measure; None if one is missing."""
    try:
        parts = [f"{m.title} {m.show_gain(evidence.floor(key), '')}" for key, m in MEASURES.items()]
    except MissingError:
        return None
    return f"{BASE} and {SECOND_SEED} differ at most by: {', '.join(parts)}."


def _pixel_range(evidence: Evidence) -> Judged:
    return _decided_by(evidence, "blog-1", "blog-2", "kernel", ("clean",))


def _bits(evidence: Evidence) -> Judged:
    return _decided_by(evidence, "blog-3", BASE, "kernel", ("hair", "face", "likeness"))


def _doubled_tau(evidence: Evidence) -> Judged:
    return _decided_by(evidence, BASE, "blog-5", "hair", ("face", "likeness"), judge_no_gain)


def _four_heads(evidence: Evidence) -> Judged:
    return _decided_by(evidence, BASE, "blog-6", "hair", ("face", "likeness"))


def _both(evidence: Evidence) -> Judged:
    return _decided_by(evidence, "blog-6", "blog-7", "hair", ("face", "likeness"))


def _noise(evidence: Evidence) -> Judged:
    others = ("kernel", "hair", "likeness")
    verdict, decided_by, text = _decided_by(evidence, TOO_NOISY, BASE, "clean", others)
    for name in (LESS_NOISY, NOISIER):
        try:
            difference, compared = _compared(evidence, BASE, name, "kernel")
        except MissingError:
            continue
        text += f" Then {evidence.runs[name].about}: {compared}"
        text += _not_deciding(evidence, BASE, name, ("clean", "hair", "likeness"))
        if name == NOISIER and judge_gain(difference) == CONFIRMED:
            text += (
                " So more noise than the blog's is better here. The blog's own level never trains "
                "on the pure noise that drawing starts from."
            )
    return verdict, decided_by, text


def _decay(evidence: Evidence) -> Judged:
    others = ("hair", "likeness")
    verdict, decided_by, text = _decided_by(evidence, CONSTANT, BASE, "kernel", others)
    before, last = (p.per_image["loss"] for p in evidence.result(CONSTANT).points[-2:])
    fall = 1 - last[: len(before)].mean() / before.mean()
    if fall < STAGNATION:
        return verdict, decided_by, text
    decided_by = f"the loss never stagnated: it still fell by {100 * fall:.0f} % at the end"
    text = (
        f"With the rate never cut, the validation loss still fell by {100 * fall:.0f} % between "
        "the last two checks, so the moment that the finding is about never came. For all that: "
        f"{text}"
    )
    return UNDECIDED, decided_by, text


def _fast(evidence: Evidence) -> Judged:
    return _decided_by(evidence, FAST, CONSTANT, "kernel", ("hair", "likeness"))


def _memory(evidence: Evidence) -> Judged:
    report = _memory_of_blog_7()
    weights, activations, total = (
        x / MIB for x in (report.weights, report.activations, report.total)
    )
    return (
        CONFIRMED if activations > total / 2 else NOT_CONFIRMED,
        f"weights {weights:,.0f} MiB, activations {activations:,.0f} MiB",
        f"Here, for blog-7 in its real size and counted instead of measured: {report.parameters:,} "
        f"parameters are {weights:,.0f} MiB of weights, and the backward pass of a batch of "
        f"{report.part_size} keeps {activations:,.0f} MiB of activations, "
        f"{100 * activations / total:.0f} % of {total:,.0f} MiB in all (float32, CUDA; "
        "[memory.md](memory.md)).",
    )


CLAIMS: tuple[tuple[str, str, str, Callable[[Evidence], Judged]], ...] = (
    (
        "1",
        "Pixels in [-1, 1] instead of [0, 1] make it learn faster",
        "In the blog, noise for four epochs in [0, 1], and features of avatars after one epoch in "
        "[-1, 1]. Both are unconditional, so only all avatars together can be judged.",
        _pixel_range,
    ),
    (
        "2",
        "Attributes as 217 bits work better than as 18 integers",
        "In the blog, faces after one epoch instead of two.",
        _bits,
    ),
    (
        "3",
        "Doubling Tau's projections alone does not help",
        "In the blog, colours stay wrong beyond epoch 20.",
        _doubled_tau,
    ),
    (
        "4",
        "Four attention heads instead of one bring hair colours",
        "In the blog, by epoch 9.",
        _four_heads,
    ),
    (
        "5",
        "Four heads and the doubled Tau together are better still",
        "In the blog, the last step to its final network.",
        _both,
    ),
    (
        "6",
        "With too much noise it keeps drawing noise",
        "The blog's level, T = 300 with beta up to 0.008, leaves 0.54 of the image at the noisiest "
        "step, while drawing starts from pure noise. Too much is T = 500 with beta up to 0.2: an "
        "avatar is noise at once ([training.md](training.md), section 2).",
        _noise,
    ),
    (
        "7a",
        "Cutting the learning rate when the loss stagnates helps",
        f"{BASE} halves it four times, {CONSTANT} never.",
        _decay,
    ),
    (
        "7b",
        "A learning rate that is too high hurts",
        "Four times as high, neither ever cut.",
        _fast,
    ),
    (
        "8",
        "Lower loss does not promise better pictures",
        "In the blog, hair colours known at epoch 10 are gone at epoch 14, though the loss fell.",
        judge_loss_finding,
    ),
    (
        "9",
        "Memory goes into activations, not weights",
        "The blog: 76,464,439 parameters, 18,319 MiB of activations, 22,616 MiB used.",
        _memory,
    ),
)
"""Number, claim, what the blog tells of it, and who judges it."""


def _decided_by(
    evidence: Evidence,
    old: str,
    new: str,
    measure: str,
    others: tuple[str, ...],
    judge: Callable[[Difference], str] = judge_gain,
) -> Judged:
    """Judge by one measure, chosen before any run was made; ``others`` are only shown."""
    difference, text = _compared(evidence, old, new, measure)
    decided_by = f"{MEASURES[measure].title}: {in_words(difference, measure)}"
    if not difference.learned:
        decided_by = f"neither run has learned enough; {decided_by}"
    return judge(difference), decided_by, text + _not_deciding(evidence, old, new, others)


def _compared(evidence: Evidence, old: str, new: str, measure: str) -> tuple[Difference, str]:
    """The difference, and a sentence with both values and what the rule makes of it."""
    difference, m = evidence.difference(old, new, measure), MEASURES[measure]
    before, after = (m.show(evidence.estimate(name, measure)[0]) for name in (old, new))
    why = reason(difference, m.show_gain(m.worth, ""))
    title = m.title[0].upper() + m.title[1:]
    text = f"{title}: {old} {before}, {new} {after}, {in_words(difference, measure)}: {why}."
    return difference, text


def _not_deciding(evidence: Evidence, old: str, new: str, measures: tuple[str, ...]) -> str:
    """Other measures, for what they are worth."""
    found = []
    for measure in measures:
        try:
            difference = evidence.difference(old, new, measure)
        except MissingError:
            continue
        found.append(f"{MEASURES[measure].title} {in_words(difference, measure)}")
    return f" Not deciding: {'; '.join(found)}." if found else ""


@cache
def _memory_of_blog_7() -> Report:
    """In its real size, without a data set."""
    return memory_report(replace(presets.load("blog-7-final"), data=""))
