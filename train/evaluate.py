"""Measure a model on attribute combinations it never saw, and write a report.

    python -m train.evaluate --model assets/model --data ~/cartoonset10k.tgz --out runs/report

All 18 attributes determine a Cartoon Set image, so an avatar has one right answer. The report
has: the error against the true image; the attributes that an independent classifier reads; the
distance between the distributions; what happens to attributes left open; whether training images
are copied; and a sweep over sampler, steps and guidance scale. A model with an upscaler is measured
at full size and, beside it, at its base's.
"""

from __future__ import annotations

import datetime
import os
import platform
import shlex
import sys
import time
from pathlib import Path
from typing import Literal

import torch

from avatar_model import AvatarPipeline
from avatar_model.classifier import AvatarClassifier
from train.command import command
from train.data.dataset import open_dataset
from train.evaluation.inputs import EvaluationError, at_size, check
from train.evaluation.measure import measure
from train.evaluation.pictures import save_pictures
from train.evaluation.report import card_metrics, card_section, write_report
from train.evaluation.sweep import choose, plot, sweep, sweep_upscaler
from train.hub.model_card import write_model_card

COMPARED_SIZE = 256
"""Models of other full sizes are also compared at this one, so that they can be with each other."""


def main(
    model: str = "assets/model",
    data: str = "cartoonset10k",
    split: Literal["test", "validation"] = "test",
    classifier: str = "assets/classifier",
    out: Path = Path("runs/report"),
    seeds: tuple[int, ...] = (0, 1, 2),
    num_images: int | None = None,
    with_sweep: bool = True,
    sweep_images: int = 64,
    steps: tuple[int, ...] = (1, 2, 4, 8),
    scales: tuple[float, ...] = (1.0, 1.25, 1.5, 2.0),
    samplers: tuple[str, ...] = ("ddim", "dpm++", "ddpm"),
    upscaler_steps: tuple[int, ...] = (1, 2, 4),
    device: str | None = None,
    set_defaults: bool = False,
    card: bool = False,
) -> None:
    """Measure, and write report.json, report.md and pictures.

    Args:
        model: checkpoint folder or Hub repository.
        data: as for train/run.py.
        split: settings are chosen on validation, what is reported comes from test.
        classifier: folder or Hub repository; python -m train.classifier makes one for other data,
            and "none" measures only what needs no classifier.
        out: folder for the report.
        seeds: every combination is drawn once with each.
        num_images: how many combinations of the split; by default all.
        with_sweep: also try samplers, steps and guidance scales, on the validation split.
        sweep_images: how many combinations the sweep draws.
        steps: numbers of sampling steps to try.
        scales: guidance scales to try.
        samplers: samplers to try.
        upscaler_steps: numbers of steps of the upscaler to try, if there is one.
        device: cpu, cuda or cuda:1; by default a GPU if there is one.
        set_defaults: write the best setting of the sweep into the model's folder, before measuring.
        card: write the report into the model card, README.md of the model's folder.
    """
    started = time.monotonic()
    if (set_defaults or card) and not Path(model).is_dir():
        raise EvaluationError(f"{model} is not a folder, so nothing can be written into it")
    if not seeds or (num_images is not None and num_images < 1):
        raise EvaluationError("at least one seed and one image are needed")
    if with_sweep and not all((steps, scales, samplers, upscaler_steps)):
        raise EvaluationError("the sweep needs at least one value of everything it tries")
    pipeline = AvatarPipeline.from_pretrained(model, device=device)
    reader = None
    if classifier != "none":
        reader = AvatarClassifier.from_pretrained(classifier, device=device)
    config = pipeline.network.config
    dataset = open_dataset(data, config.image_size, crop=config.crop)
    truth = dataset.take(dataset.split(split)[:num_images])
    train = dataset.take(dataset.split("train"))
    check(pipeline, reader, truth, train)
    out.mkdir(parents=True, exist_ok=True)

    swept = None
    if with_sweep:
        _say("trying samplers, steps and guidance scales")
        validation = dataset.take(dataset.split("validation")[:sweep_images])
        entries = sweep(pipeline, validation, samplers, steps, scales)
        plot(out / "sweep.png", entries)
        swept = {"images": len(validation), **choose(entries, pipeline.defaults, set_defaults)}
        if pipeline.upscaler:
            _say("trying steps of the upscaler")
            validation = at_size(pipeline.sizes[-1], validation, data)
            entries = sweep_upscaler(pipeline, validation, upscaler_steps)
            swept["upscaler"] = choose(entries, pipeline.upscaler.defaults, set_defaults)
        if set_defaults:
            pipeline.save_pretrained(model)
    larger = {}
    if pipeline.upscaler:
        sizes = sorted({pipeline.sizes[-1], COMPARED_SIZE} - {config.image_size})
        larger = {size: at_size(size, truth, data).images for size in sizes}
    measured, generated = measure(pipeline, reader, truth, train, seeds, _say, larger)
    report = {
        "about": {
            "model": model,
            "data": Path(data).name,
            "split": split,
            "combinations": len(truth),
            "seeds": list(seeds),
            "defaults": dict(pipeline.defaults),
            **({"upscaler": dict(pipeline.upscaler.defaults)} if pipeline.upscaler else {}),
            "classifier": classifier,
            "date": datetime.date.today().isoformat(),
            "machine": _machine(pipeline),
            "command": shlex.join(["python", "-m", "train.evaluate", *sys.argv[1:]]),
            "minutes": (time.monotonic() - started) / 60,
        },
        **measured,
        **({"sweep": swept} if swept else {}),
    }
    write_report(out, report)
    real = larger.get(pipeline.sizes[-1], truth.images)
    save_pictures(out, generated, real, truth.images, train.images)
    if card:
        write_model_card(model, pipeline, card_metrics(report), report=card_section(report))
    _say(f"wrote {out / 'report.md'}")


def _machine(pipeline: AvatarPipeline) -> str:
    """What the numbers were measured on."""
    if pipeline.device.type == "cuda":
        where = torch.cuda.get_device_name(pipeline.device)
    else:
        where = f"{os.cpu_count()} CPU cores ({platform.machine()})"
    return f"{where}, PyTorch {torch.__version__}"


def _say(message: str) -> None:
    print(message, flush=True)


cli = command(main, __doc__)

if __name__ == "__main__":
    cli()
