"""``report.json`` for programs, ``report.md`` for people: the same numbers.

The words stand in the Jinja templates beside this file: ``report.md``, and ``card_section.md`` for
the model card, both put together from ``report_parts.md``.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from avatar_model.atomic import write_atomically

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Write both files; numbers that are not finite become strings in the JSON.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_finite(report), indent=1, allow_nan=False)
    write_atomically(folder / "report.json", text + "\n")
    write_atomically(folder / "report.md", to_markdown(report))


def to_markdown(report: dict[str, Any]) -> str:
    """The report as a page that explains itself."""
    return _TEMPLATES.get_template("report.md").render(report=report).rstrip() + "\n"


def card_section(report: dict[str, Any]) -> str:
    """What of the report stands in the model card."""
    return _TEMPLATES.get_template("card_section.md").render(report=report)


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


def _finite(value: Any) -> Any:
    """JSON has no infinity: ``inf`` becomes the string, ``nan`` null."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
