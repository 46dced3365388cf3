"""Tau and the UNet together: the one module that is trained, averaged and saved."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .config import ModelConfig
from .tau import Tau
from .unet import Prepared, UNet


class AvatarNetwork(nn.Module):
    """(noisy image, time, attributes) -> prediction. Built from a ``ModelConfig`` alone."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.tau = Tau(
            width=config.tau_width,
            num_projections=config.tau_projections,
            canvas_channels=config.canvas_channels,
            canvas_size=config.image_size // config.patch_size,
            encoding=config.tau_encoding,
        )
        self.unet = UNet(
            image_channels=4,
            patch_size=config.patch_size,
            channels=config.channels,
            blocks_down=config.blocks_down,
            blocks_up=config.blocks_up,
            self_attention=config.self_attention,
            cross_attention=config.cross_attention,
            num_heads=config.num_heads,
            context=config.tau_width,
            canvas_channels=config.canvas_channels,
            upscales=config.is_upscaler,
        )
        self.to(memory_format=torch.channels_last)

    def forward(
        self, x: Tensor, t: Tensor, one_hot: Tensor, low_res: Tensor | None = None
    ) -> Tensor:
        """x: [B, 4, H, W], t: [B] in [0, 1], the others as for ``prepare``.

        Returns:
            [B, 4, H, W].
        """
        return self.unet(x, t, self.prepare(one_hot, low_res))

    def prepare(self, one_hot: Tensor, low_res: Tensor | None = None) -> Prepared:
        """All that depends on the request alone, for every step.

        Args:
            one_hot: [B, 217].
            low_res: of an upscaler, see ``UNet.prepare``.
        """
        return self.unet.prepare(self.tau(one_hot), low_res)

    def num_parameters(self) -> int:
        """All trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)
