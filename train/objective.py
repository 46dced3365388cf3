"""The mathematics of a training step: noise an image, predict, compare."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from avatar_model.denoiser import Denoiser
from avatar_model.tau import drop_conditions

from .config import TrainConfig


class Draw(NamedTuple):
    """Everything random about a batch; a slice of it belongs to the same slice of the images.

    Attributes:
        t: [B], times.
        eps: [B, 4, H, W], the noise.
        one_hot: [B, 217], the attributes after condition dropout.
        is_true: of an upscaler, bool [B]: whose small picture is the true one, not the drawn one.
        aug_level: [B] in [0, 1], how much noise is on the small pictures.
        low_eps: [B, 4, h, w], that noise.
    """

    t: Tensor
    eps: Tensor
    one_hot: Tensor
    is_true: Tensor | None = None
    aug_level: Tensor | None = None
    low_eps: Tensor | None = None

    def rows(self, rows: slice) -> Draw:
        """The part that belongs to some of the images."""
        return Draw(*(None if value is None else value[rows] for value in self))


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


def draw_augmentation(
    draw: Draw,
    low_res_size: int,
    generator: torch.Generator,
    true_share: float,
    max_aug_level: float,
) -> Draw:
    """Draw what an upscaler's batch has besides: which small pictures are true, and their noise.

    Noise conditioning augmentation (Ho et al., arXiv 2106.15282, section 4.2; Saharia et al.,
    arXiv 2205.11487, appendix B): a random amount of noise, of which the network is told, keeps it
    from trusting the details of small pictures that a base may have drawn wrongly.

    Args:
        draw: from ``draw_noise``.
        true_share: share of the small pictures that are the true ones.
        max_aug_level: levels are from U(0, max); 0 for no noise.
    """
    batch, device = len(draw.t), draw.t.device
    is_true = torch.rand(batch, generator=generator, device=device) < true_share
    if not max_aug_level:
        return draw._replace(is_true=is_true)
    level = max_aug_level * torch.rand(batch, generator=generator, device=device)
    shape = (batch, 4, low_res_size, low_res_size)
    low_eps = torch.randn(shape, generator=generator, device=device)
    return draw._replace(is_true=is_true, aug_level=level, low_eps=low_eps)


def draw_batch(config: TrainConfig, one_hot: Tensor, generator: torch.Generator) -> Draw:
    """Everything random about a batch of this run; ``one_hot`` and ``generator`` as above."""
    model = config.model
    draw = draw_noise(
        one_hot, model.image_size, generator, config.terminal_share, config.condition_dropout
    )
    if not model.is_upscaler:
        return draw
    return draw_augmentation(
        draw, model.low_res_size, generator, config.true_share, config.max_aug_level
    )


def low_res_input(denoiser: Denoiser, draw: Draw, true: Tensor, drawn: Tensor) -> Tensor:
    """The small pictures [B, 4, h, w] as the upscaler gets them, chosen and noised."""
    low_res = torch.where(draw.is_true[:, None, None, None], true, drawn)
    if draw.aug_level is None:
        return low_res
    return denoiser.noised(low_res, draw.low_eps, draw.aug_level)


def diffusion_loss(
    denoiser: Denoiser, x0: Tensor, draw: Draw, low_res: Tensor | None = None
) -> Tensor:
    """Squared error of the network's prediction (Ho et al., arXiv 2006.11239, eq. 14).

    Args:
        denoiser: around a network that takes attributes as [B, 217].
        x0: images [B, 4, H, W] in the denoiser's pixel range.
        low_res: of an upscaler, from ``low_res_input``.

    Returns:
        [B], the mean over the pixels of each image.
    """
    condition = (draw.one_hot,) if low_res is None else (draw.one_hot, low_res, draw.aug_level)
    output = denoiser.predict(denoiser.noised(x0, draw.eps, draw.t), draw.t, *condition)
    error = output.float() - denoiser.target(x0, draw.eps, draw.t)
    return error.square().mean((1, 2, 3))
