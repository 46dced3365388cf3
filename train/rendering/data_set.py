"""Renders a synthetic data set with a model, in the file layout of Cartoon Set."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro
from accelerate.utils import get_cpu_distributed_information
from tqdm import tqdm

from avatar_model import ANY, AvatarPipeline, Vocabulary
from avatar_model.arguments import MAX_IMAGES, MAX_SEED, one_of
from avatar_model.attributes import NAMES
from avatar_model.checkpoint_files import UPSCALER_FOLDER, WEIGHTS_FILE, fetch_checkpoint
from avatar_model.crop import DEFAULT_CROP
from avatar_model.device import choose_device
from avatar_model.field_checks import Range, checked
from avatar_model.stage import Stage
from train.rendering.folder import RenderError, RenderFolder
from train.rendering.frame import frame_size, framed

LAYOUT_VERSION = 1
"""Raise it when the same settings would give other files."""


@checked
def render_data_set(
    count: Annotated[int, Range(1, MAX_SEED + 1)],
    out: Path,
    model: str = "assets/model",
    fix: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    draw: Literal["data", "uniform"] = "data",
    size: int | None = None,
    seed: Annotated[int, Range(0, MAX_SEED)] = 0,
    batch_size: Annotated[int, Range(1, MAX_IMAGES)] = 32,
    device: str | None = None,
) -> None:
    """Draw what is missing of ``count`` pairs of picture and CSV.

    Args:
        count: pairs in all, of all processes.
        out: folder; made if needed.
        model: checkpoint folder or Hub repository; drawn with its own steps, sampler,
            guidance scale and method.
        fix: NAME=VALUE (number or label) for an attribute that all avatars have; repeat it.
        draw: the other attributes come with the frequencies of the training data, or uniformly
            from the values that occur in it.
        size: what the model is to draw, one of its sizes in pixels; by default its largest. Its
            drawing lies in the middle of a picture as Cartoon Set's, 250 pixels wide for up to 64,
            else 500 (``frame.py``).
        seed: of the first picture; the next has seed + 1, as in AvatarPipeline.
        batch_size: pictures drawn at once, 1..256. It belongs to the set: another one may change a
            few values in a million by one level.
        device: cpu, cuda or cuda:1; by default every process takes its own GPU, if there are any.
    """
    started = time.monotonic()
    if seed + count > MAX_SEED + 1:
        raise RenderError(f"seed + count must be at most {MAX_SEED + 1}, not {seed + count}")
    # No process group: the processes have nothing to tell each other, and none waits for another.
    process = get_cpu_distributed_information()
    pipeline = _load(model, device, process.local_rank)
    fixed = _fixed(fix, pipeline.vocabulary)
    size = pipeline.sizes[-1] if size is None else size
    one_of("size", size, pipeline.sizes)
    upscaler = None
    if size > pipeline.sizes[0]:
        weights = _fingerprint(model, f"{UPSCALER_FOLDER}/{WEIGHTS_FILE}")
        upscaler = {"weights": weights, "defaults": _drawn_with(pipeline.stages[-1])}
    folder = RenderFolder(out.expanduser())
    folder.open(
        {
            "layout": LAYOUT_VERSION,
            "size": size,
            "weights": _fingerprint(model, WEIGHTS_FILE),
            "fix": {name: value for name, value in fixed.items() if value != ANY},
            "draw": draw,
            "seed": seed,
            "batch_size": batch_size,
            "defaults": _drawn_with(pipeline.base),
            "frame_size": frame_size(size),
            "crop": pipeline.network.config.crop,
            "upscaler": upscaler,
            "device": pipeline.device.type,
        },
        pipeline.vocabulary,
        # Of a set that was started when a model had one stage and no other crop.
        unsaid={"size": pipeline.sizes[0], "crop": DEFAULT_CROP, "upscaler": None},
    )

    present = folder.present()
    batches = range(process.rank * batch_size, count, process.world_size * batch_size)
    missing = [sorted({*range(i, min(i + batch_size, count))} - present) for i in batches]
    owned, left = sum(min(batch_size, count - i) for i in batches), sum(map(len, missing))
    vocabulary = _uniform(pipeline.vocabulary) if draw == "uniform" else pipeline.vocabulary
    bar = tqdm(
        total=owned, initial=owned - left, unit="img", dynamic_ncols=True, disable=process.rank > 0
    )
    with bar:
        for first, wanted in zip(batches, missing, strict=True):
            if wanted:
                seeds = range(seed + first, seed + first + batch_size)
                pixels, rows = _generate(pipeline, size, vocabulary, fixed, seeds)
                for i in wanted:
                    picture = framed(pixels[i - first], pipeline.network.config.crop)
                    folder.write(i, picture, rows[i - first])
                bar.update(len(wanted))
    seconds = time.monotonic() - started
    print(
        f"process {process.rank + 1} of {process.world_size}: drew {left:,} and found "
        f"{owned - left:,} of its {owned:,} of {count:,} pairs in {folder.path}; {seconds:.0f} s"
        f", {left / seconds:.1f} images/s",
        flush=True,
    )


def _generate(
    pipeline: AvatarPipeline,
    size: int,
    vocabulary: Vocabulary,
    fixed: Mapping[str, int],
    seeds: range,
) -> tuple[np.ndarray, list[list[int]]]:
    """A batch of avatars, uint8 premultiplied RGBA [N, H, W, 4], and their 18 values.

    It is always the whole batch: what a network computes depends, in the last bit, on what else is
    in the batch, and a resumed run has to write the same bytes.
    """
    rows = [vocabulary.sample(fixed, np.random.default_rng(s)) for s in seeds]
    wrapped = [s % (MAX_SEED + 1) for s in seeds]  # the last batch may reach past the largest
    images = pipeline(rows, size=size, seed=wrapped, output_type="np").images
    return np.asarray(images), [[row[name] for name in NAMES] for row in rows]


def _load(model: str, device: str | None, local_rank: int) -> AvatarPipeline:
    """The pipeline, on the device asked for or this process's own GPU."""
    where = choose_device(device)
    if where.type == "cuda" and where.index is None:
        where = torch.device("cuda", local_rank % torch.cuda.device_count())
    return AvatarPipeline.from_pretrained(model, device=where)


def _drawn_with(stage: Stage) -> dict[str, Any]:
    """The defaults that decide its pictures: at guidance scale 1 all methods give the same."""
    defaults = stage.defaults
    deciding = ("guidance_scale", "num_inference_steps", "sampler")
    return dict(defaults) if defaults["guidance_scale"] != 1 else {n: defaults[n] for n in deciding}


def _fixed(fix: tuple[str, ...], vocabulary: Vocabulary) -> dict[str, int]:
    """All 18 attributes, ``ANY`` where nothing is fixed."""
    pairs = [text.partition("=") for text in fix]
    for text, (name, equals, _) in zip(fix, pairs, strict=True):
        if not equals or [n for n, _, _ in pairs].count(name) > 1:
            raise RenderError(f"--fix {text}: it has to be NAME=VALUE, once per attribute")
    return vocabulary.parse({name: value for name, _, value in pairs})


def _uniform(vocabulary: Vocabulary) -> Vocabulary:
    """The same, as if every value that occurs occurred equally often."""
    counts = {name: tuple(int(n > 0) for n in c) for name, c in vocabulary.counts.items()}
    return Vocabulary(vocabulary.labels, counts)


def _fingerprint(model: str, file: str) -> str:
    """Of the weights, so that a set is not continued with a model that was trained further."""
    weights = (fetch_checkpoint(model) / file).read_bytes()
    return hashlib.blake2b(weights, digest_size=16).hexdigest()
