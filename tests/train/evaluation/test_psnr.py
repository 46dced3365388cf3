import numpy as np
import pytest

from train.evaluation.psnr import psnr


def test_psnr():
    a = np.zeros((3, 8, 8, 3), dtype=np.uint8)
    b = np.stack([np.full((8, 8, 3), v, dtype=np.uint8) for v in (0, 255, 16)])
    assert psnr(a, b) == pytest.approx([np.inf, 0, 20 * np.log10(255 / 16)])
    assert psnr(b[2].astype(np.float32), a[2]) == pytest.approx(24.048, abs=1e-3)
    with pytest.raises(ValueError, match=r"\(8, 8, 3\)"):
        psnr(a, b[0])
