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
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import torch

from avatar_model import AvatarPipeline
from avatar_model.arguments import MAX_GUIDANCE_SCALE, MAX_SEED, MAX_STEPS
from avatar_model.cascade import STAGES
from avatar_model.checkpoint_files import fetch_checkpoint
from avatar_model.classifier import AvatarClassifier
from avatar_model.field_checks import Range, checked
from avatar_model.samplers import SamplerName
from avatar_model.stage import SHAPES
from train.command import command
from train.data.dataset import open_dataset
from train.evaluation.emphasis import measure_emphasis
from train.evaluation.guidance_scale import measure_guidance
from train.evaluation.inputs import EvaluationError, at_size, check, fit_to_models
from train.evaluation.measure import measure
from train.evaluation.palette import measure_palette
from train.evaluation.pictures import save_guidance_strips, save_pictures
from train.evaluation.report import card_metrics, card_section, write_report
from train.evaluation.sweep import choose, plot, sweep, sweep_below_1, sweep_upscaler
from train.hub.model_card import write_model_card

COMPARED_SIZE = 256
"""Models of other full sizes are also compared at this one, so that they can be with each other."""


@checked
def main(
    model: str = "assets/model",
    data: str = "cartoonset10k",
    split: Literal["test", "validation"] = "test",
    classifier: str = "assets/classifier",
    out: Path = Path("runs/report"),
    seeds: Annotated[tuple[int, ...], Range(0, MAX_SEED)] = (0, 1, 2),
    num_images: Annotated[int | None, Range(1, 10**9)] = None,
    with_sweep: bool = True,
    sweep_images: Annotated[int, Range(1, 10**9)] = 64,
    steps: Annotated[tuple[int, ...], Range(1, MAX_STEPS)] = (1, 2, 4, 8),
    scales: Annotated[tuple[float, ...], Range(0, MAX_GUIDANCE_SCALE)] = (1.0, 1.5, 3.0, 9.0),
    samplers: tuple[SamplerName, ...] = ("ddim", "dpm++", "ddpm"),
    upscaler_steps: Annotated[tuple[int, ...], Range(1, MAX_STEPS)] = (1, 2, 4),
    steps_below_1: Annotated[tuple[int, ...], Range(1, MAX_STEPS)] = (1, 2, 4, 8, 16),
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
        with_sweep: also try samplers, steps and guidance, on the validation split.
        sweep_images: how many combinations the sweep draws; to find what guidance should emphasise
            takes all of them.
        steps: numbers of sampling steps to try.
        scales: guidance scales to try, and to measure at full size.
        samplers: samplers to try.
        upscaler_steps: numbers of steps of the upscaler to try, if there is one.
        steps_below_1: numbers of steps to try below guidance scale 1.
        device: cpu, cuda or cuda:1; by default a GPU if there is one.
        set_defaults: write what is best into the model's folder, before measuring: the setting of
            the sweep, and what guidance emphasises, which is tried only for that.
        card: write the report into the model card, README.md of the model's folder.
    """
    started = time.monotonic()
    if (set_defaults or card) and not Path(model).is_dir():
        raise EvaluationError(f"{model} is not a folder, so nothing can be written into it")
    if Path(model).is_dir():  # of a run it is the best checkpoint, which --card writes into
        model = str(fetch_checkpoint(model))
    if not seeds:
        raise EvaluationError("at least one seed is needed")
    if with_sweep and not all((steps, scales, samplers, upscaler_steps, steps_below_1)):
        raise EvaluationError("the sweep needs at least one value of everything it tries")
    pipeline = AvatarPipeline.from_pretrained(model, device=device)
    reader = None
    if classifier != "none":
        reader = AvatarClassifier.from_pretrained(classifier, device=device)
    config = pipeline.network.config
    dataset = open_dataset(data, config.image_size, crop=config.crop)
    dataset = fit_to_models(pipeline, reader, dataset)
    truth = dataset.take(dataset.split(split)[:num_images])
    train = dataset.take(dataset.split("train"))
    check(pipeline, reader, truth, train)
    out.mkdir(parents=True, exist_ok=True)

    emphasis, swept = [], None
    if with_sweep:
        validation = dataset.take(dataset.split("validation"))
        if set_defaults and reader:
            for stage in pipeline.stages:
                stage.defaults["emphasis"] = {}
            for stage, name in reversed([*zip(pipeline.stages, STAGES, strict=False)]):
                _say(f"trying what the {name} should emphasise")
                found = measure_emphasis(pipeline, stage, reader, validation)
                stage.defaults["emphasis"] = found["emphasis"]
                emphasis.append({"stage": name, "images": len(validation), **found})
            if not any(found["emphasis"] for found in emphasis):
                # A visitor should see that the scale does something all the same.
                pipeline.stages[-1].defaults["emphasis"] = dict(SHAPES)
        _say("trying samplers, steps and guidance")
        validation = dataset.take(dataset.split("validation")[:sweep_images])
        below_1 = sweep_below_1(pipeline, validation, steps_below_1)
        if set_defaults:
            steps_chosen = below_1["best"]["num_inference_steps"]
            pipeline.defaults["steps_below_scale_1"] = steps_chosen
        entries = sweep(pipeline, validation, samplers, steps, scales)
        plot(out / "sweep.png", entries)
        swept = {
            "images": len(validation),
            **choose(entries, pipeline.defaults, set_defaults),
            "below_1": below_1,
        }
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
    guidance = None
    if with_sweep:
        _say("moving the guidance scale")
        whole = replace(truth, images=larger.get(pipeline.sizes[-1], truth.images))
        guidance = measure_guidance(pipeline, reader, whole, measure_palette(train), scales)
        save_guidance_strips(out, pipeline, truth.attributes)
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
        **({"guidance": {**guidance, "measured": emphasis}} if guidance else {}),
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
