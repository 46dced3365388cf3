"""Peak signal-to-noise ratio, the measure of how far an avatar is from the true picture."""

from __future__ import annotations

import numpy as np


def psnr(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each picture, in dB; infinite where two are equal.

    Args:
        a, b: RGB as from ``images.on_white``, [..., H, W, 3], uint8 or float, white = 255.

    Returns:
        float64 [...].

    Raises:
        ValueError: the shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"cannot compare pictures of shapes {a.shape} and {b.shape}")
    error = np.mean((a.astype(np.float64) - b) ** 2, axis=(-3, -2, -1))
    with np.errstate(divide="ignore"):
        return 10 * np.log10(255**2 / error)
