"""``report.json`` for programs, ``report.md`` for people: the same numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from avatar_model.checkpoint import write_atomically

REPORT_JSON = "report.json"
REPORT_MD = "report.md"

_PAIRED = {
    "psnr": ("PSNR (dB)", "{:.2f}"),
    "ssim": ("SSIM", "{:.4f}"),
    "alpha_iou": ("Alpha IoU", "{:.4f}"),
    "colour_face": ("Colour error in the face (CIEDE2000)", "{:.2f}"),
    "colour_hair": ("Colour error in the hair (CIEDE2000)", "{:.2f}"),
    "colour_glasses": ("Colour error in the glasses (CIEDE2000)", "{:.2f}"),
}


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Write both files; numbers that are not finite become strings in the JSON.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_finite(report), indent=1, allow_nan=False)
    write_atomically(folder / REPORT_JSON, text + "\n")
    write_atomically(folder / REPORT_MD, to_markdown(report))


def to_markdown(report: dict[str, Any]) -> str:
    """The report as a page that explains itself."""
    about = report["about"]
    seeds = ", ".join(map(str, about["seeds"]))
    parts = [
        f"# How good is {about['model']}?\n",
        f"{about['combinations']} attribute combinations of the {about['split']} split of "
        f"`{about['data']}`, never trained on; drawn with seeds {seeds}; {_settings(about)}. "
        f"{about['date']}, {about['machine']}; {about['minutes']:.1f} minutes. Intervals are 95 % "
        "bootstrap intervals over images.\n",
        f"Made by `{about['command']}`.\n",
        "## 1. Against the true image\n",
        "All 18 attributes determine a picture of Cartoon Set, so every avatar has one right "
        "answer. Compared on white; colour errors only where the true image shows that fill.\n",
        paired_table(report["paired"]),
        f"\nPSNR with each seed: {', '.join(f'{v:.2f}' for v in report['paired']['psnr_per_seed'])}"
        " dB.\n\n![The 20 worst pairs: true image left, drawn avatar right](worst.png)\n",
        "## 2. Attributes\n",
        "Read by an independent classifier (a plain convolutional network, trained on real images "
        "only). The ceiling is what it reads in the true images of the same combinations. An "
        "attribute that the combination covers is left out: where the classifier, on real images "
        "of the validation split, reads an attribute no better than half way between guessing and "
        "its usual accuracy, given the value of another one.\n",
        attribute_table(report["attributes"]),
        "\nColours read from the pixels: the median colour where the true image shows that fill, "
        "and the nearest colour of the palette.\n",
        colour_table(report["colours"]),
        "\n## 3. Distribution\n",
        "Distances between the drawn avatars and the true images of the same combinations, beside "
        "the floor: other real images in place of the drawn ones. FD and KD are Frechet and kernel "
        "distance, corrected for the number of images, so that 0 is perfect and noise goes either "
        "way; density and coverage as usual, 1 is good. Features are the classifier's (attr) or "
        "HOG shapes with a colour thumbnail (shape), in their first principal components. They are "
        "not FID and KID: no Inception network is involved. Intervals are jackknife intervals.\n",
        _distribution_table(report["distribution"]),
        "\n## 4. Attributes left open\n",
        "Given: share of visible given attributes read as asked. Drawn: share of visible drawn "
        "attributes read as told. Ceiling: the share read rightly in real images. Distance: total "
        "variation between the values that were read and the frequencies of the training data, "
        "beside what an exact sample of that size has.\n",
        _partial_table(report["partial"]),
        "\n## 5. Is it a copy of a training image?\n",
        _copies(report["memorisation"]),
        "\n![The worst: true image, drawn avatar, nearest training image](copies.png)\n",
    ]
    if "sweep" in report:
        parts += ["\n## 6. Sampler, steps and guidance\n", _sweep(report["sweep"])]
    return "\n".join(parts).rstrip() + "\n"


def card_section(report: dict[str, Any]) -> str:
    """What of the report stands in the model card."""
    about = report["about"]
    return "\n".join(
        [
            f"{about['combinations']} attribute combinations of the {about['split']} split, never "
            f"trained on, each drawn with {len(about['seeds'])} seeds; {_settings(about)}. "
            f"{about['date']}, {about['machine']}. All 18 attributes determine the picture, so "
            "every avatar has one right answer and is compared with it on white.\n",
            paired_table(report["paired"]),
            "\nAttributes, read by a classifier that is independent of this model; the ceiling is "
            "what it reads in the true images:\n",
            attribute_table(report["attributes"]),
            "\nColours, read from the pixels:\n",
            colour_table(report["colours"]),
            f"\n{_copies(report['memorisation'])}\n",
            f"`{about['command']}`",
        ]
    )


def card_metrics(report: dict[str, Any]) -> dict[str, float]:
    """The figures for the front matter of the model card."""
    return {
        "psnr_db": report["paired"]["psnr"]["mean"],
        "psnr_db_5th_percentile": report["paired"]["psnr"]["bad_5th_percentile"],
        **{
            f"attribute_{name}": report["attributes"][name]
            for name in ("accuracy", "share_of_ceiling")
            if name in report["attributes"]
        },
        **{
            f"{name}_accuracy": entry["accuracy"]
            for name, entry in report["colours"].items()
            if entry["readable"]
        },
    }


def paired_table(paired: dict[str, Any]) -> str:
    """Section 1 as a Markdown table."""
    rows = []
    for key, (name, form) in _PAIRED.items():
        entry = paired.get(key)
        if entry and entry["count"]:
            low, high = entry["interval"]
            rows.append(
                (
                    name,
                    form.format(entry["mean"]),
                    f"{form.format(low)} to {form.format(high)}",
                    form.format(entry["bad_5th_percentile"]),
                    entry["count"],
                )
            )
    return _table(("", "mean", "95 % interval", "worst 5 % begin at", "images"), rows)


def attribute_table(attributes: dict[str, Any]) -> str:
    """Section 2 as a Markdown table, the mean first."""
    if "refused" in attributes:
        return _refused(attributes)
    low, high = attributes["interval"]
    rows = [
        (
            "**mean**",
            f"**{attributes['accuracy']:.4f}** ({low:.4f} to {high:.4f})",
            f"{attributes['ceiling']:.4f}",
            f"**{attributes['share_of_ceiling']:.4f}**",
            "",
        )
    ]
    for name, entry in attributes["per_attribute"].items():
        if entry["accuracy"] is None:
            rows.append((name, "nowhere visible", "", "", 0))
            continue
        share = f"{entry['accuracy'] / entry['ceiling']:.4f}" if entry["ceiling"] else ""
        numbers = f"{entry['accuracy']:.4f}", f"{entry['ceiling']:.4f}", share
        rows.append((name, *numbers, entry["visible"]))
    return _table(("attribute", "accuracy", "ceiling", "share of ceiling", "images"), rows)


def colour_table(colours: dict[str, Any]) -> str:
    """Colours from pixels as a Markdown table."""
    rows = [
        (
            name,
            f"{entry['accuracy']:.4f} ({entry['interval'][0]:.4f} to {entry['interval'][1]:.4f})",
            f"{entry['ceiling']:.4f}",
            entry["readable"],
        )
        for name, entry in colours.items()
        if entry["readable"]
    ]
    return _table(("colour", "accuracy", "ceiling", "images"), rows)


def _settings(about: dict[str, Any]) -> str:
    defaults = about["defaults"]
    return (
        f"{defaults['num_inference_steps']} step(s) of {defaults['sampler']}, guidance scale "
        f"{defaults['guidance_scale']:g}"
    )


def _distribution_table(distribution: dict[str, Any]) -> str:
    rows, refused = [], []
    for features, entry in distribution.items():
        if "refused" in entry:
            refused.append(f"\n{features}: {_refused(entry)}")
            continue
        for metric, label in (
            ("frechet", f"FD-{features}"),
            ("kernel", f"KD-{features}"),
            ("density", f"density ({features})"),
            ("coverage", f"coverage ({features})"),
        ):
            value = entry[metric]
            drawn, floor = (
                f"{value[key]:.3g} ({value[f'{prefix}interval'][0]:.3g} to "
                f"{value[f'{prefix}interval'][1]:.3g})"
                for key, prefix in (("value", ""), ("floor", "floor_"))
            )
            rows.append((label, drawn, floor, entry["count"]))
    table = _table(("", "drawn", "floor: real", "images"), rows) if rows else ""
    return table + "\n".join(refused)


def _partial_table(partial: dict[str, Any]) -> str:
    if "refused" in partial:
        return _refused(partial)
    rows = []
    for entry in partial["by_open"]:
        distance = entry["distance"]
        rows.append(
            (
                entry["open"],
                _share(entry["given"]),
                _share(entry["drawn"]),
                f"{partial['ceiling']:.4f}",
                f"{distance['total_variation']:.3f} ({distance['floor']:.3f})",
                ", ".join(distance["unlike_data"]) or "none",
                entry["images"],
            )
        )
    header = (
        "open",
        "given",
        "drawn",
        "ceiling",
        "distance (exact sample)",
        "unlike the data",
        "images",
    )
    return _table(header, rows)


def _refused(entry: dict[str, Any]) -> str:
    return f"Not measured: {entry['refused']}.\n"


def _share(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "-"
    low, high = entry["interval"]
    return f"{entry['accuracy']:.4f} ({low:.4f} to {high:.4f})"


def _copies(entry: dict[str, Any]) -> str:
    if entry["interval"] is None:
        return "Not measured: every true image is itself a training image."
    low, high = entry["interval"]
    median, tail = (
        "infinitely many" if entry[key] is None else f"{entry[key]:.3f}"
        for key in ("median_ratio", "ratio_95th_percentile")
    )
    return (
        f"{entry['nearer_to_truth']:.1%} of {entry['count']} avatars ({low:.1%} to {high:.1%}) are "
        "nearer to the true image, which the model never saw, than to any training image; "
        f"{entry['near_copies']:.1%} are near copies of a training image. The distance to the "
        f"truth is {median} times that to the nearest training image in the median, {tail} at the "
        "95th percentile."
    )


def _sweep(sweep: dict[str, Any]) -> str:
    chosen = sweep["best"]
    names = ("sampler", "num_inference_steps", "guidance_scale")
    rows = [
        (
            *(entry[name] for name in names),
            entry["evaluations"],
            f"{entry['psnr_db']:.2f}",
            f"{entry['psnr_db_5th_percentile']:.2f}",
        )
        for entry in sweep["entries"]
    ]
    same = all(chosen[name] == sweep["defaults"][name] for name in names)
    verdict = (
        "These are the defaults of the model."
        if same
        else ("**The defaults of the model are others**; `--set-defaults` writes these into it.")
    )
    return (
        f"Mean paired PSNR on {sweep['images']} combinations of the *validation* split. Chosen: "
        "the cheapest setting within 0.1 dB of the best one, "
        f"{chosen['sampler']} with {chosen['num_inference_steps']} step(s) at guidance scale "
        f"{chosen['guidance_scale']:g}. {verdict}\n\n![Sweep](sweep.png)\n\n"
        + _table(("sampler", "steps", "scale", "evaluations", "PSNR (dB)", "5th percentile"), rows)
    )


def _table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def _finite(value: Any) -> Any:
    """JSON has no infinity: ``inf`` becomes the string, ``nan`` null."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
