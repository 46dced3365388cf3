"""Tau and the UNet together: the one module that is trained, averaged and saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .attributes import ONE_HOT_SIZE
from .config import ModelConfig
from .tau import Tau
from .unet import Prepared, UNet

if TYPE_CHECKING:
    from .diffusers_unet import DiffusersUNet


class AvatarNetwork(nn.Module):
    """(noisy image, time, attributes) -> prediction. Built from a ``ModelConfig`` alone."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.tau = Tau(config)
        self.unet: UNet | DiffusersUNet
        if config.unet == "diffusers":
            from .diffusers_unet import DiffusersUNet  # which hardly anybody needs

            self.unet = DiffusersUNet(config)
        else:
            self.unet = UNet(config)
        # The layout in which convolutions take least time, on CPUs and on GPUs.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(
        self, x: Tensor, t: Tensor, one_hot: Tensor, low_res: Tensor | None = None
    ) -> Tensor:
        """x: [B, C, H, W], t: [B] in [0, 1], the others as for ``prepare`` -> [B, C, H, W]."""
        prediction: Tensor = self.unet(x, t, self.prepare(one_hot, low_res))
        return prediction

    def prepare(self, one_hot: Tensor, low_res: Tensor | None = None) -> Prepared:
        """What no step has to repeat: one_hot: [B, 217], low_res as for ``UNet.prepare``."""
        return self.unet.prepare(self.tau(one_hot), low_res)

    def rehearse(self) -> Tensor:
        """What it makes of every value of every attribute at once, [1, C, H, W]."""
        config = self.config
        channels, side, small = config.image_channels, config.image_size, config.low_res_size
        low_res = torch.ones(1, channels, small, small) if small else None
        x, looks = torch.ones(1, channels, side, side), torch.ones(1, ONE_HOT_SIZE)
        output: Tensor = self(x, torch.ones(1), looks, low_res)
        return output

    def num_parameters(self) -> int:
        """All trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)
