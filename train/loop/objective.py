"""The mathematics of a training step: noise an image, predict, compare."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from avatar_model.config import ModelConfig
from avatar_model.denoiser import Denoiser
from avatar_model.tau import drop_conditions
from train.loop.config import TrainConfig


class Randomness(NamedTuple):
    """Everything random about a batch; a slice of it belongs to the same slice of the images.

    Attributes:
        t: [B], times.
        eps: [B, C, H, W], the noise.
        one_hot: [B, 217], the attributes after condition dropout.
        is_true: of an upscaler, bool [B]: whose small picture is the true, not the generated one.
    """

    t: Tensor
    eps: Tensor
    one_hot: Tensor
    is_true: Tensor | None = None

    def rows(self, rows: slice) -> Randomness:
        """The part that belongs to some of the images."""
        return Randomness._make(None if value is None else value[rows] for value in self)


def make_noise(
    one_hot: Tensor, model: ModelConfig, generator: torch.Generator, terminal_share: float
) -> Randomness:
    """Times and noise for a batch, which keeps its attributes.

    All 18 attributes determine the image, so the estimate from pure noise is already the answer
    and decides how a sample looks; ``terminal_share`` of the batch is spent there.

    Args:
        one_hot: attributes of the batch, [B, 217], on the generator's device.
        generator: the source of all randomness, so that a step can be repeated.
    """
    batch, device = len(one_hot), one_hot.device
    t = torch.rand(batch, generator=generator, device=device)
    terminal = torch.rand(batch, generator=generator, device=device) < terminal_share
    shape = (batch, model.image_channels, model.image_size, model.image_size)
    eps = torch.randn(shape, generator=generator, device=device)
    return Randomness(torch.where(terminal, torch.ones_like(t), t), eps, one_hot)


def make_randomness(config: TrainConfig, one_hot: Tensor, generator: torch.Generator) -> Randomness:
    """Everything random about a batch of this run; ``one_hot`` and ``generator`` as above."""
    randomness = make_noise(one_hot, config.model, generator, config.terminal_share)
    left = drop_conditions(
        one_hot, config.condition_dropout, generator, config.dropout_per_attribute
    )
    is_true = None
    if config.model.is_upscaler:
        lots = torch.rand(len(one_hot), generator=generator, device=one_hot.device)
        is_true = lots < config.true_share
    return randomness._replace(one_hot=left, is_true=is_true)


def low_res_input(randomness: Randomness, true: Tensor, generated: Tensor) -> Tensor:
    """The small pictures [B, C, h, w] as the upscaler gets them: true ones or generated ones."""
    assert randomness.is_true is not None, "not made for an upscaler"
    return torch.where(randomness.is_true[:, None, None, None], true, generated)


def diffusion_loss(
    denoiser: Denoiser,
    x0: Tensor,
    randomness: Randomness,
    low_res: Tensor | None = None,
    pixel_weights: Tensor | None = None,
) -> Tensor:
    """Squared error of the network's prediction (Ho et al., arXiv 2006.11239, eq. 14).

    Args:
        denoiser: around a network that takes attributes as [B, 217].
        x0: images [B, C, H, W] in the denoiser's pixel range.
        low_res: of an upscaler, from ``low_res_input``.
        pixel_weights: [H, W], what each pixel counts; by default all the same.

    Returns:
        [B], the mean over the pixels of each image.
    """
    t, eps, one_hot, _ = randomness
    condition = (one_hot,) if low_res is None else (one_hot, low_res)
    output = denoiser.predict(denoiser.noised(x0, eps, t), t, *condition)
    error = output.float() - denoiser.target(x0, eps, t)
    squared = error.square()
    if pixel_weights is not None:
        squared = squared * pixel_weights
    return squared.mean((1, 2, 3))
