"""The bundled model: its base, and the upscaler that goes with it."""

from __future__ import annotations

from pathlib import Path

from avatar_model.config import ModelConfig
from train.loop.config import Preset, TrainConfig

BUNDLED = {
    "default": Preset(
        "The bundled model: x0 prediction, Tau's canvas, Muon; sized for two CPU cores.",
        # Of a 420 pixel crop all hair styles stay whole but the largest; others keep 360, which
        # cuts 28 %.
        TrainConfig(model=ModelConfig(crop=420)),
    ),
    "upscaler": Preset(
        "The bundled model's second stage: what a base draws again, four times as large.",
        TrainConfig(
            run=Path("runs/upscaler"),
            base="assets/model",
            batch_size=8,
            # One evaluation from pure noise is what it is used with, so most of the training is
            # spent there.
            terminal_share=0.8,
            # All the work is done on the small picture's grid: a fine one would cost 16 times as
            # much.
            model=ModelConfig(
                image_size=256,
                crop=420,
                patch_size=4,
                channels=(48, 96, 160),
                blocks_down=1,
                blocks_up=1,
                self_attention=(False, False, False),
                cross_attention=(False, True, True),
                canvas_channels=8,
                low_res_size=64,
            ),
        ),
    ),
}
