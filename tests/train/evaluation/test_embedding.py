import numpy as np
import pytest

from train.evaluation.embedding import shape_and_colour

EDGES = 1764


def plain(colour, size=16):
    """One opaque picture of one colour."""
    return np.full((1, size, size, 4), (*colour, 255), dtype=np.uint8)


def distance(a, b, part=slice(None)):
    difference = shape_and_colour(a)[:, part] - shape_and_colour(b)[:, part]
    return float(np.sqrt((difference**2).sum(axis=1)).mean())


@pytest.mark.parametrize("size", [16, 32, 64])
def test_any_size_gives_the_same_numbers_in_the_same_range(size):
    rng = np.random.default_rng(0)
    found = shape_and_colour(rng.integers(0, 256, (3, size, size, 4), dtype=np.uint8))
    assert found.shape == (3, 1956) and found.dtype == np.float32
    assert np.isfinite(found).all()
    assert found[:, :EDGES].min() >= 0 and found[:, :EDGES].max() <= 1 / 7


def test_a_larger_picture_of_the_same_looks_the_same():
    quarters = np.zeros((1, 16, 16, 4), dtype=np.uint8)
    quarters[0, :8, :8] = 200, 60, 20, 255
    large = quarters.repeat(4, axis=1).repeat(4, axis=2)
    assert distance(quarters, large, slice(EDGES, None)) == pytest.approx(0, abs=1e-6)


def test_pictures_are_seen_on_white():
    assert distance(np.zeros((1, 16, 16, 4), dtype=np.uint8), plain((255, 255, 255))) == 0


def test_the_thumbnail_is_cielab():
    colours = shape_and_colour(plain((255, 0, 0)))[0, EDGES:].reshape(8, 8, 3)
    # sRGB red is L* 53.24, a* 80.09, b* 67.20; in hundredths, times the weight, over 8.
    assert colours[3, 5] == pytest.approx(np.array([0.5324, 0.8009, 0.6720]) * 2.65 / 8, abs=1e-4)


def test_each_part_sees_its_own():
    upright, lying = np.zeros((2, 1, 16, 16, 4), dtype=np.uint8)
    upright[:, :, 8:], lying[:, 8:] = 255, 255
    upright[..., 3] = lying[..., 3] = 255
    assert distance(upright, lying, slice(EDGES)) > 0.3
    # Another colour of the same lightness has the same edges, namely none.
    green, violet = plain((0, 128, 0)), plain((138, 94, 210))
    assert distance(green, violet, slice(EDGES)) == 0
    assert distance(green, violet, slice(EDGES, None)) > 0.5


def test_faint_noise_on_a_flat_colour_is_no_texture():
    rng = np.random.default_rng(0)
    cheek = plain((238, 175, 100), size=64)
    grain = rng.integers(-1, 2, cheek.shape)
    grain[..., 3] = 0
    faint = (cheek + grain).astype(np.uint8)
    strong = (cheek + 17 * grain).clip(0, 255).astype(np.uint8)
    # Plain HOG normalises both to unit length.
    assert distance(cheek, faint, slice(EDGES)) < 0.25
    assert distance(cheek, strong, slice(EDGES)) > 0.8


def test_neither_part_dominates(drawn):
    variance = shape_and_colour(drawn.images).var(axis=0)
    edges, colours = variance[:EDGES].sum(), variance[EDGES:].sum()
    assert 1 / 4 < edges / colours < 4


def test_many_pictures_are_many_single_ones():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 16, 16, 4), dtype=np.uint8)
    together = shape_and_colour(images)
    for row in (0, 255, 256, 299):
        np.testing.assert_allclose(together[row], shape_and_colour(images[row : row + 1])[0])
    assert shape_and_colour(images[:0]).shape == (0, 1956)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 16, 16, 4), dtype=np.float32),
        np.zeros((2, 16, 16, 3), dtype=np.uint8),
        np.zeros((16, 16, 4), dtype=np.uint8),
        np.zeros((2, 16, 32, 4), dtype=np.uint8),
        np.zeros((2, 20, 20, 4), dtype=np.uint8),
        np.zeros((2, 8, 8, 4), dtype=np.uint8),
    ],
)
def test_other_pictures_are_refused(images):
    with pytest.raises(ValueError, match="needs"):
        shape_and_colour(images)
