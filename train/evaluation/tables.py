"""The numbers of a report as Markdown tables."""

from __future__ import annotations

from typing import Any

_PAIRED = {
    "psnr": ("PSNR (dB)", "{:.2f}"),
    "ssim": ("SSIM", "{:.4f}"),
    "alpha_iou": ("Alpha IoU", "{:.4f}"),
    "colour_face": ("Colour error in the face (CIEDE2000)", "{:.2f}"),
    "colour_hair": ("Colour error in the hair (CIEDE2000)", "{:.2f}"),
    "colour_glasses": ("Colour error in the glasses (CIEDE2000)", "{:.2f}"),
}


def paired_table(by_size: dict[int, dict[str, Any]]) -> str:
    """Errors against the true image, of one size or of several side by side."""
    columns = ("mean", "95 % interval", "worst 5 % begin at", "images")
    rows = []
    for key, (name, form) in _PAIRED.items():
        cells = []
        for paired in by_size.values():
            entry = paired.get(key)
            if not entry or not entry["count"]:
                cells += [""] * len(columns)
                continue
            low, high = entry["interval"]
            cells += [
                form.format(entry["mean"]),
                f"{form.format(low)} to {form.format(high)}",
                form.format(entry["bad_5th_percentile"]),
                entry["count"],
            ]
        if any(cells):
            rows.append((name, *cells))
    return _table(("", *_side_by_side(by_size, columns)), rows)


def attribute_table(attributes: dict[str, Any]) -> str:
    """What the classifier reads, the mean first."""
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


def colour_table(by_size: dict[int, dict[str, Any]]) -> str:
    """Colours from pixels, of one size or of several side by side."""
    columns = ("accuracy", "ceiling", "images")
    rows = []
    for name in next(iter(by_size.values())):
        cells = []
        for colours in by_size.values():
            entry = colours[name]
            if not entry["readable"]:
                cells += [""] * len(columns)
                continue
            low, high = entry["interval"]
            cells += [
                f"{entry['accuracy']:.4f} ({low:.4f} to {high:.4f})",
                f"{entry['ceiling']:.4f}",
                entry["readable"],
            ]
        if any(cells):
            rows.append((name, *cells))
    return _table(("colour", *_side_by_side(by_size, columns)), rows)


def enlarged_table(enlarged: dict[str, dict[str, float]]) -> str:
    """PSNR of the upscaler's pictures and of small ones that were only enlarged."""
    names = {
        "drawn": "drawn by both stages",
        "base": "what the base draws, enlarged",
        "true_small": "the true small picture, enlarged",
    }
    rows = [
        (label, *(f"{entry[key]:.2f}" for entry in enlarged.values()))
        for key, label in names.items()
    ]
    return _table(("PSNR (dB)", *(f"at {size}" for size in enlarged)), rows)


def distribution_table(distribution: dict[str, Any]) -> str:
    """Every metric of every kind of features, and why what is missing is missing."""
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
    measured = _table(("", "drawn", "floor: real", "images"), rows) if rows else ""
    return measured + "\n".join(refused)


def partial_table(partial: dict[str, Any]) -> str:
    """One row for every number of attributes left open."""
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


def sweep_table(entries: list[dict[str, Any]], columns: dict[str, str]) -> str:
    """One row for every setting that was tried.

    Args:
        columns: the entries' settings, and what each is called.
    """
    rows = [
        (
            *(entry[name] for name in columns),
            entry["evaluations"],
            f"{entry['psnr_db']:.2f}",
            f"{entry['psnr_db_5th_percentile']:.2f}",
        )
        for entry in entries
    ]
    return _table((*columns.values(), "evaluations", "PSNR (dB)", "5th percentile"), rows)


def _refused(entry: dict[str, Any]) -> str:
    return f"Not measured: {entry['refused']}.\n"


def _share(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "-"
    low, high = entry["interval"]
    return f"{entry['accuracy']:.4f} ({low:.4f} to {high:.4f})"


def _table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def _side_by_side(by_size: dict[int, Any], columns: tuple[str, ...]) -> list[str]:
    """The header; the size stands in the first column of each."""
    if len(by_size) == 1:
        return list(columns)
    return [
        f"{size} pixels: {column}" if column == columns[0] else column
        for size in by_size
        for column in columns
    ]
