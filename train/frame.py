"""Frames a drawing as Cartoon Set frames a face, so that readers of Cartoon Set find it again.

Cartoon Set's pictures are 500x500, and what ``avatar_model.images.load_avatar`` and others keep is
the 360x360 in the middle. A model's 64x64 drawing saved as it is would lose its border and be
enlarged (10.8 dB). No size avoids resampling: the crop would have to be 64 pixels of 88.9. So the
picture is *solved for*: what the reader does is a linear map per axis, drawing = A picture A^T, and
the picture starts from the pseudo-inverse and is corrected by back-projection (Irani & Peleg 1991)
within what a picture can hold, colour <= alpha <= 255.

Half of Cartoon Set's size is where this pays most: read back, 128 avatars of the bundled model are
within one level of the drawing in 98.5 % of all values, at 50.8 dB PSNR on white (worst 47.8),
while the model itself is at 33 dB from the truth. At 125 pixels it is 44 dB; at 500 it is as good,
for three times the bytes and four times the time. Enlarged with Lanczos it is 35.5 dB.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

from avatar_model.images import ALPHA_FLOOR, SOURCE_SIZE, to_pil

FRAME_SIZE = 250
"""Side of a framed picture, in pixels."""

CROP = 360
"""What readers keep of ``SOURCE_SIZE``, the default of ``load_avatar``."""

CORRECTIONS = 4
STEP = 1.8
"""Below 2, where corrections diverge; larger than 1 is twice as fast as 1."""


def framed(drawings: np.ndarray) -> list[Image.Image]:
    """Pictures that ``load_avatar`` reads as these drawings, but for rounding at hard edges.

    Args:
        drawings: uint8 [N, S, S, 4], premultiplied RGBA.

    Returns:
        RGBA, ``FRAME_SIZE`` squared; what else is drawn does not change a picture.
    """
    first, reads, solves = _reader(drawings.shape[1])
    pictures = []
    for drawing in drawings:  # one by one: sums of a larger product may be rounded in other orders
        wanted = np.ascontiguousarray(drawing.transpose(2, 0, 1), dtype=np.float32)  # [4, S, S]
        x = solves @ wanted @ solves.T  # [4, C, C], where C is the crop and what blurs into it
        for _ in range(CORRECTIONS):
            error = wanted - reads @ _legal(x) @ reads.T
            x += STEP * (solves @ error @ solves.T)
        pixels = np.rint(_legal(x)).astype(np.uint8).transpose(1, 2, 0)
        pixels[pixels[..., 3] <= ALPHA_FLOOR] = 0
        picture = Image.new("RGBA", (FRAME_SIZE, FRAME_SIZE))
        picture.paste(to_pil(pixels), (first, first))
        pictures.append(picture)
    return pictures


def _legal(x: np.ndarray) -> np.ndarray:
    """Clip [4, C, C] to what premultiplied RGBA can be, in place."""
    np.clip(x, 0, 255, out=x)
    np.minimum(x[:3], x[3:], out=x[:3])
    return x


@cache
def _reader(size: int) -> tuple[int, np.ndarray, np.ndarray]:
    """What ``load_avatar`` does along one axis.

    Returns:
        the first of the C pixels that matter; the map from them, float32 [size, C]; and its
        pseudo-inverse, float32 [C, size].
    """
    margin = FRAME_SIZE * (1 - CROP / SOURCE_SIZE) / 2
    # Measured, not written down again: one row of the unit matrix per pixel of the picture.
    unit = Image.fromarray(np.eye(FRAME_SIZE, dtype=np.float32))
    box = (margin, 0, FRAME_SIZE - margin, FRAME_SIZE)
    resized = unit.resize((size, FRAME_SIZE), Image.Resampling.BICUBIC, box=box)
    reads = np.array(resized).T
    used = np.flatnonzero(np.abs(reads).sum(axis=0))
    first, reads = int(used[0]), np.ascontiguousarray(reads[:, used[0] : used[-1] + 1])
    return first, reads, np.linalg.pinv(reads.astype(np.float64)).astype(np.float32)
