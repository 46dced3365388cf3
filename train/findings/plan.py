"""Which runs are made, and which of them decide each of the blog's findings.

All are trained on equally many images, so they are equal as the blog counts, in epochs.
"""

from __future__ import annotations

import json
from dataclasses import replace
from math import lcm
from pathlib import Path
from typing import Any, NamedTuple

from train import presets
from train.loop.config import TrainConfig

POINTS = 5
"""Checks of each run, evenly spaced; the last at its end."""
PEOPLE = 8
"""Of those that a run generates at its end, the first so many are kept, to be shown."""
DECAYS = 5
"""Parts of a run between which the step schedule cuts the rate, as in the blog presets."""
SAMPLER, SAMPLING_STEPS = "ddpm", 20
"""How the blog's presets generate here. They never see pure noise in training but start from it; a
sampler without noise of its own (DDIM, DPM-Solver++) never gets rid of that start and ends in
speckles, ancestral sampling does. docs/blog.ipynb draws with 20 and with all 300."""

BLOG = {
    "blog-1-pixels-0-to-1": "unconditional, pixels in [0, 1]",
    "blog-2-pixels-minus-1-to-1": "unconditional, pixels in [-1, 1]",
    "blog-3-eighteen-integers": "attributes as 18 integers",
    "blog-4-binary-attributes": "attributes as 217 bits",
    "blog-5-doubled-tau": "217 bits, Tau's projections doubled",
    "blog-6-four-heads": "217 bits, four heads",
    "blog-7-final": "217 bits, four heads, Tau doubled",
    "blog-8-diffusers": "217 bits, the UNet of diffusers",
}
BASE, OURS = "blog-4", "ours"
TOO_NOISY, NOISIER, LESS_NOISY = "noise-too-high", "noise-higher", "noise-lower"
CONSTANT, FAST = "rate-constant", "rate-constant-x4"

SEEDS = {
    **dict.fromkeys(("blog-3", NOISIER, FAST), 2),
    **dict.fromkeys(("blog-1", "blog-2", "blog-7", CONSTANT), 4),
    **dict.fromkeys((BASE, "blog-5", "blog-6"), 6),
}
"""How often an experiment is made, each time with another seed; once if it is not here. The pairs
of findings 1, 3 to 5 and 7a are close to each other."""

FINDINGS = {
    "1a": ("blog-1", "blog-2", "kernel", "With pixels in [-1, 1], not [0, 1], it draws better"),
    "1b": ("blog-1", "blog-2", "restored", "And it restores noisy pictures better"),
    "2": ("blog-3", BASE, "likeness", "Attributes as 217 bits work better than as 18 integers"),
    "3": (BASE, "blog-5", "hair", "Doubling Tau's projections alone does not help"),
    "4": (BASE, "blog-6", "hair", "Four attention heads instead of one bring hair colours"),
    "5": ("blog-6", "blog-7", "hair", "Four heads and the doubled Tau together are better still"),
    "6": (TOO_NOISY, BASE, "clean", "With too much noise it keeps drawing noise"),
    "7a": (CONSTANT, BASE, "likeness", "Cutting the learning rate helps"),
    "7b": (FAST, CONSTANT, "likeness", "A learning rate that is too high hurts"),
    "8": ("", "", "", "Lower loss does not promise better pictures"),
    "9": ("", "", "", "Memory goes into activations, not weights"),
}
"""The blog's findings and those of its sequels: the old experiment, the new one, and the measure
that decide it, the nearest to what is described; and what is claimed. 8 and 9 have rules of their
own, see ``report.judge``. The measures of 2 to 7 were chosen before any of these runs was made,
after an earlier study; those of 1 when its first runs were there."""
COMPARED = [*dict.fromkeys((old, new) for old, new, _, _ in FINDINGS.values() if old)]
COMPARED += [(BASE, LESS_NOISY), (BASE, NOISIER), ("blog-7", "blog-8"), ("blog-7", OURS)]


class Size(NamedTuple):
    """How the presets are scaled down.

    The learning rate is multiplied by ``width``: Adam's best rate grows as a network gets narrower
    (Yang et al., arXiv 2203.03466, table 3).
    """

    about: str
    pixels: int  # what the side of the images is divided by
    width: int  # the number of channels
    batch: int  # the batch
    heads: int  # the most that there is room for; diffusers' network has 32
    tokens: int  # the same of Tau's tokens, of which it has 256
    ours: dict[str, Any]  # what our own network becomes; it costs about what blog-4's does


