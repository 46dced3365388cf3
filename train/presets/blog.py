"""The blog's experiments, in the order it tells them: what they share, and what each changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from avatar_model.config import ModelConfig
from train.loop.config import Preset, TrainConfig


def _blog(run: str, about: str, **model: Any) -> Preset:
    """A run with the blog's settings, and ``model`` for what this experiment changes.

    From the blog: channels 128-256-512-1024 at 64-32-16-8, T = 300 with beta from 1e-4 to 0.008,
    predicting the noise, Adam with a step decay, batches of 128, condition dropout 0.2, guidance
    2.0. It does not tell its learning rate, its decay or its number of blocks; those are ours.
    """
    config = TrainConfig(
        data="cartoonset100k",
        run=Path("runs") / run,
        steps=15_000,  # about 20 epochs of the 100k set, where the blog shows its last samples
        batch_size=128,
        optimizer="adam",
        learning_rate=2e-4,
        lr_schedule="step",
        lr_step_size=3_000,
        lr_cut=0.5,
        terminal_share=0.0,
        condition_dropout=0.2,
        sampler="ddpm",
        num_inference_steps=300,
        guidance_scale=2.0,
        guidance_method="classic",
        model=ModelConfig(
            **{
                "patch_size": 1,
                "channels": (128, 256, 512, 1024),
                "blocks_down": 1,
                "blocks_up": 1,
                "self_attention": (False, False, False, False),
                "cross_attention": (False, True, True, True),
                "num_heads": 1,
                "tau_width": 512,
                "tau_projections": 2,
                "canvas_channels": 0,
                "prediction": "eps",
                "input_scaling": "unit",
                "schedule": "linear",
                "schedule_options": {"num_steps": 300, "beta_start": 1e-4, "beta_end": 0.008},
                **model,
            }
        ),
    )
    return Preset(about, config)


BLOG = {
    "blog-1-pixels-0-to-1": _blog(
        "blog-1",
        "Blog, first try: unconditional, pixels in [0, 1]; mostly noise for epochs.",
        tau_encoding="none",
        pixel_range=(0.0, 1.0),
    ),
    "blog-2-pixels-minus-1-to-1": _blog(
        "blog-2",
        "Blog, pixel range: the same in [-1, 1]; faces appear, with few hair styles.",
        tau_encoding="none",
    ),
    "blog-3-eighteen-integers": _blog(
        "blog-3",
        "Blog, finding 1: conditional, the attributes as 18 integers.",
        tau_encoding="integers",
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
}
