"""Which sampler, how many steps, how much guidance: tried on the validation split, best one named.

Of a model with two stages the base is tried first, by itself, and then the upscaler's settings.

The number of network evaluations is what a visitor waits for, so of settings that are equally good
the cheapest is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, product
from pathlib import Path
from typing import Any

import numpy as np

from avatar_model import AvatarPipeline
from avatar_model.guidance import GUIDANCE_METHODS
from avatar_model.images import on_white
from train.data.dataset import PackedSet
from train.evaluation.generate import batches, generate_batches
from train.evaluation.psnr import psnr
from train.figures.picture import save_figure

EQUALLY_GOOD_DB = 0.1
BELOW_1 = (0.0, 0.25, 0.5, 0.75)
"""Guidance scales between the average face and the person."""
EQUALLY_CLEAN = 1.02
"""Times the haze of the cleanest."""


def sweep(
    pipeline: AvatarPipeline,
    data: PackedSet,
    samplers: Sequence[str],
    steps: Sequence[int],
    scales: Sequence[float],
) -> list[dict[str, Any]]:
    """The paired PSNR of the base for many of its settings, on all of ``data``.

    At guidance scale 1, where all methods are the same, every sampler with every number of steps;
    at the other ``scales`` every method with every number of steps, by the model's own sampler.

    Returns:
        for JSON, one entry per setting: ``sampler``, ``guidance_method``, ``guidance_scale``,
        ``num_inference_steps``, ``evaluations``, ``psnr_db`` and ``psnr_db_5th_percentile``.
    """
    size = data.images.shape[1]
    entries = []
    for setting in _settings(pipeline.defaults, samplers, steps, scales):
        (evaluations,) = pipeline.evaluations(size=size, **setting)
        found = _quality(pipeline, data, size=size, **setting)
        entries.append({**setting, "evaluations": evaluations, **found})
    return entries


def _settings(
    defaults: dict[str, Any],
    samplers: Sequence[str],
    steps: Sequence[int],
    scales: Sequence[float],
) -> Iterator[dict[str, Any]]:
    """What ``sweep`` tries."""
    for sampler, count in product(samplers, steps) if 1 in scales else ():
        yield _setting(sampler, defaults["guidance_method"], 1.0, count)
    others = [scale for scale in scales if scale != 1]
    for method, scale, count in product(GUIDANCE_METHODS, others, steps):
        yield _setting(defaults["sampler"], method, scale, count)


def _setting(sampler: str, method: str, scale: float, steps: int) -> dict[str, Any]:
    return {
        "sampler": sampler,
        "guidance_method": method,
        "guidance_scale": scale,
        "num_inference_steps": steps,
    }


def sweep_below_1(
    pipeline: AvatarPipeline, data: PackedSet, steps: Sequence[int]
) -> dict[str, Any]:
    """How many steps the base takes below guidance scale 1: the fewest that leave no haze.

    There is no true picture of somebody half-way to the average face; but its outlines can be as
    sharp as those of a person. By the method "condition", at the scales ``BELOW_1``.

    Returns:
        for JSON: ``entries`` with ``num_inference_steps`` and ``haze``, the mean of
        4 a (1 - a) over all pixels with the opacity a; ``as_asked``, the haze at scale 1; and
        ``best``, the cheapest entry whose haze is nearly the lowest.
    """
    base, size = pipeline.base, data.images.shape[1]
    options = {"guidance_method": "condition", "num_inference_steps": 1, "size": size}

    def haze(scale: float) -> float:
        pictures = generate_batches(pipeline, data.attributes, guidance_scale=scale, **options)
        alphas = [images[..., 3] / 255 for images, _ in pictures]
        return float(np.mean([(4 * a * (1 - a)).mean() for a in alphas]))

    before, entries = base.defaults["steps_below_scale_1"], []
    try:
        for count in steps:
            base.defaults["steps_below_scale_1"] = count
            found = float(np.mean([haze(scale) for scale in BELOW_1]))
            entries.append({"num_inference_steps": count, "haze": found})
    finally:
        base.defaults["steps_below_scale_1"] = before
    lowest = min(entry["haze"] for entry in entries)
    clean = [entry for entry in entries if entry["haze"] <= EQUALLY_CLEAN * lowest]
    best = min(clean, key=lambda entry: entry["num_inference_steps"])
    return {"entries": entries, "as_asked": haze(1.0), "best": best}


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
            "evaluations": count,  # at scale 1
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
    """Quality against steps, a line per sampler; and against the scale, a panel per method."""
    from matplotlib.figure import Figure  # slow to import

    as_asked = [entry for entry in entries if entry["guidance_scale"] == 1]
    guided = [entry for entry in entries if entry["guidance_scale"] != 1]
    own = guided[0]["sampler"] if guided else None
    methods = list(dict.fromkeys(entry["guidance_method"] for entry in guided))
    figure = Figure(figsize=(4 * (1 + len(methods)), 3.6), dpi=120, layout="constrained")
    panels = figure.subplots(1, 1 + len(methods), sharey=True, squeeze=False)[0]
    _lines(panels[0], as_asked, "sampler", "num_inference_steps")
    panels[0].set_title("guidance scale 1")
    panels[0].set_xlabel("sampling steps")
    for panel, method in zip(panels[1:], methods, strict=True):
        part = [entry for entry in guided if entry["guidance_method"] == method]
        part += [entry for entry in as_asked if entry["sampler"] == own]
        _lines(panel, part, "num_inference_steps", "guidance_scale")
        panel.set_title(method)
        panel.set_xlabel("guidance scale")
    panels[0].set_ylabel("paired PSNR (dB)")
    save_figure(path, figure)


def _lines(panel: Any, entries: list[dict[str, Any]], one_each: str, across: str) -> None:
    """A line for every value of ``one_each``, over the values of ``across``."""
    styles = cycle(("o-", "s--", "^-.", "d:"))
    ticks = sorted({entry[across] for entry in entries})
    for value, style in zip(dict.fromkeys(e[one_each] for e in entries), styles, strict=False):
        line = sorted((e[across], e["psnr_db"]) for e in entries if e[one_each] == value)
        panel.plot(*zip(*line, strict=True), style, label=str(value), markersize=5)
    panel.set_xscale("log", base=2)
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.minorticks_off()
    panel.grid(alpha=0.3)
    if entries:
        panel.legend(title={"num_inference_steps": "steps"}.get(one_each, one_each))
