"""The model card: the README.md of a checkpoint, for people and for the Hub's search."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from avatar_model import AvatarPipeline
from avatar_model.atomic import write_atomically
from avatar_model.stage import Stage

CARD_FILE = "README.md"
SAMPLES_FILE = "samples.png"
NOTES_FILE = "notes.md"

TEMPLATE = Path(__file__).with_name("model_card.md")
INSTALL = Path(__file__).parents[1] / "install.md"
CARTOON_SET_REPO = "cgarciae/cartoonset"
METRIC_NAMES = {
    "psnr_db": "PSNR (dB)",
    "psnr_db_5th_percentile": "PSNR (dB), 5th percentile",
    "attribute_share_of_ceiling": "Attribute accuracy, share of the classifier's ceiling",
}


def write_model_card(
    folder: str | Path,
    pipeline: AvatarPipeline,
    metrics: Mapping[str, float] | None = None,
    repo_id: str | None = None,
    report: str = "",
) -> None:
    """Write ``README.md`` into a checkpoint folder; the same arguments give the same bytes.

    Args:
        folder: ``samples.png`` is shown if it is there.
        pipeline: of that checkpoint; its ``training`` says how it was trained.
        metrics: name -> value, such as ``{"psnr_db": 23.1}``. Values that are not finite are left
            out, because the front matter cannot hold them.
        repo_id: where the model will be, "user/name", if it is known.
        report: Markdown that says in detail how good the model is, instead of a list of metrics.

    What stands in ``notes.md`` in the folder is put into the card, for what only people know.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder = Path(folder)
    stages = pipeline.stages
    metrics = {k: float(v) for k, v in (metrics or {}).items() if math.isfinite(v)}
    sources = [_without_folders(str(s.training.get("data", "unknown"))) for s in stages]
    data = " and ".join(dict.fromkeys(sources))
    stand_in = all(source.startswith("drawn:") for source in sources)
    cartoon_set = "cartoonset" in data.lower()
    title = repo_id.split("/")[-1] if repo_id else "Avatar model"
    conditional = any(s.config.is_conditional for s in stages)
    hair = pipeline.vocabulary.counts["hair"]
    notes = folder / NOTES_FILE
    card = ModelCard.from_template(
        # What an avatar drawn from noise is compared with is no measure to be ranked by.
        _front_matter(title, data, metrics if conditional else {}, stand_in, cartoon_set),
        template_path=str(TEMPLATE),
        title=title,
        sizes=pipeline.sizes,
        crop=pipeline.network.config.crop,
        stand_in=stand_in,
        cartoon_set=cartoon_set,
        data=_cell(data),
        samples=SAMPLES_FILE if (folder / SAMPLES_FILE).exists() else "",
        source=json.dumps(repo_id or "path/to/this/folder"),
        install=INSTALL.read_text("utf-8").strip(),
        conditional=conditional,
        hair=hair.index(max(hair)),
        defaults=pipeline.defaults,
        upscaler=pipeline.upscaler,
        report=report,
        notes=notes.read_text("utf-8").strip() if notes.is_file() else "",
        metrics=[(_metric_name(name), f"{value:.4g}") for name, value in metrics.items()],
        stages=stages,
        evaluations=pipeline.evaluations(),
        training=_training_rows(stages),
    )
    write_atomically(folder / CARD_FILE, str(card).rstrip() + "\n")


def _front_matter(
    title: str, data: str, metrics: Mapping[str, float], stand_in: bool, cartoon_set: bool
) -> ModelCardData:
    # The licence of other people's own data is theirs to say: none is claimed for it.
    licence = "apache-2.0" if stand_in else "cc-by-4.0" if cartoon_set else None
    results = [
        EvalResult(
            task_type="image-generation",
            task_name="Avatar from 18 attributes",
            dataset_type=CARTOON_SET_REPO if cartoon_set else "other",
            dataset_name=data,
            metric_type=name,
            metric_name=_metric_name(name),
            metric_value=value,
        )
        for name, value in metrics.items()
    ]
    return ModelCardData(
        license=licence,
        tags=["avatar", "cartoon", "diffusion", "image-generation"],
        datasets=[CARTOON_SET_REPO] if cartoon_set else None,
        model_name=title,
        eval_results=results or None,
    )


def _metric_name(name: str) -> str:
    if match := re.fullmatch(r"psnr_db_at_(\d+)", name):
        return f"PSNR (dB) at {match[1]} pixels"
    return METRIC_NAMES.get(name) or _cell(name.replace("_", " "))


def _training_rows(stages: Sequence[Stage]) -> list[tuple[str, list[str]]]:
    """What each line of the table is called, and its values as people write them, by stage."""
    facts = [
        {k: v for k, v in stage.training.items() if isinstance(v, (str, int, float))}
        for stage in stages
    ]
    return [
        (
            "Time" if name == "seconds" else _cell(name.replace("_", " ").capitalize()),
            [_training_value(name, fact.get(name, "")) for fact in facts],
        )
        for name in dict.fromkeys(name for fact in facts for name in fact)
    ]


def _training_value(name: str, value: str | float) -> str:
    if isinstance(value, str):
        return _cell(_without_folders(value))
    if name == "seconds":
        return f"{value / 3600:.1f} hours" if value >= 3600 else f"{value / 60:.0f} minutes"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value}"


def _without_folders(text: str) -> str:
    """The last part of a path, for the folders of a machine are nobody's business."""
    is_path = text.startswith(("/", "\\", "~", ".")) or text[1:3] in (":\\", ":/")
    return PureWindowsPath(text).name if is_path else text


def _cell(text: str) -> str:
    """``text`` as it can stand in a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("`", "'")
