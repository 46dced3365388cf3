"""The mathematics of a training step: noise an image, predict, compare."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from avatar_model.denoiser import Denoiser
from avatar_model.tau import drop_conditions


def diffusion_loss(
    denoiser: Denoiser,
    x0: Tensor,
    one_hot: Tensor,
    generator: torch.Generator,
    terminal_share: float,
    condition_dropout: float,
) -> Tensor:
    """Mean squared error of the network's prediction (Ho et al., arXiv 2006.11239, eq. 14).

    All 18 attributes determine the image, so the estimate from pure noise is already the answer
    and decides how a sample looks; ``terminal_share`` of the batch is spent there.

    Args:
        denoiser: around a network that takes attributes as [B, 217].
        x0: images [B, 4, H, W] in [-1, 1].
        one_hot: their attributes, [B, 217].
        generator: on the CPU; the source of all randomness, so that a step can be repeated.

    Returns:
        a scalar.
    """
    batch = len(x0)
    t = torch.rand(batch, generator=generator)
    terminal = torch.rand(batch, generator=generator) < terminal_share
    t = torch.where(terminal, torch.ones_like(t), t).to(x0.device)
    eps = torch.randn(x0.shape, generator=generator).to(x0.device)
    one_hot = drop_conditions(one_hot, condition_dropout, generator)
    output = denoiser.predict(denoiser.noised(x0, eps, t), t, one_hot)
    return F.mse_loss(output, denoiser.target(x0, eps, t))
