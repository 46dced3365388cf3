"""The report of a study: every number as JSON, what they say, tables and pictures of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from avatar_model.atomic import write_atomically
from train import presets
from train.data.dataset import PackedSet
from train.findings import compare
from train.findings.compare import MEASURES, UNCONDITIONAL, Difference, Evidence, MissingError
from train.findings.figures import save_loss, save_memory, save_sheet
from train.findings.loss_against_quality import loss_against_quality
from train.findings.plan import BASE, COMPARED, FINDINGS, PEOPLE, SIZES
from train.findings.study import Plan
from train.memory.estimate import MIB, memory_report

PAGE = Path(__file__).with_name("page.md")
BLOG_MEMORY = {
    "weights_mib": 291.69,
    "gradients_mib": 291.69,
    "optimizer_state_mib": 583.38,
    "module_outputs_mib": 18_319.0,
}
"""What the blog's author counts, in MiB although he writes MB."""
SHOWN = 20
"""Of the sure cases of lower loss and worse pictures, so many, the surest, are listed."""
QUALITY = ("hair", "face", "likeness")
"""What pictures are judged by where a lower loss is said to promise no better ones."""


def write_report(out: Path, plan: Plan, evidence: Evidence, data: PackedSet) -> list[Path]:
    """Write ``out``, a .md file, and beside it .json and the pictures.

    ``_sheet.png`` has every experiment, ``_1a.png`` to ``_7b.png`` the two that decide a finding,
    ``_loss.png`` the losses that can be compared, ``_9.png`` the memory.

    Args:
        data: has the real avatars.
    """
    summary = in_json(summarize(plan, evidence))
    first = [name for name, run in evidence.runs.items() if name == run.experiment]
    results = {name: evidence.results[name] for name in first if name in evidence.results}
    shown = {name: r["images"] for name, r in results.items() if not r["failure"]}
    curves = {name: summary["runs"][name] for name in shown if summary["runs"][name]["same_loss"]}
    pictures = {}
    if shown:
        people = data.images[data.split("validation")[:PEOPLE]]
        real = (plan.data, "the real ones, never trained on", people)
        rows = {name: (name, evidence.runs[name].about, images) for name, images in shown.items()}
        sheets = {"sheet": [*rows.values()]}
        first_of_pair: dict[tuple[str, str], str] = {}  # two findings may look at the same pair
        for number, (old, new, _, _) in FINDINGS.items():
            first_of_pair.setdefault((old, new), number)
        for (old, new), number in first_of_pair.items():
            if old in rows and new in rows:
                sheets[number] = [rows[old], rows[new]]
        for name, shown_rows in sheets.items():
            pictures[name] = out.with_name(f"{out.stem}_{name}.png")
            save_sheet(pictures[name], [real, *shown_rows])
    if curves:
        pictures["loss"] = out.with_name(f"{out.stem}_loss.png")
        save_loss(pictures["loss"], curves, evidence.reference["chance"]["hair"])
    pictures["9"] = out.with_name(f"{out.stem}_9.png")
    save_memory(pictures["9"], BLOG_MEMORY, summary["memory"])
    page = to_markdown(summary, {name: path.name for name, path in pictures.items()})
    files = {out: page, out.with_suffix(".json"): json.dumps(summary, indent=1) + "\n"}
    out.parent.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        write_atomically(path, text)
    return [*files, *pictures.values()]


def in_json(summary: dict[str, Any]) -> dict[str, Any]:
    """As it is written and read: six digits, which are plenty, and no NaN, which JSON lacks."""
    rounded: dict[str, Any] = json.loads(
        json.dumps(summary),
        parse_float=lambda digits: float(f"{float(digits):.6g}"),
        parse_constant=lambda _: None,
    )
    return rounded


