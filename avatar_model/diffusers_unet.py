"""The UNet of the library diffusers in place of ours, for comparison: the blog's second sequel."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .config import ModelConfig
from .tau import Condition
from .unet import Prepared


class DiffusersUNet(nn.Module):
    """``UNet2DConditionModel`` with the interface of ``unet.UNet``; attributes enter by attention.

    Args:
        config: ``blocks_down`` are its layers per block, of which it has one more on the way up;
            without self-attention it has cross-attention in its place (``only_cross_attention``).

    Raises:
        ValueError: diffusers is not installed.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        try:
            from diffusers import UNet2DConditionModel
        except ImportError as error:
            raise ValueError(
                f"unet 'diffusers' needs the library, pip install diffusers ({error})"
            ) from error
        attends = config.cross_attention
        self.model = UNet2DConditionModel(
            sample_size=config.image_size,
            in_channels=config.image_channels,
            out_channels=config.image_channels,
            down_block_types=[
                "CrossAttnDownBlock2D" if level else "DownBlock2D" for level in attends
            ],
            up_block_types=[
                "CrossAttnUpBlock2D" if level else "UpBlock2D" for level in reversed(attends)
            ],
            block_out_channels=config.channels,
            layers_per_block=config.blocks_down,
            cross_attention_dim=config.tau_width,
            attention_head_dim=config.num_heads,  # which is what this argument really means
            only_cross_attention=not any(config.self_attention),
            norm_num_groups=math.gcd(32, *config.channels),
        )

    @property
    def stem(self) -> nn.Module:
        """The first layer."""
        stem: nn.Module = self.model.conv_in
        return stem

    @property
    def activation_checkpointing(self) -> bool:
        """As of ``UNet``."""
        return bool(self.model.is_gradient_checkpointing)

    @activation_checkpointing.setter
    def activation_checkpointing(self, on: bool) -> None:
        if on:
            self.model.enable_gradient_checkpointing()
        else:
            self.model.disable_gradient_checkpointing()

    def prepare(self, condition: Condition, low_res: Tensor | None = None) -> Prepared:
        """As of ``UNet``; in the place of keys and values, the tokens themselves."""
        return Prepared(None, condition.tokens, None)

    def forward(self, x: Tensor, t: Tensor, prepared: Prepared) -> Tensor:
        """x: [B, C, H, W], t: [B] in [0, 1], ``prepared`` for B requests. Returns [B, C, H, W]."""
        x = x.contiguous(memory_format=torch.channels_last)
        # Its time embedding was made for whole numbers up to 1000.
        output: Tensor = self.model(x, 1000 * t, prepared.keys_values).sample
        return output
