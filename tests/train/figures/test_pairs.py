import numpy as np
import pytest
from PIL import Image

from train.figures.pairs import save_pairs


def pictures(count, size):
    """Avatars as full of detail as drawn ones: noise of a few levels over flat colours."""
    rng = np.random.default_rng(0)
    flat = rng.integers(0, 240, (count, 8, 8, 4), dtype=np.uint8).repeat(size // 8, 1)
    flat = flat.repeat(size // 8, 2)
    return flat + rng.integers(0, 3, flat.shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("size", "rows", "side"), [(16, 4, 32), (64, 4, 128), (256, 4, 256), (384, 2, 384)]
)
def test_a_sheet_of_16_pairs_stays_small(tmp_path, size, rows, side):
    real, drawn = pictures(16, size), pictures(16, size)
    save_pairs(tmp_path / "samples.png", real, drawn)
    with Image.open(tmp_path / "samples.png") as sheet:
        assert sheet.size == (4 * (2 * side + 12) + 12, rows * (side + 12) + 12)
    assert (tmp_path / "samples.png").stat().st_size < 2_000_000


def test_all_pairs_if_wanted(tmp_path):
    save_pairs(tmp_path / "pairs.png", pictures(10, 256), pictures(10, 256), max_pixels=None)
    with Image.open(tmp_path / "pairs.png") as sheet:
        assert sheet.height == 3 * (256 + 12) + 12
    save_pairs(tmp_path / "one.png", pictures(5, 256), pictures(5, 256), max_pixels=1)
    with Image.open(tmp_path / "one.png") as sheet:
        assert sheet.height == 256 + 2 * 12
