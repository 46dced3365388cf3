"""What all experiments of the blog share: its UNet, its noise, its optimizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from avatar_model.config import ModelConfig
from train.loop.config import TrainConfig


def blog(name: str, **model: Any) -> TrainConfig:
    """A preset with the blog's settings, and ``model`` for what this experiment changes.

    From the blog: channels 128-256-512-1024 at 64-32-16-8, T = 300 with beta from 1e-4 to 0.008,
    predicting the noise, Adam with a step decay, batches of 128, condition dropout 0.2, guidance
    2.0. It does not tell its learning rate, its decay or its number of blocks; those are ours.
    """
    return TrainConfig(
        data="cartoonset100k",
        run=Path("runs") / name,
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
