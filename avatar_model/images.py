"""What a pixel means: the one place that turns pictures into numbers and numbers into pictures.

A stored avatar is *premultiplied* RGBA, uint8: colour is already multiplied by alpha, so colour
never exceeds alpha, and a transparent pixel is (0, 0, 0, 0) whatever the file said. Averages,
resizing and a network's small errors are then right at the edge of the transparent background,
where straight alpha would bring in colour that nobody can see. The network works on the same four
numbers in [-1, 1].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import torch

P = TypeVar("P", np.ndarray, "torch.Tensor")

ALPHA_FLOOR = 2
"""Alpha up to this (of 255) is nothing: resizing and networks leave such a haze over a background,
which no eye sees but which makes files bigger and cut-outs dirty. It is set to exactly 0, both in
the data and in what a model generates."""


def clean(pixels: P) -> P:
    """Make uint8 [..., 4] a valid premultiplied picture, in place: no haze, colour <= alpha."""
    colour, alpha = pixels[..., :3], pixels[..., 3:]
    alpha *= alpha > ALPHA_FLOOR
    # Bicubic overshoots at edges, and a network's channels err independently of each other.
    colour -= (colour - alpha) * (colour > alpha)
    return pixels


def to_model(
    pixels: np.ndarray | torch.Tensor,
    pixel_range: tuple[float, float] = (-1.0, 1.0),
    channels: int = 4,
) -> torch.Tensor:
    """Stored pixels as a network sees them: uint8 [..., H, W, 4] -> float32 [..., C, H, W].

    0 and 255 become the ends of ``pixel_range``. A tensor stays on its device, and the memory in
    channels-last order.

    Args:
        channels: 4, or 3 for RGB on white.
    """
    import torch

    # Copied, because torch warns about sharing the read-only memory of a memory-mapped file.
    x = torch.tensor(pixels) if isinstance(pixels, np.ndarray) else pixels
    if channels == 3:
        x = on_white(x)
    low, high = pixel_range
    return x.movedim(-1, -3).float() * ((high - low) / 255) + low


def to_pixels(x: torch.Tensor, pixel_range: tuple[float, float] = (-1.0, 1.0)) -> np.ndarray:
    """The way back from :func:`to_model`, exact for pixels that came from ``crop.load_avatar``.

    float [..., C, H, W], any type and device, values outside ``pixel_range`` are clamped
    -> uint8 [..., H, W, 4], premultiplied RGBA with colour <= alpha and no haze; opaque of RGB.
    """
    return to_levels(x, pixel_range).cpu().numpy()


def to_levels(x: torch.Tensor, pixel_range: tuple[float, float] = (-1.0, 1.0)) -> torch.Tensor:
    """:func:`to_pixels` as a tensor that stays on its device: uint8 [..., H, W, 4]."""
    low, high = pixel_range
    x = opaque(x.detach().float(), high)
    levels = ((x - low) * (255 / (high - low))).round_().clamp_(0, 255)
    return clean(levels.movedim(-3, -1).byte().contiguous())


def opaque(x: torch.Tensor, high: float) -> torch.Tensor:
    """[..., C, H, W] -> [..., 4, H, W]: RGB gets an alpha of ``high``, RGBA keeps its own."""
    if x.shape[-3] == 4:
        return x
    import torch

    return torch.cat([x, torch.full_like(x[..., :1, :, :], high)], dim=-3)


def to_pil(pixels: np.ndarray) -> Image.Image:
    """Stored pixels, uint8 [H, W, 4], as a picture to show or save: mode RGBA, straight alpha.

    ``.convert("RGBa")`` gives the pixels back. A fully transparent pixel is (0, 0, 0, 0).
    """
    rgba = np.array(pixels, order="C")
    alpha = rgba[..., 3]
    rgba.view(np.uint32)[..., 0] *= alpha > 0
    # Straight and premultiplied differ only where the picture is half-transparent: its edges.
    rows = rgba.reshape(-1, 4)
    edge = np.flatnonzero((alpha > 0) & (alpha < 255))
    colour, divisor = rows[edge, :3].astype(np.uint16), rows[edge, 3:].astype(np.uint16)
    # Rounded division; Pillow's own RGBa -> RGBA truncates and so darkens by up to one level.
    rows[edge, :3] = (np.minimum(colour, divisor) * 255 + divisor // 2) // divisor
    return Image.fromarray(rgba)


def on_white(pixels: P) -> P:
    """The picture as it looks on a white page: uint8 [..., H, W, 4] -> uint8 RGB [..., H, W, 3]."""
    colour, alpha = pixels[..., :3], pixels[..., 3:]
    # Not more colour than alpha, or white would overflow.
    flattened: P = colour - (colour - alpha) * (colour > alpha) + (255 - alpha)
    return flattened
