"""``findings.md`` and its pictures, from what was measured: readable in two minutes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from avatar_model.checkpoint import write_atomically
from train.data.packed import PackedSet
from train.figures.picture import FigureError
from train.findings.evidence import MEASURES, Evidence, MissingError
from train.findings.judge import Finding, judge_all, ours_against_theirs, seed_noise
from train.findings.loss_finding import comparable_curves
from train.findings.pictures import contact_sheet, loss_figure
from train.findings.plan import Plan
from train.findings.runs import BASE, SAMPLING_STEPS, SIZES, same_loss
from train.findings.verdicts import CONFIRMED, NOT_CONFIRMED, UNDECIDED

NOTHING = "—"
CREDIT = (
    "The real avatars in the picture are from [Cartoon Set](https://google.github.io/cartoonset/), "
    "© Google LLC, licensed under [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/), "
    "scaled down; all runs were trained on it."
)


def write_findings(out: Path, plan: Plan, evidence: Evidence, data: PackedSet) -> list[Path]:
    """Write the page and its pictures, ``out`` with ``_sheet.png`` and ``_loss.png`` for ``.md``.

    Args:
        out: the page, a .md file.
        data: where the real avatars beside the drawn ones come from.

    Returns:
        the files.

    Raises:
        FigureError: a file cannot be written.
    """
    pictures = {}
    finished = {name: r for name, r in evidence.results.items() if r.finished}
    if finished:
        pictures["sheet"] = out.with_name(f"{out.stem}_sheet.png")
        real = data.images[data.split("validation")[: plan.drawn_at_end]]
        rows = [(name, evidence.runs[name].about, r.drawn) for name, r in finished.items()]
        contact_sheet(pictures["sheet"], real, rows)
    if curves := comparable_curves(evidence):
        pictures["loss"] = out.with_name(f"{out.stem}_loss.png")
        images = {
            name: [point.step * evidence.runs[name].config.batch_size for point in r.points]
            for name, r in finished.items()
        }
        chance = evidence.reference.chance["hair"]
        loss_figure(pictures["loss"], curves, images, "hair", "likeness", chance)
    text = to_markdown(plan, evidence, judge_all(evidence), pictures)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, text)
    except OSError as error:
        raise FigureError(f"cannot write {out}: {error.strerror or error}") from error
    return [out, *pictures.values()]


def to_markdown(
    plan: Plan, evidence: Evidence, findings: list[Finding], pictures: dict[str, Path]
) -> str:
    """The whole page.

    Args:
        pictures: "sheet" and "loss", if they were drawn; they lie beside the page.
    """
    parts = ["# The blog's findings, checked", _what_was_done(plan, evidence), _size(plan)]
    parts += [
        _summary(findings),
        _table(
            ("", "the blog says", "here", "decided by"),
            [(f.number, f.claim, f"**{f.verdict}**", f.decided_by) for f in findings],
        ),
        "In brackets: the 95 % interval, and how far two seeds of the same run are apart.",
    ]
    if "sheet" in pictures:
        parts += [
            "## What each run draws",
            f"![The same people drawn by every run, below the real]({pictures['sheet'].name})",
            "A row is a run, a column a combination of attributes that none of them was trained "
            "on. Unconditional runs draw whom they like.",
        ]
    parts += ["## All numbers", _numbers(evidence), _legend(evidence)]
    parts.append("## Finding by finding")
    parts += [f"**{f.number}. {f.claim}: {f.verdict}.** {f.text}" for f in findings]
    if "loss" in pictures:
        parts += [
            f"![Loss and quality over time, and one against the other]({pictures['loss'].name})",
            "The runs whose losses mean the same, with a mark at each check; on the lower right "
            "the large mark is the end of a run. If a lower loss meant better pictures, all paths "
            "there would lie on one rising curve.",
        ]
    if ours := ours_against_theirs(evidence):
        parts += ["## And ours", f"On the same number of images: {ours}"]
    parts += ["## How a verdict is made", _rules()]
    if seeds := seed_noise(evidence):
        parts.append(seeds)
    parts += ["## What this cannot tell", _limits(plan), "## Again", _again(plan, evidence)]
    if not plan.data.startswith("drawn:"):
        parts.append(CREDIT)
    return "\n\n".join(parts) + "\n"


def _what_was_done(plan: Plan, evidence: Evidence) -> str:
    minutes = [r.last.seconds / 60 for r in evidence.results.values() if r.finished] or [0.0]
    epochs = plan.images / max(plan.rows * 0.88, 1)
    return (
        f"{len(evidence.results)} training runs that differ in one thing each, all on "
        f"{plan.images:,} images of {plan.data} ({epochs:.1f} epochs; {min(minutes):.1f} to "
        f"{max(minutes):.1f} minutes). Each then drew {evidence.reference.images} combinations of "
        "attributes that it was not trained on. The 18 attributes determine a Cartoon Set image, "
        "so every avatar has one right answer to be compared with."
    )


def _size(plan: Plan) -> str:
    if plan.size == "real":
        return "The networks are the presets in their real size."
    return (
        f"**The networks are not the blog's but small ones** (size `{plan.size}`): "
        f"{SIZES[plan.size].about}. What stays: the noise schedule, Adam with a step decay, "
        "condition dropout 0.2 and guidance 2.0. On a GPU the same command takes the real sizes."
    )


def _summary(findings: list[Finding]) -> str:
    found = Counter(finding.verdict for finding in findings)
    counts = [f"{found[v]} {v}" for v in (CONFIRMED, NOT_CONFIRMED, UNDECIDED) if found[v]]
    return f"Of {len(findings)} statements: {', '.join(counts)}."


def _numbers(evidence: Evidence) -> str:
    heads = (
        *("run", "training loss", "validation loss", "hair colour", "face colour", "PSNR (dB)"),
        *("likeness (dB)", "KD-shape", "free of noise", "seconds"),
    )
    rows = [_row(evidence, name) for name in evidence.results]
    r = evidence.reference
    chance = [f"{100 * r.chance[m]:.0f} %" for m in ("hair", "face")]
    noise, real = (_optional(x) for x in (r.noise_kernel, r.real_kernel))
    psnr, mean_psnr = f"{r.noise_psnr:.2f}", f"{r.mean_image_psnr:.2f}"
    rows += [
        ("*noise, or guessing*", *[NOTHING] * 2, *chance, psnr, "0", noise, "0 %", NOTHING),
        ("*always the mean image*", *[NOTHING] * 4, mean_psnr, "0", *[NOTHING] * 3),
        ("*other real avatars*", *[NOTHING] * 6, real, "100 %", NOTHING),
    ]
    return _table(heads, rows)


def _row(evidence: Evidence, name: str) -> tuple[str, ...]:
    run, result = evidence.runs[name], evidence.results[name]
    about = f"{name}: {run.about}"
    if not result.finished:
        return (about, "stopped early", *[NOTHING] * 8)
    last = result.last
    mark = "" if same_loss(run, evidence.runs[BASE]) else " *"
    if run.config.model.tau_encoding == "none":
        paired = [NOTHING] * 4
    else:
        paired = [_share(evidence, name, measure) for measure in ("hair", "face")]
        paired += [f"{last.mean('psnr'):.2f}", f"{last.mean('psnr') - last.mean('other'):+.2f}"]
    return (
        about,
        *(f"{loss:.4f}{mark}" for loss in (last.train_loss, last.mean("loss"))),
        *paired,
        _optional(result.kernel and result.kernel["value"]),
        f"{100 * np.mean(evidence.per_image(last, 'clean')):.0f} %",
        f"{last.seconds:.0f}",
    )


def _share(evidence: Evidence, name: str, measure: str) -> str:
    try:
        value, low, high = evidence.estimate(name, measure)
    except MissingError:
        return NOTHING
    return f"{100 * value:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def _optional(x: float | None) -> str:
    return NOTHING if x is None else f"{x:.2f}"


def _legend(evidence: Evidence) -> str:
    r = evidence.reference
    return (
        "Losses with a * are of another target, noise or pixel range: compare them with nothing. "
        "Hair and face colour: how many avatars have the colour that was asked for, read from the "
        f"pixels where the real picture shows it ({r.readable['hair']} and {r.readable['face']} of "
        f"{r.images} do). PSNR: against the right picture, on white. Likeness: how much nearer (in "
        "PSNR) an avatar is to the right person than to another one; 0 for a model that does not "
        "listen. KD-shape: kernel distance of edges and colours between all drawn and all real "
        "avatars, lower is better; it is no FID. Nearness: the same, from pure noise (0 %) to real "
        "avatars (100 %). Free of noise: how far pixels are from the median of their neighbours, "
        "from pure noise (0 %) to real avatars (100 %)."
    )


def _rules() -> str:
    worth = ", ".join(f"{m.title} {m.show_gain(m.worth, '')}" for m in MEASURES.values())
    return (
        "A finding is decided by the number that is nearest to what the blog describes. "
        "*Confirmed*: the gain is beyond its 95 % interval (bootstrap over the same images; for "
        "KD-shape, jackknife) and beyond what two seeds of the same run differ by. *Not "
        "confirmed*: even at the upper end of the interval, and even with a seed's luck, there is "
        "no gain worth having. *Not decided at this budget*: all else, and whenever neither run "
        "has learned what the number sees. Finding 3 says that something does not help, so there "
        "the rule is turned around. Finding 8 takes one pair of models of which the one with the "
        f"lower loss draws worse, beyond chance (5 %, Bonferroni). Worth having: {worth}."
    )


def _limits(plan: Plan) -> str:
    return "\n".join(
        [
            "- The blog trained 18 to 39 epochs, perhaps of 100,000 images; here a run saw "
            f"{plan.images:,}. What shows late there cannot show here.",
            "- One pair of seeds is a rough idea of what a seed does.",
            "- The blog does not tell its learning rate, its decay or its number of blocks: these "
            "are its ideas in our network.",
            f"- Drawn in {SAMPLING_STEPS} steps of the blog's sampler instead of 300.",
            f"- All numbers come from the validation split. Looking at {BASE} on it settled the "
            "reduced size.",
        ]
    )


def _again(plan: Plan, evidence: Evidence) -> str:
    dates = sorted({r.date for r in evidence.results.values()}) or ["no run yet"]
    when = " to ".join(dict.fromkeys([dates[0], dates[-1]]))
    return (
        f"```sh\n{plan.command}\n```\n\nMade on {plan.machine}; {when}. Stopped and started again, "
        "the command goes on where it was; with `--report-only` it writes this page anew."
    )


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
