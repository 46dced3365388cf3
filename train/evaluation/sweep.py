"""Which sampler, how many steps, how much guidance: tried on the validation split, best one named.

Of a model with two stages the base is tried first, by itself, and then the upscaler's settings.

The number of network evaluations is what a visitor waits for, so of settings that are equally good
the cheapest is chosen.
"""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from avatar_model import AvatarPipeline
from avatar_model.images import on_white
from avatar_model.pipeline import steps_to_evaluations
from train.data.packed import PackedSet
from train.evaluation.generate import generate_avatars, generate_batches
from train.evaluation.psnr import psnr
from train.figures.picture import save_figure

EQUALLY_GOOD_DB = 0.1


def sweep(
    pipeline: AvatarPipeline,
    data: PackedSet,
    samplers: tuple[str, ...],
    steps: tuple[int, ...],
    scales: tuple[float, ...],
) -> list[dict[str, Any]]:
    """The paired PSNR of the base for every combination of its settings, on all of ``data``.

    Returns:
        for JSON, one entry per setting: ``sampler``, ``num_inference_steps``, ``guidance_scale``,
        ``evaluations``, ``psnr_db`` and ``psnr_db_5th_percentile``.
    """
    real, entries = on_white(data.images), []
    for sampler in samplers:
        for scale in scales:
            for count in steps:
                images, _ = generate_avatars(
                    pipeline,
                    data.attributes,
                    sampler=sampler,
                    num_inference_steps=count,
                    guidance_scale=scale,
                    size=data.images.shape[1],
                )
                errors = psnr(on_white(images), real)
                entries.append(
                    {
                        "sampler": sampler,
                        "num_inference_steps": count,
                        "guidance_scale": scale,
                        "evaluations": steps_to_evaluations(count, scale),
                        "psnr_db": float(errors.mean()),
                        "psnr_db_5th_percentile": float(np.percentile(errors, 5)),
                    }
                )
    return entries


def sweep_upscaler(
    pipeline: AvatarPipeline, data: PackedSet, steps: tuple[int, ...]
) -> list[dict[str, Any]]:
    """The paired PSNR at full size for every number of steps of the upscaler.

    The base draws with its defaults.

    Args:
        data: images at full size.

    Returns:
        for JSON, one entry per setting: ``num_inference_steps``, ``evaluations`` (of the upscaler),
        ``psnr_db`` and ``psnr_db_5th_percentile``.
    """
    entries = []
    for count in steps:
        errors, rows = [], 0
        for images, _ in generate_batches(pipeline, data.attributes, upscaler_steps=count):
            real = data.images[rows : rows + len(images)]
            errors.append(psnr(on_white(images), on_white(real)))
            rows += len(images)
        errors = np.concatenate(errors)
        entries.append(
            {
                "num_inference_steps": count,
                "evaluations": steps_to_evaluations(count, 1.0),
                "psnr_db": float(errors.mean()),
                "psnr_db_5th_percentile": float(np.percentile(errors, 5)),
            }
        )
    return entries


def best(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """The cheapest setting whose mean PSNR is within 0.1 dB of the highest."""
    top = max(entry["psnr_db"] for entry in entries)
    good = [entry for entry in entries if entry["psnr_db"] >= top - EQUALLY_GOOD_DB]
    return min(good, key=lambda entry: (entry["evaluations"], -entry["psnr_db"]))


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
