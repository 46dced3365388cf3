"""Which sampler, how many steps, how much guidance: tried on the validation split, best one named.

Of a model with two stages the base is tried first, by itself, and then the upscaler's settings.

The number of network evaluations is what a visitor waits for, so of settings that are equally good
the cheapest is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, product
from pathlib import Path
from typing import Any

import numpy as np

from avatar_model import AvatarPipeline
from avatar_model.guidance import steps_to_evaluations
from avatar_model.images import on_white
from train.data.dataset import PackedSet
from train.evaluation.generate import batches, generate_batches
from train.evaluation.psnr import psnr
from train.figures.picture import save_figure

EQUALLY_GOOD_DB = 0.1


def sweep(
    pipeline: AvatarPipeline,
    data: PackedSet,
    samplers: Sequence[str],
    steps: Sequence[int],
    scales: Sequence[float],
) -> list[dict[str, Any]]:
    """The paired PSNR of the base for every combination of its settings, on all of ``data``.

    Returns:
        for JSON, one entry per setting: ``sampler``, ``num_inference_steps``, ``guidance_scale``,
        ``evaluations``, ``psnr_db`` and ``psnr_db_5th_percentile``.
    """
    entries = []
    for sampler, scale, count in product(samplers, scales, steps):
        setting = {"sampler": sampler, "num_inference_steps": count, "guidance_scale": scale}
        found = _quality(pipeline, data, size=data.images.shape[1], **setting)
        entries.append({**setting, "evaluations": steps_to_evaluations(count, scale), **found})
    return entries


def sweep_upscaler(
    pipeline: AvatarPipeline, data: PackedSet, steps: Sequence[int]
) -> list[dict[str, Any]]:
    """The paired PSNR at full size for every number of steps of the upscaler.

    The base keeps its defaults.

    Args:
        data: images at full size.

    Returns:
        for JSON, one entry per setting: ``num_inference_steps``, ``evaluations`` (of the upscaler),
        ``psnr_db`` and ``psnr_db_5th_percentile``.
    """
    return [
        {
            "num_inference_steps": count,
            "evaluations": count,  # the upscaler is never guided
            **_quality(pipeline, data, upscaler_steps=count),
        }
        for count in steps
    ]


def _quality(pipeline: AvatarPipeline, data: PackedSet, **options: Any) -> dict[str, float]:
    """PSNR of the avatars that these options of the pipeline give, against ``data``."""
    pairs = zip(
        generate_batches(pipeline, data.attributes, **options), batches(data.images), strict=True
    )
    errors = np.concatenate([psnr(on_white(a), on_white(real)) for (a, _), real in pairs])
    return {
        "psnr_db": float(errors.mean()),
        "psnr_db_5th_percentile": float(np.percentile(errors, 5)),
    }


def best(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """The cheapest setting whose mean PSNR is within 0.1 dB of the highest."""
    top = max(entry["psnr_db"] for entry in entries)
    good = [entry for entry in entries if entry["psnr_db"] >= top - EQUALLY_GOOD_DB]
    return min(good, key=lambda entry: (entry["evaluations"], -entry["psnr_db"]))


def choose(
    entries: list[dict[str, Any]], defaults: dict[str, Any], set_defaults: bool
) -> dict[str, Any]:
    """What a sweep found, for JSON: ``entries``, the ``best`` of them and the model's ``defaults``.

    Args:
        defaults: of the stage that was swept; changed to the best setting if ``set_defaults``.
    """
    chosen = best(entries)
    if set_defaults:
        defaults.update({name: chosen[name] for name in defaults if name in chosen})
    return {"entries": entries, "best": chosen, "defaults": dict(defaults)}


def plot(path: Path, entries: list[dict[str, Any]]) -> None:
    """Quality against network evaluations, one panel per sampler, one line per guidance scale."""
    from matplotlib.figure import Figure  # slow to import

    samplers = list(dict.fromkeys(entry["sampler"] for entry in entries))
    scales = list(dict.fromkeys(entry["guidance_scale"] for entry in entries))
    figure = Figure(figsize=(4 * len(samplers), 3.6), dpi=120, layout="constrained")
    panels = figure.subplots(1, len(samplers), sharey=True, squeeze=False)[0]
    for panel, sampler in zip(panels, samplers, strict=True):
        for scale, style in zip(scales, cycle(("o-", "s--", "^-.", "d:")), strict=False):
            line = [
                (entry["num_inference_steps"], entry["psnr_db"])
                for entry in entries
                if (entry["sampler"], entry["guidance_scale"]) == (sampler, scale)
            ]
            counts, values = zip(*line, strict=True)
            panel.plot(counts, values, style, label=f"{scale:g}", markersize=5)
        panel.set_xscale("log", base=2)
        panel.set_xticks(counts, [str(count) for count in counts])
        panel.set_title(sampler)
        panel.set_xlabel("sampling steps")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("paired PSNR (dB)")
    panels[-1].legend(title="guidance scale")
    save_figure(path, figure)
