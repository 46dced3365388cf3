"""Frames a generated avatar as Cartoon Set frames a face, so that its readers find it again.

What they keep is a square in the middle, the model's ``crop``, resized. That is a linear map per
axis, avatar = A picture A^T, so the picture is *solved for*: it starts from the pseudo-inverse and
is corrected by back-projection (Irani & Peleg 1991) within what a picture can hold, colour <= alpha
<= 255. docs/deploy.md ("The size of the pictures") has what that is worth.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

from avatar_model.crop import DEFAULT_CROP, SOURCE_SIZE
from avatar_model.images import ALPHA_FLOOR, to_pil

CORRECTIONS = 4
STEP = 1.8
"""Below 2, where corrections diverge; larger than 1 is twice as fast as 1."""


def frame_size(size: int) -> int:
    """Side of the framed picture of an avatar with this side, in pixels."""
    return SOURCE_SIZE // 2 if size <= 64 else SOURCE_SIZE


def framed(avatar: np.ndarray, crop: int = DEFAULT_CROP) -> Image.Image:
    """A picture that ``load_avatar`` reads as this avatar, but for rounding at hard edges.

    Args:
        avatar: uint8 [S, S, 4], premultiplied RGBA.
        crop: what the reader keeps of ``SOURCE_SIZE``, that of the model.

    Returns:
        mode RGBA, ``frame_size(S)`` wide and high.
    """
    side = frame_size(len(avatar))
    first, reads, solves = _reader(len(avatar), crop, side)
    wanted = np.ascontiguousarray(avatar.transpose(2, 0, 1), dtype=np.float32)  # [4, S, S]
    x = solves @ wanted @ solves.T  # [4, C, C], where C is the crop and what blurs into it
    for _ in range(CORRECTIONS):
        error = wanted - reads @ _legal(x) @ reads.T
        x += STEP * (solves @ error @ solves.T)
    pixels = np.rint(_legal(x)).astype(np.uint8).transpose(1, 2, 0)
    pixels[pixels[..., 3] <= ALPHA_FLOOR] = 0
    picture = Image.new("RGBA", (side, side))
    picture.paste(to_pil(pixels), (first, first))
    return picture


def _legal(x: np.ndarray) -> np.ndarray:
    """Clip [4, C, C] to what premultiplied RGBA can be, in place."""
    np.clip(x, 0, 255, out=x)
    np.minimum(x[:3], x[3:], out=x[:3])
    return x


@cache
def _reader(size: int, crop: int, side: int) -> tuple[int, np.ndarray, np.ndarray]:
    """What ``load_avatar`` does along one axis of a picture with this side.

    Returns:
        the first of the C pixels that matter; the map from them, float32 [size, C]; and its
        pseudo-inverse, float32 [C, size].
    """
    margin = side * (1 - crop / SOURCE_SIZE) / 2
    # Measured, not written down again: one row of the unit matrix per pixel of the picture.
    unit = Image.fromarray(np.eye(side, dtype=np.float32))
    box = (margin, 0, side - margin, side)
    resized = unit.resize((size, side), Image.Resampling.BICUBIC, box=box)
    reads = np.array(resized).T
    used = np.flatnonzero(np.abs(reads).sum(axis=0))
    first, reads = int(used[0]), np.ascontiguousarray(reads[:, used[0] : used[-1] + 1])
    # What hardly reaches the avatar would be blown up where the avatar is larger than the crop.
    solves = np.linalg.pinv(reads.astype(np.float64), rcond=0.1).astype(np.float32)
    return first, reads, solves
