"""``report.json`` for programs, ``report.md`` for people: the same numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from avatar_model.checkpoint import write_atomically
from train.evaluation.tables import (
    attribute_table,
    colour_table,
    distribution_table,
    enlarged_table,
    paired_table,
    partial_table,
    sweep_table,
)

REPORT_JSON = "report.json"
REPORT_MD = "report.md"


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
        "answer. Compared on white; colour errors only where the true image shows that fill."
        f"{_both_sizes(report)}\n",
        paired_table(_by_size(report, "paired")),
        f"\nPSNR with each seed: {', '.join(f'{v:.2f}' for v in report['paired']['psnr_per_seed'])}"
        " dB.\n",
        _enlarged(report),
        "![The 20 worst pairs: true image left, drawn avatar right](worst.png)\n",
        "## 2. Attributes\n",
        "Read by an independent classifier (a plain convolutional network, trained on real images "
        "only). The ceiling is what it reads in the true images of the same combinations. An "
        "attribute that the combination covers is left out: where the classifier, on real images "
        "of the validation split, reads an attribute no better than half way between guessing and "
        f"its usual accuracy, given the value of another one.{_view(report['attributes'])}\n",
        attribute_table(report["attributes"]),
        "\nColours read from the pixels: the median colour where the true image shows that fill, "
        "and the nearest colour of the palette.\n",
        colour_table(_by_size(report, "colours")),
        "\n## 3. Distribution\n",
        "Distances between the drawn avatars and the true images of the same combinations, beside "
        "the floor: other real images in place of the drawn ones. FD and KD are Frechet and kernel "
        "distance, corrected for the number of images, so that 0 is perfect and noise goes either "
        "way; density and coverage as usual, 1 is good. Features are the classifier's (attr) or "
        "HOG shapes with a colour thumbnail (shape), in their first principal components. They are "
        "not FID and KID: no Inception network is involved. Intervals are jackknife intervals."
        f"{_of_the_base(report)}\n",
        distribution_table(report["distribution"]),
        "\n## 4. Attributes left open\n",
        "Given: share of visible given attributes read as asked. Drawn: share of visible drawn "
        "attributes read as told. Ceiling: the share read rightly in real images. Distance: total "
        "variation between the values that were read and the frequencies of the training data, "
        "beside what an exact sample of that size has.\n",
        partial_table(report["partial"]),
        "\n## 5. Is it a copy of a training image?\n",
        f"{_copies(report['memorisation'])}{_of_the_base(report)}",
        "\n![The worst: true image, drawn avatar, nearest training image](copies.png)\n",
    ]
    if "sweep" in report:
        parts += ["\n## 6. Sampler, steps and guidance\n", _sweep(report["sweep"])]
        if "upscaler" in report["sweep"]:
            parts.append(_upscaler_sweep(report["sweep"]))
    return "\n".join(part for part in parts if part).rstrip() + "\n"


def card_section(report: dict[str, Any]) -> str:
    """What of the report stands in the model card."""
    about = report["about"]
    return "\n".join(
        [
            f"{about['combinations']} attribute combinations of the {about['split']} split, never "
            f"trained on, each drawn with {len(about['seeds'])} seeds; {_settings(about)}. "
            f"{about['date']}, {about['machine']}. All 18 attributes determine the picture, so "
            "every avatar has one right answer and is compared with it on white."
            f"{_both_sizes(report)}\n",
            paired_table(_by_size(report, "paired")),
            _enlarged(report),
            "\nAttributes, read by a classifier that is independent of this model; the ceiling is "
            f"what it reads in the true images.{_view(report['attributes'])}\n",
            attribute_table(report["attributes"]),
            "\nColours, read from the pixels:\n",
            colour_table(_by_size(report, "colours")),
            f"\n{_copies(report['memorisation'])}{_of_the_base(report)}\n",
            f"`{about['command']}`",
        ]
    )


def card_metrics(report: dict[str, Any]) -> dict[str, float]:
    """The figures for the front matter of the model card; at full size unless they say another."""
    others = {size: entry["drawn"] for size, entry in report.get("enlarged", {}).items()}
    if "base" in report:
        others[str(report["base"]["size"])] = report["base"]["paired"]["psnr"]["mean"]
    others.pop(str(report["size"]), None)
    return {
        "psnr_db": report["paired"]["psnr"]["mean"],
        "psnr_db_5th_percentile": report["paired"]["psnr"]["bad_5th_percentile"],
        **{f"psnr_db_at_{size}": value for size, value in others.items()},
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


def _by_size(report: dict[str, Any], key: str) -> dict[int, Any]:
    """``paired`` or ``colours`` at full size, and then those of the base, if it has an upscaler."""
    found = {report["size"]: report[key]}
    if "base" in report:
        found[report["base"]["size"]] = report["base"][key]
    return found


def _both_sizes(report: dict[str, Any]) -> str:
    if "base" not in report:
        return ""
    return (
        f" Avatars of {report['size']} pixels, and beside them what the base drew, of "
        f"{report['base']['size']} pixels, each against the true image of that size."
    )


def _enlarged(report: dict[str, Any]) -> str:
    if "enlarged" not in report:
        return ""
    return (
        "\nWhat the upscaler is worth (first seed): small pictures enlarged with a bicubic filter "
        "instead, all against the true images of that size.\n\n"
        + enlarged_table(report["enlarged"])
    )


def _of_the_base(report: dict[str, Any]) -> str:
    """What was measured of small pictures alone says so."""
    if "base" not in report:
        return ""
    return f" Measured on the pictures of {report['base']['size']} pixels that the base draws."


def _view(attributes: dict[str, Any]) -> str:
    """Which pictures the classifier was shown, if not the drawn ones as they are."""
    view = attributes.get("view")
    if view is None:
        return ""
    shown = view["size"], view["crop"]
    wanted = view["classifier_size"], view["classifier_crop"]
    if shown == wanted:
        return ""
    text = (
        f" It reads {wanted[0]} x {wanted[0]} pixels of the centre {wanted[1]} of 500, so that "
        f"part of every picture, drawn or true, of {shown[0]} pixels and the centre {shown[1]} was "
    )
    if view["enlarged"]:
        return text + "enlarged for it. **That blurs them, and lowers accuracy and ceiling.**"
    return text + "shrunk for it."


def _settings(about: dict[str, Any]) -> str:
    defaults = about["defaults"]
    text = (
        f"{defaults['num_inference_steps']} step(s) of {defaults['sampler']}, guidance scale "
        f"{defaults['guidance_scale']:g}"
    )
    if upscaler := about.get("upscaler"):
        text += f"; upscaler: {upscaler['num_inference_steps']} step(s) of {upscaler['sampler']}"
    return text


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
    columns = {
        "sampler": "sampler",
        "num_inference_steps": "steps",
        "guidance_scale": "scale",
    }
    of_the_base = " of the base's pictures" if "upscaler" in sweep else ""
    return (
        f"Mean paired PSNR{of_the_base} on {sweep['images']} combinations of the *validation* "
        "split. Chosen: the cheapest setting within 0.1 dB of the best one, "
        f"{chosen['sampler']} with {chosen['num_inference_steps']} step(s) at guidance scale "
        f"{chosen['guidance_scale']:g}. {_verdict(sweep, columns)}\n\n![Sweep](sweep.png)\n\n"
        + sweep_table(sweep["entries"], columns)
    )


def _upscaler_sweep(sweep: dict[str, Any]) -> str:
    upscaler = sweep["upscaler"]
    chosen = upscaler["best"]
    columns = {"num_inference_steps": "steps"}
    return (
        "\n## 7. Steps of the upscaler\n\n"
        "The same at full size, with the base's defaults. Chosen likewise: "
        f"{chosen['num_inference_steps']} step(s). {_verdict(upscaler, columns)}\n\n"
        + sweep_table(upscaler["entries"], columns)
    )


def _verdict(sweep: dict[str, Any], names: dict[str, str]) -> str:
    if all(sweep["best"][name] == sweep["defaults"][name] for name in names):
        return "These are the defaults of the model."
    return "**The defaults of the model are others**; `--set-defaults` writes these into it."


def _finite(value: Any) -> Any:
    """JSON has no infinity: ``inf`` becomes the string, ``nan`` null."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