SIZES = {
    "real": Size("the presets as they are", 1, 1, 1, 32, 256, {}),
    "half": Size(
        "half the image side, an eighth of the channels, a quarter of the batch, and 8 times the "
        "learning rate, as narrower networks want it higher",
        *(2, 8, 4, 4, 32),
        {"image_size": 32, "channels": (28, 56, 112)},
    ),
    "quarter": Size(
        "a quarter of the image side, an eighth of the channels, a quarter of the batch, and 8 "
        "times the learning rate, as narrower networks want it higher",
        *(4, 8, 4, 4, 16),
        {"image_size": 16, "channels": (28, 56, 112)},
    ),
    "tiny": Size(
        "a test of the command, far too small to say anything about the findings",
        *(4, 16, 16, 4, 16),
        {"image_size": 16, "channels": (16, 32, 64), "canvas_channels": 8},
    ),
}


class Run(NamedTuple):
    """One training run: its experiment, what is special about that, and its config."""

    experiment: str
    about: str
    config: TrainConfig

    @property
    def conditional(self) -> bool:
        """Whether it is asked for attributes, and so has a right answer for each avatar."""
        return self.config.model.is_conditional

    def same_loss(self, other: Run) -> bool:
        """Whether its loss means what the other's means: the same question is asked."""
        question = ("prediction", "schedule", "schedule_options", "pixel_range", "image_channels")
        ours, theirs = self.config.model, other.config.model
        same = all(getattr(ours, part) == getattr(theirs, part) for part in question)
        return same and self.conditional == other.conditional

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides its result, in plain JSON types: not the folder, nor the device."""
        return json.loads(json.dumps(self.config.to_dict() | {"run": None, "device": None}))


def all_runs(
    size: str, images: int, data: str, work: Path, device: str | None = None
) -> dict[str, Run]:
    """Name -> run, in the order of the tables; their folders are ``work/runs/NAME``.

    The first run of an experiment has its name, the others that of their seed, as in blog-4-seed-1.

    Args:
        size: of ``SIZES``.
        images: training images of each run, a multiple of ``budget_unit(size)``.
    """
    scale, found = SIZES[size], {}

    def add(name: str, about: str, config: TrainConfig, **model: Any) -> TrainConfig:
        steps = images // config.batch_size
        config = replace(
            config,
            data=data,
            steps=steps,
            lr_step_size=max(steps // DECAYS, 1),
            warmup_steps=min(config.warmup_steps, max(steps // 10, 1)),
            log_steps=max(steps // POINTS // 20, 1),
            checkpoint_steps=steps // POINTS,
            checkpoint_minutes=None,
            keep_checkpoints=1000,  # each is looked at when the run is finished
            spike_factor=0.0,  # no help from the trainer for a learning rate that is too high
            device=device,
            model=replace(config.model, **model),
        )
        for seed in range(SEEDS.get(name, 1)):
            run = f"{name}-seed-{seed}" if seed else name
            found[run] = Run(name, about, replace(config, seed=seed, run=work / "runs" / run))
        return config

    for preset, about in BLOG.items():
        blog = presets.load(preset)
        model = blog.model
        scaled = replace(
            blog,
            batch_size=blog.batch_size // scale.batch,
            learning_rate=blog.learning_rate * scale.width,
            sampler=SAMPLER,
            num_inference_steps=SAMPLING_STEPS,
        )
        add(
            "-".join(preset.split("-")[:2]),
            about,
            scaled,
            image_size=model.image_size // scale.pixels,
            channels=tuple(c // scale.width for c in model.channels),
            tau_width=model.tau_width // scale.width,
            num_heads=min(model.num_heads, scale.heads),
            tau_tokens=min(model.tau_tokens, scale.tokens),
        )
    base = found[BASE].config
    levels = (LESS_NOISY, 300, 0.002), (NOISIER, 300, 0.05), (TOO_NOISY, 500, 0.2)
    for name, steps, beta_end in levels:
        options = {"num_steps": steps, "beta_start": 1e-4, "beta_end": beta_end}
        add(name, f"blog-4, T = {steps}, beta up to {beta_end}", base, schedule_options=options)
    constant = add(CONSTANT, "blog-4, the rate never cut", replace(base, lr_schedule="constant"))
    fast = replace(constant, learning_rate=4 * base.learning_rate)
    add(FAST, "blog-4, 4 times the rate, never cut", fast)
    # The same pictures for all, and those of the blog: our own crop is wider.
    ours = {"crop": base.model.crop, **scale.ours}
    add(OURS, "our default preset", presets.load("default"), **ours)
    return found


def budget_unit(size: str) -> int:
    """The number of images that a budget must be a multiple of: whole batches at every check."""
    runs = all_runs(size, 10**6, "", Path())
    return POINTS * lcm(*(run.config.batch_size for run in runs.values()))
