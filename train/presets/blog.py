"""The blog's experiments, in the order it tells them: what they share, and what each changes.

Beside each setting stands where it comes from. The blog is "Build Cartoon Avatar Diffusion Model
from Scratch" (1 January 2024); its sequels are "Memory anatomy" (4 January) and "With diffusers"
(11 January). A note is one on the author's notebook, which can no longer be checked. What nobody
tells is our guess.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from avatar_model.config import ModelConfig
from train.loop.config import Preset, TrainConfig


def _blog(run: str, about: str, training: dict[str, Any] | None = None, **model: Any) -> Preset:
    """A run with the blog's settings, but for what this experiment changes of them.

    Args:
        training, model: fields of ``TrainConfig`` and of ``ModelConfig``.
    """
    network = ModelConfig(
        **{
            "image_size": 64,  # blog
            "crop": 360,  # blog
            "image_channels": 3,  # sequel: batches are (128, 3, 64, 64)
            "pixel_range": (-1.0, 1.0),  # blog
            "patch_size": 1,  # note: the finest level has 64 x 64 pixels
            "channels": (128, 256, 512, 1024),  # note
            "blocks_down": 1,  # guess
            "blocks_up": 1,  # guess
            "self_attention": (False, False, False, False),  # sequel
            "conditioning": ("attention",),  # sequel
            # Guess; the blog says "across various scales". Two choices bring its last network to
            # 0.5 % of the 76,464,439 parameters that it counts; the other one lacks the finest.
            "cross_attention": (True, True, True, False),
            "num_heads": 1,  # blog: later 4
            "tau_width": 1280,  # sequel
            "tau_projections": 2,  # guess; blog: later twice as many
            "tau_tokens": 8,  # of all attributes together, by the sequel's count; guess: how many
            "tau_encoding": "one_hot",  # blog
            "canvas_channels": 0,  # as conditioning says
            "prediction": "eps",  # guess: what the blog's sources predict
            "input_scaling": "unit",  # the same
            "schedule": "linear",  # note
            "schedule_options": {"num_steps": 300, "beta_start": 1e-4, "beta_end": 0.008},  # note
            **model,
        }
    )
    config = TrainConfig(
        data="cartoonset100k",  # guess
        run=Path("runs") / run,
        steps=15_000,  # 19 epochs of 100,000 images; the blog shows its last network's at 18
        batch_size=128,  # sequel
        optimizer="adam",  # sequel
        learning_rate=2e-4,  # guess
        lr_schedule="step",  # sequel
        lr_step_size=3_000,  # guess
        lr_cut=0.5,  # guess
        warmup_steps=0,  # none is told of, nor of any of the next four
        grad_clip=0.0,
        spike_factor=0.0,
        ema=False,
        terminal_share=0.0,
        condition_dropout=0.2,  # sequel
        dropout_per_attribute=True,  # sequel
        sampler="ddpm",  # guess: what the blog's sources do
        num_inference_steps=300,  # note: all steps of the schedule
        guidance_scale=2.0,  # sequel: "throughout"
        guidance_method="classic",  # guess: that of the paper that the blog cites
        model=network,
    )
    return Preset(about, replace(config, **(training or {})))


def _unconditional(run: str, about: str, **model: Any) -> Preset:
    """The same without attributes: no Tau, no attention, nothing to drop and nothing to guide."""
    training = {"condition_dropout": 0.0, "dropout_per_attribute": False, "guidance_scale": 1.0}
    nothing = {"conditioning": (), "cross_attention": (False, False, False, False)}
    return _blog(run, about, training, **nothing, **model)


BLOG = {
    "blog-1-pixels-0-to-1": _unconditional(
        "blog-1",
        "Blog, first try: unconditional, pixels in [0, 1]; mostly noise for epochs.",
        pixel_range=(0.0, 1.0),
    ),
    "blog-2-pixels-minus-1-to-1": _unconditional(
        "blog-2",
        "Blog, pixel range: the same in [-1, 1]; faces appear, with few hair styles.",
    ),
    "blog-3-eighteen-integers": _blog(
        "blog-3",
        "Blog, finding 1: conditional, the attributes as 18 integers.",
        tau_encoding="raw_integers",
    ),
    "blog-4-binary-attributes": _blog(
        "blog-4", "Blog, finding 1: the attributes as one binary vector of 217."
    ),
    "blog-5-doubled-tau": _blog(
        "blog-5",
        "Blog, finding 2: twice the projections in Tau; colours stay wrong.",
        tau_projections=4,
    ),
    "blog-6-four-heads": _blog(
        "blog-6", "Blog, attention: four heads instead of one; hair colours appear.", num_heads=4
    ),
    "blog-7-final": _blog(
        "blog-7",
        "Blog, its final network: four heads and the doubled Tau, about 76 M parameters.",
        num_heads=4,
        tau_projections=4,
    ),
    # The second sequel: only the network, the optimizer and its schedule are other ones.
    "blog-8-diffusers": _blog(
        "blog-8",
        "Blog, its sequel: the UNet of the library diffusers, 188.5 M parameters with Tau.",
        {
            "optimizer": "adamw",  # sequel
            "learning_rate": 1e-4,  # guess
            "lr_schedule": "cosine",  # sequel
            "warmup_steps": 500,  # sequel: there is one; guess: how long
        },
        unet="diffusers",
        channels=(128, 256, 512),  # sequel
        blocks_down=2,  # sequel
        blocks_up=3,  # what the library makes of it
        self_attention=(False, False, False),  # sequel
        cross_attention=(True, True, True),  # guess
        num_heads=32,  # sequel
        # The sequel counts 188,511,363 parameters, and the library's network has 117,077,123: the
        # others are exactly those of one projection from 217 numbers to 256 tokens.
        tau_projections=1,
        tau_tokens=256,
    ),
}
