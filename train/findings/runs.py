"""Which runs are made: the blog's presets, a second seed, its noise and learning rate, and ours.

All are trained on equally many images, so they are equal as the blog counts, in epochs, whatever
else the machine is doing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import lcm
from pathlib import Path
from typing import Any

from avatar_model.config import ModelConfig
from train import presets
from train.loop.config import TrainConfig
from train.loop.run_folder import RunError

POINTS = 5
"""Checks of each run, evenly spaced; the last at its end."""
DECAYS = 5
"""Parts of a run between which the step schedule cuts the rate, as in the blog presets."""
SAMPLER, SAMPLING_STEPS = "ddpm", 20
"""How the blog's presets draw here. They never see pure noise in training but start from it when
they draw; a sampler without noise of its own (DDIM, DPM-Solver++) never gets rid of that start and
ends in speckles, ancestral sampling does. 25 of its steps drew as well as the blog's 300."""

BASE, SECOND_SEED, OURS = "blog-4", "blog-4-second-seed", "ours"
TOO_NOISY, NOISIER, LESS_NOISY = "noise-too-high", "noise-higher", "noise-lower"
CONSTANT, FAST = "rate-constant", "rate-constant-x4"


@dataclass(frozen=True)
class Size:
    """How the presets are scaled down.

    Attributes:
        about: for people.
        pixels, width, batch: what the side of the images, the number of channels and the batch
            are divided by. The learning rate is multiplied by ``width``: Adam's best rate grows as
            a network gets narrower (Yang et al., arXiv 2203.03466, table 3).
        ours: what becomes of our own preset's network, with about as many multiplications per
            image as blog-4's.
    """

    about: str
    pixels: int
    width: int
    batch: int
    ours: dict[str, Any]


SIZES = {
    "real": Size("the presets as they are", 1, 1, 1, {}),
    "reduced": Size(
        "half the image side, an eighth of the channels, a quarter of the batch, and 8 times the "
        "learning rate, as narrower networks want it higher",
        *(2, 8, 4),
        {"image_size": 32, "channels": (28, 56, 112)},
    ),
    "tiny": Size(
        "a test of the command, far too small to say anything about the findings",
        *(4, 16, 16),
        {"image_size": 16, "channels": (16, 32, 64), "canvas_channels": 8},
    ),
}


@dataclass(frozen=True)
class Run:
    """One training run: its name, what is special about it, and its config."""

    name: str
    about: str
    config: TrainConfig


def all_runs(
    size: str, images: int, data: str, work: Path, device: str | None = None
) -> dict[str, Run]:
    """Name -> run, in the order of the report.

    Args:
        size: of ``SIZES``.
        images: training images of each run, a multiple of ``budget_unit(size)``.
        work: their folders are ``work/runs/NAME``.
        device: for ``TrainConfig.device``.
    """
    scale = SIZES[size]
    numbered = {n: name for name in presets.names() for n in range(1, 8) if f"blog-{n}-" in name}
    about = {
        1: "unconditional, pixels in [0, 1]",
        2: "unconditional, pixels in [-1, 1]",
        3: "attributes as 18 integers",
        4: "attributes as 217 bits",
        5: "217 bits, Tau's projections doubled",
        6: "217 bits, four heads",
        7: "217 bits, four heads, Tau doubled",
    }
    runs: dict[str, Run] = {}

    def add(name: str, about: str, config: TrainConfig) -> None:
        steps = images // config.batch_size
        config = replace(
            config,
            data=data,
            run=work / "runs" / name,
            steps=steps,
            lr_step_size=max(steps // DECAYS, 1),
            warmup_steps=min(config.warmup_steps, max(steps // 10, 1)),
            log_steps=max(steps // POINTS // 20, 1),
            checkpoint_steps=steps // POINTS,
            keep_checkpoints=1000,  # each is looked at when the run is finished
            spike_factor=0.0,  # no help from the trainer for a learning rate that is too high
            device=device,
        )
        runs[name] = Run(name, about, config)

    for number, preset in numbered.items():
        add(f"blog-{number}", about[number], _scaled(presets.load(preset), scale))
    base = runs[BASE].config
    add(SECOND_SEED, "blog-4 again, another seed", replace(base, seed=1))
    for name, steps, beta_end in (
        (LESS_NOISY, 300, 0.002),
        (NOISIER, 300, 0.05),
        (TOO_NOISY, 500, 0.2),
    ):
        options = {"num_steps": steps, "beta_start": 1e-4, "beta_end": beta_end}
        model = replace(base.model, schedule_options=options)
        add(name, f"blog-4, T = {steps}, beta up to {beta_end}", replace(base, model=model))
    constant = replace(base, lr_schedule="constant")
    add(CONSTANT, "blog-4, the rate never cut", constant)
    fast = replace(constant, learning_rate=4 * base.learning_rate)
    add(FAST, "blog-4, 4 times the rate, never cut", fast)
    ours = presets.load("default")
    # The same pictures for all, and those of the blog: our own crop is wider.
    model = replace(ours.model, crop=base.model.crop, **scale.ours)
    add(OURS, "our default preset", replace(ours, model=model))
    return runs


def _scaled(preset: TrainConfig, scale: Size) -> TrainConfig:
    model: ModelConfig = preset.model
    model = replace(
        model,
        image_size=model.image_size // scale.pixels,
        channels=tuple(c // scale.width for c in model.channels),
        tau_width=model.tau_width // scale.width,
    )
    return replace(
        preset,
        batch_size=preset.batch_size // scale.batch,
        learning_rate=preset.learning_rate * scale.width,
        sampler=SAMPLER,
        num_inference_steps=SAMPLING_STEPS,
        # Without a condition, guidance is the difference of two equal things.
        guidance_scale=1.0 if model.tau_encoding == "none" else preset.guidance_scale,
        model=model,
    )


def budget_unit(size: str) -> int:
    """The number of images that a budget must be a multiple of: whole batches at every check."""
    runs = all_runs(size, 10**6, "", Path())
    return POINTS * lcm(*(run.config.batch_size for run in runs.values()))


def same_loss(run: Run, other: Run) -> bool:
    """Whether a loss of one means what it means for the other: the same question is asked."""

    def question(run: Run) -> tuple[object, ...]:
        m = run.config.model
        conditional = m.tau_encoding != "none"
        return m.prediction, m.schedule, m.schedule_options, m.pixel_range, conditional

    return question(run) == question(other)


def refuse_change(what: str, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Compare settings, one level at a time.

    Args:
        what: holds the settings from before, for the message.

    Raises:
        RunError: they differ; it names the first difference.
    """
    for key, old in before.items():  # a field that is younger than the run has its default
        new = now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            refuse_change(what, old, new)
        elif old != new:
            raise RunError(
                f"{what} was made with {key} = {old!r}, not {new!r}; choose another --work folder, "
                "or the old value to continue"
            )
