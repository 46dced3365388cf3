"""The mathematics of a training step: noise an image, predict, compare."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from avatar_model.denoiser import Denoiser
from avatar_model.tau import drop_conditions


class Draw(NamedTuple):
    """Everything random about a batch; a slice of it belongs to the same slice of the images.

    Attributes:
        t: [B], times.
        eps: [B, 4, H, W], the noise.
        one_hot: [B, 217], the attributes after condition dropout.
    """

    t: Tensor
    eps: Tensor
    one_hot: Tensor

    def rows(self, rows: slice) -> Draw:
        """The part that belongs to some of the images."""
        return Draw(*(value[rows] for value in self))


def draw_noise(
    one_hot: Tensor,
    image_size: int,
    generator: torch.Generator,
    terminal_share: float,
    condition_dropout: float,
) -> Draw:
    """Draw times, noise and condition dropout for a batch.

    All 18 attributes determine the image, so the estimate from pure noise is already the answer
    and decides how a sample looks; ``terminal_share`` of the batch is spent there.

    Args:
        one_hot: attributes of the batch, [B, 217], on the generator's device.
        generator: the source of all randomness, so that a step can be repeated.
    """
    batch, device = len(one_hot), one_hot.device
    t = torch.rand(batch, generator=generator, device=device)
    terminal = torch.rand(batch, generator=generator, device=device) < terminal_share
    shape = (batch, 4, image_size, image_size)
    eps = torch.randn(shape, generator=generator, device=device)
    return Draw(
        torch.where(terminal, torch.ones_like(t), t),
        eps,
        drop_conditions(one_hot, condition_dropout, generator),
    )


def diffusion_loss(denoiser: Denoiser, x0: Tensor, draw: Draw) -> Tensor:
    """Squared error of the network's prediction (Ho et al., arXiv 2006.11239, eq. 14).

    Args:
        denoiser: around a network that takes attributes as [B, 217].
        x0: images [B, 4, H, W] in the denoiser's pixel range.

    Returns:
        [B], the mean over the pixels of each image.
    """
    output = denoiser.predict(denoiser.noised(x0, draw.eps, draw.t), draw.t, draw.one_hot)
    error = output.float() - denoiser.target(x0, draw.eps, draw.t)
    return error.square().mean((1, 2, 3))
