"""The bundled model's second stage: what a base draws again, four times as large."""

from pathlib import Path

from avatar_model.config import ModelConfig
from train.loop.config import TrainConfig

# One evaluation from pure noise is what is drawn with, so most of the training is spent there.
# All the work is done on the small picture's grid: a fine grid would cost 16 times as much.
PRESET = TrainConfig(
    run=Path("runs/upscaler"),
    base="assets/model",
    batch_size=8,
    terminal_share=0.8,
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
)
