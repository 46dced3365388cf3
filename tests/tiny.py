"""The smallest architecture with every part of the real one; tests draw with it in milliseconds."""

from avatar_model import ModelConfig

TINY_MODEL = ModelConfig(
    image_size=16,
    channels=(16, 32),
    self_attention=(False, False),
    cross_attention=(False, True),
    canvas_channels=4,
    tau_width=32,
)