def to_markdown(summary: dict[str, Any], pictures: dict[str, str]) -> str:
    """The tables and the pictures, by what they are of, as a page."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    worth = {name: measure.worth for name, measure in MEASURES.items()}
    page = environment.from_string(PAGE.read_text("utf-8"))
    freedom = compare.LEAST_FREEDOM
    return page.render(**summary, pictures=pictures, worth=worth, least_freedom=freedom)


def summarize(plan: Plan, evidence: Evidence) -> dict[str, Any]:
    """All that was found, in plain JSON types."""
    dates = sorted({result["date"] for result in evidence.results.values()})
    seeds = _measured(MEASURES, partial(evidence.seed_deviation, of=evidence.experiments()))
    findings = []
    for number, (*_, claim) in FINDINGS.items():
        try:
            verdict, why = judge(number, evidence)
        except MissingError as error:
            verdict, why = compare.UNDECIDED, str(error)
        findings.append({"number": number, "claim": claim, "verdict": verdict, "decided_by": why})
    return {
        "study": {**asdict(plan), "networks": SIZES[plan.size].about, "dates": dates},
        "findings": findings,
        "experiments": {name: _experiment(evidence, name) for name in evidence.experiments()},
        "runs": {name: _run(evidence, name, r) for name, r in evidence.results.items()},
        "reference": evidence.reference,
        "seed_deviations": {m: d for m, (d, _) in seeds.items()},
        "comparisons": [_comparison(evidence, *pair) for pair in COMPARED],
        "loss_against_quality": _counted(compare_losses(evidence)),
        "memory": memory_of_blog_7(),
    }


def judge(number: str, evidence: Evidence) -> tuple[str, str]:
    """The verdict on a finding, and the number that it is decided by, in a few words.

    Raises:
        MissingError: a run that it needs is not finished.
    """
    if number == "9":
        memory = memory_of_blog_7()
        most = memory["activations_mib"] > memory["total_mib"] / 2
        numbers = "weights {weights_mib:,.0f} MiB, activations {activations_mib:,.0f} MiB"
        return compare.CONFIRMED if most else compare.NOT_CONFIRMED, numbers.format(**memory)
    if number == "8":
        loss = compare_losses(evidence)
        if not loss["across"]:
            raise MissingError("fewer than two runs with comparable losses have been made")
        sure = {
            part: f"{sum(case in loss['instances'] for case in loss[part])} of {len(loss[part])}"
            for part in ("within", "across")
        }
        where = f"within a run {sure['within']}, between two runs {sure['across']}"
        return loss["verdict"], f"surely a lower loss and worse pictures: {where} comparisons"
    old, new, measure, _ = FINDINGS[number]
    difference = evidence.difference(old, new, measure)
    helps = number != "3"  # which says that something does not
    return difference.verdict(helps), in_words(difference, measure)


def in_words(difference: Difference, measure: str) -> str:
    """A difference with its interval, in a few words."""
    title, _, _, unit = MEASURES[measure]
    factor, digits = (1, 2) if unit == "dB" else (100, 0)
    d = difference
    value, low, high = (f"{factor * x:+.{digits}f}" for x in (d.value, d.low, d.high))
    learned = "" if d.learned else "neither run has learned enough; "
    return f"{learned}{title}: {value} {unit} ({low} to {high})"


@cache
def memory_of_blog_7() -> dict[str, float]:
    """In its real size, counted, without a data set."""
    report = memory_report(replace(presets.load("blog-7-final"), data=""))
    parts = ("weights", "gradients", "optimizer_state", "activations", "module_outputs", "total")
    mib = {f"{part}_mib": getattr(report, part) / MIB for part in parts}
    return {"parameters": report.parameters, "batch_size": report.part_size, **mib}


def compare_losses(evidence: Evidence) -> dict[str, Any]:
    """Of the finished runs whose losses mean the same as blog-4's."""
    runs = {}
    for name, result in evidence.results.items():
        if not result["failure"] and evidence.runs[name].same_loss(evidence.runs[BASE]):
            runs[name] = {key: result[key] for key in ("loss", *QUALITY)}
    return loss_against_quality(runs)


def _counted(losses: dict[str, Any]) -> dict[str, Any]:
    """``loss_against_quality`` with the numbers of its comparisons, which are hundreds.

    By measure: how many of them look worse, and how many there are.
    """
    counts: dict[str, dict[str, list[int]]] = {}
    for part in ("within", "across"):
        counts[part] = {m: [0, 0] for m in QUALITY}
        for comparison in losses[part]:
            found = counts[part][comparison["measure"]]
            found[0] += comparison["change"] < 0
            found[1] += 1
    return losses | counts | {"instances": losses["instances"][:SHOWN]}


def _experiment(evidence: Evidence, name: str) -> dict[str, Any]:
    """What its runs were measured to be at their end, together."""
    runs = {n: run for n, run in evidence.runs.items() if run.experiment == name}
    made = [n for n in runs if n in evidence.results]
    measures = MEASURES if runs[name].conditional else UNCONDITIONAL
    estimates = _measured(measures, partial(evidence.estimate, name))
    return {
        "about": runs[name].about,
        "runs": made,
        "failure": next((f for n in made if (f := evidence.results[n]["failure"])), None),
        "same_loss": runs[name].same_loss(evidence.runs[BASE]),
        "loss": float(np.mean([evidence.results[n]["loss"][-1] for n in made])),
        "measures": {m: {"value": x[0], "interval": x[1:]} for m, x in estimates.items()},
    }


def _run(evidence: Evidence, name: str, result: dict[str, Any]) -> dict[str, Any]:
    """What a run was measured to be, at its end and at each check."""
    run, points = evidence.runs[name], result["points"]
    known = {"parameters": result["parameters"], "failure": result["failure"]}
    if result["failure"]:
        return known
    shown = ["loss", *(MEASURES if run.conditional else UNCONDITIONAL)]
    shown.remove("kernel")
    always = ~np.isnan(result["loss"]).any(axis=0)  # the images looked at at every check
    checks = [
        {
            "images": point["step"] * run.config.batch_size,
            "train_loss": point["train_loss"],
            **{m: compare.known_mean(result[m][i, always]) for m in shown},
        }
        for i, point in enumerate(points)
    ]
    return {
        **known,
        "same_loss": run.same_loss(evidence.runs[BASE]),
        **{key: points[-1][key] for key in ("seconds", "train_loss")},
        "loss": float(result["loss"][-1].mean()),
        "kernel_distance": result["kernel"],
        "at_end": {m: compare.known_mean(result[m][-1]) for m in shown},
        "checks": checks,
    }


def _comparison(evidence: Evidence, old: str, new: str) -> dict[str, Any]:
    both = evidence.runs[old].conditional and evidence.runs[new].conditional
    found = _measured(MEASURES if both else UNCONDITIONAL, partial(evidence.difference, old, new))
    measures = {m: {**asdict(d), "verdict": d.verdict()} for m, d in found.items()}
    return {"old": old, "new": new, "measures": measures}


def _measured(measures: Iterable[str], find: Callable[[str], Any]) -> dict[str, Any]:
    """What ``find`` finds of each measure, without those that are missing."""
    found = {}
    for measure in measures:
        with suppress(MissingError):
            found[measure] = find(measure)
    return found
