"""Errors of pairs whose errors are known."""

import math

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from avatar_model.images import on_white
from train.evaluation.paired import PairedErrors, paired_errors, summarize


@pytest.fixture
def real():
    """Six opaque discs of noise on nothing, uint8 [6, 24, 24, 4]."""
    y, x = np.mgrid[:24, :24] - 11.5
    alpha = np.where(x**2 + y**2 < 100, 255, 0).astype(np.uint8)
    colour = np.random.default_rng(0).integers(60, 200, size=(6, 24, 24, 3), dtype=np.uint8)
    alpha = np.broadcast_to(alpha[..., None], (6, 24, 24, 1))
    return np.concatenate([np.where(alpha == 0, 0, colour), alpha], axis=-1)


@pytest.fixture
def regions(real):
    """The left and the right half of the disc; the first image has no right half."""
    inside = real[..., 3] == 255
    left = np.arange(24) < 12
    right = inside & ~left
    right[0] = False
    return {"left": inside & left, "right": right}


def test_a_perfect_copy(real, regions):
    errors = paired_errors(real.copy(), real, regions)
    assert (errors.psnr == math.inf).all()
    assert (errors.ssim == 1).all() and (errors.alpha_iou == 1).all()
    assert (errors.colour["left"] == 0).all()
    assert math.isnan(errors.colour["right"][0]) and (errors.colour["right"][1:] == 0).all()
    for values in (errors.psnr, errors.ssim, errors.alpha_iou, *errors.colour.values()):
        assert values.dtype == np.float64 and values.shape == (6,)


def test_a_uniform_shift(real, regions):
    generated = real.copy()
    generated[..., :3] += np.where(real[..., 3:] == 255, 10, 0).astype(np.uint8)
    errors = paired_errors(generated, real, regions)
    share = (real[0, ..., 3] == 255).mean()  # the paper outside is right
    np.testing.assert_allclose(errors.psnr, 10 * np.log10(255**2 / (100 * share)))
    assert (errors.alpha_iou == 1).all()
    assert (errors.ssim > 0.98).all() and (errors.ssim < 1).all()
    assert (errors.colour["left"] > 1).all() and (errors.colour["left"] < 6).all()


def test_what_counts_is_how_it_looks_on_white(real):
    generated = real.copy()
    generated[..., :3][real[..., 3] == 0] = 99  # colour of nothing; premultiplied it cannot be seen
    assert (paired_errors(generated, real, {}).psnr == math.inf).all()


def test_colour_errors_stay_in_their_region(real, regions):
    generated = real.copy()
    generated[regions["left"]] = (255, 255, 255, 255)
    errors = paired_errors(generated, real, regions)
    assert (errors.colour["left"] > 20).all()
    assert math.isnan(errors.colour["right"][0]) and (errors.colour["right"][1:] == 0).all()


def test_a_known_colour_difference(real, regions):
    # Grey of lightness 50 and 60: lightness alone differs, and CIEDE2000's weight for it is known.
    truth, generated = real.copy(), real.copy()
    truth[..., :3][real[..., 3] == 255] = 119
    generated[..., :3][real[..., 3] == 255] = 145
    errors = paired_errors(generated, truth, regions)
    lightness = [116 * (((v / 255 + 0.055) / 1.055) ** 2.4) ** (1 / 3) - 16 for v in (119, 145)]
    off = (sum(lightness) / 2 - 50) ** 2
    weight = 1 + 0.015 * off / math.sqrt(20 + off)
    expected = (lightness[1] - lightness[0]) / weight
    np.testing.assert_allclose(errors.colour["left"], expected, atol=1e-3)


def test_alpha_iou(real):
    generated = real.copy()
    generated[:, :, 12:] = 0
    generated[1] = 0
    generated[2] = real[2]
    generated[2, 0, 0] = (127, 127, 127, 127)  # not yet part of the figure
    empty = real.copy()
    empty[3] = generated[3] = 0
    errors = paired_errors(generated, empty, {})
    np.testing.assert_allclose(errors.alpha_iou, [0.5, 0, 1, 1, 0.5, 0.5])


def test_ssim_is_that_of_wang_et_al(real):
    generated = np.roll(real, 1, axis=2)
    errors = paired_errors(generated, real, {})
    a, b = on_white(generated)[0].astype(float), on_white(real)[0].astype(float)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    channels = [
        structural_similarity(a[..., c], b[..., c], data_range=255, **options) for c in range(3)
    ]
    assert errors.ssim[0] == pytest.approx(np.mean(channels)) and errors.ssim[0] < 0.6


def test_shapes_that_differ_are_refused(real, regions):
    with pytest.raises(ValueError, match=r"\(6, 24, 12, 4\) and \(6, 24, 24, 4\)"):
        paired_errors(real[:, :, ::2], real, {})
    with pytest.raises(ValueError, match=r"left has shape \(5, 24, 24\).*\(6, 24, 24, 4\)"):
        paired_errors(real, real, {"left": regions["left"][1:]})


def errors_of(values, colour):
    values = np.asarray(values, dtype=np.float64)
    return PairedErrors(values, values, values, {"hair": np.asarray(colour, dtype=np.float64)})


def test_the_summary_takes_the_bad_end_of_each_measure():
    summary = summarize(errors_of(np.arange(101.0), [*range(100), math.nan]))
    assert summary["psnr"]["mean"] == 50 and summary["psnr"]["count"] == 101
    assert summary["psnr"]["bad_5th_percentile"] == 5
    low, high = summary["psnr"]["interval"]
    spread = 1.96 * np.arange(101).std() / math.sqrt(101)
    assert low == pytest.approx(50 - spread, abs=1) and high == pytest.approx(50 + spread, abs=1)
    assert summary["colour_hair"]["mean"] == 49.5 and summary["colour_hair"]["count"] == 100
    assert summary["colour_hair"]["bad_5th_percentile"] == 95
    again = summarize(errors_of(np.arange(101.0), [*range(100), math.nan]))
    assert again == summary


def test_the_summary_of_perfect_copies_and_of_nothing():
    summary = summarize(errors_of([math.inf, 30.0, math.inf], [math.nan] * 3))
    psnr = summary["psnr"]
    assert psnr["mean"] == math.inf and psnr["interval"] == [math.inf, math.inf]
    assert psnr["bad_5th_percentile"] == 30
    assert summary["colour_hair"] == {
        "mean": None,
        "interval": [None, None],
        "bad_5th_percentile": None,
        "count": 0,
    }
    one = summarize(errors_of([30.0], [1.0]))["psnr"]
    assert one["mean"] == 30 and one["interval"] == [30, 30]
