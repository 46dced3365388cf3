"""The blog's finding on loss and picture quality, judged; what is counted is in loss_quality.py."""

from __future__ import annotations

from train.findings.evidence import MEASURES, Evidence, MissingError
from train.findings.loss_quality import (
    Comparison,
    Curve,
    LossAgainstQuality,
    judge_loss,
    loss_against_quality,
)
from train.findings.runs import BASE, same_loss

QUALITY = ("hair", "face", "likeness")


def comparable_curves(evidence: Evidence) -> list[Curve]:
    """The finished runs whose losses mean the same as blog-4's."""
    base = evidence.runs[BASE]
    return [
        Curve(
            name,
            [point.per_image["loss"] for point in result.points],
            {m: [evidence.per_image(p, m) for p in result.points] for m in QUALITY},
        )
        for name, result in evidence.results.items()
        if result.finished and same_loss(evidence.runs[name], base)
    ]


def judge_loss_finding(evidence: Evidence) -> tuple[str, str, str]:
    """Verdict, what decided in a few words, and a text with the numbers.

    Raises:
        MissingError: there is nothing to compare.
    """
    curves = comparable_curves(evidence)
    if len(curves) < 2:
        raise MissingError("fewer than two runs with comparable losses have been made")
    found = loss_against_quality(curves)
    count = len(found.within) + len(found.across)
    text = f"{_counted(found)} {_correlated(found)} "
    surest = sorted(found.instances, key=lambda c: c.p)
    if surest:
        cases = "case" if len(surest) == 1 else "cases"
        decided_by = f"{len(surest)} sure {cases} of lower loss and worse pictures"
        text += (
            f"In {len(surest)} of all {count} comparisons, those of face colours and likeness too, "
            "a lower loss came with worse pictures beyond what chance does in so many. The surest: "
            f"{'; '.join(map(_described, surest[:3]))}."
        )
    else:
        decided_by = f"no sure case of lower loss and worse pictures in {count} comparisons"
        text += (
            f"None of all {count} comparisons, those of face colours and likeness too, is a case "
            "of lower loss and worse pictures beyond what chance does in so many."
        )
    return judge_loss(found), decided_by, text


def _counted(found: LossAgainstQuality) -> str:
    """How often the loss fell and hair colours with it."""
    within, across = (
        [c.change < 0 for c in comparisons if c.measure == "hair"]
        for comparisons in (found.within, found.across)
    )
    return (
        f"From one check of a run to the next, fewer hair colours were right in {sum(within)} of "
        f"{len(within)} cases of a lower loss; between two finished runs, in {sum(across)} of "
        f"{len(across)}."
    )


def _correlated(found: LossAgainstQuality) -> str:
    parts = [
        f"{MEASURES[measure].title} {c[0]:.2f} ({c[1]:.2f} to {c[2]:.2f})"
        for measure, c in found.correlation.items()
        if c
    ]
    if not parts:
        return "The finished runs are too few, or too much alike, for a rank correlation."
    return (
        "Rank correlation of a lower loss and better pictures over the finished runs: "
        f"{'; '.join(parts)}."
    )


def _described(c: Comparison) -> str:
    measure = MEASURES[c.measure]
    return f"{c.between}, {measure.title} {measure.show_gain(c.change)}"
