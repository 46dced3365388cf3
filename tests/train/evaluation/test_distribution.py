import json

import numpy as np
import pytest
import scipy.linalg

from train.evaluation.distribution import (
    compare_distributions,
    density_coverage,
    frechet_distance,
    kernel_distance,
)


def normal(count, size, seed):
    return np.random.default_rng(seed).normal(size=(count, size))


def standardised(count, size, seed):
    """A sample whose mean is 0 and whose covariance is 1, up to rounding."""
    x = normal(count, size, seed)
    return np.linalg.qr(x - x.mean(0))[0] * np.sqrt(count - 1)


# The Frechet distance


def test_frechet_of_known_gaussians():
    a = standardised(100, 3, 0) * (1, 2, 3)
    b = standardised(70, 3, 1) * (1, 1, 5) + (2, 0, -1)
    assert frechet_distance(a, b) == pytest.approx((2**2 + 1**2) + (0 + 1 + 2**2))


def test_frechet_is_the_formula_with_a_matrix_root():
    mix = normal(4, 4, 2)
    a, b = normal(50, 4, 0), normal(60, 4, 1) @ mix
    covariances = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(sum(covariances) - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(200, 5), (20, 50)])
def test_frechet_of_equal_samples_is_0(shape):
    a = 100 * normal(*shape, 0) + 1000
    assert frechet_distance(a, a) == 0
    assert frechet_distance(a, a[::-1]) == pytest.approx(0, abs=1e-8)


# The kernel distance


def test_kernel_distance_by_hand():
    a, b = normal(4, 3, 0), normal(5, 3, 1)

    def kernel(x, y):
        return (x @ y / 3 + 1) ** 3

    inner = [
        np.mean([kernel(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j])
        for x in (a, b)
    ]
    across = np.mean([kernel(x, y) for x in a for y in b])
    assert kernel_distance(a, b) == pytest.approx(sum(inner) - 2 * across)
    # With as many rows in both, row i is not compared with row i.
    b = b[:4]
    inner[1] = np.mean([kernel(b[i], b[j]) for i in range(4) for j in range(4) if i != j])
    across = np.mean([kernel(a[i], b[j]) for i in range(4) for j in range(4) if i != j])
    assert kernel_distance(a, b) == pytest.approx(sum(inner) - 2 * across)


def test_kernel_distance_of_equal_rows_is_0():
    a = normal(30, 3, 0)
    assert kernel_distance(a, a) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("counts", [(20, 20), (20, 15)])
def test_kernel_distance_is_unbiased(counts):
    found = [
        kernel_distance(normal(counts[0], 2, 2 * i), normal(counts[1], 2, 2 * i + 1))
        for i in range(400)
    ]
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 3 * error
    assert min(found) < 0


# Density and coverage


def test_density_and_coverage_by_hand():
    real = np.array([[0.0], [1.0], [3.0], [10.0]])
    # Balls to the nearest neighbour: 0 +- 1, 1 +- 1, 3 +- 2, 10 +- 7.
    generated = np.array([[0.5], [0.5], [4.0], [50.0]])
    # The balls hold 2, 2, 1 and (3 < 4 < 17) 1 generated samples.
    assert density_coverage(real, generated, k=1) == (6 / 4, 1.0)
    assert density_coverage(real, generated[[3, 3]], k=1) == (0, 0)


def test_density_and_coverage_of_a_copy_are_1():
    real = normal(80, 16, 0)
    assert density_coverage(real, real) == (1, 1)


def test_coverage_falls_with_the_modes_that_are_missing():
    real = np.concatenate([normal(100, 4, 0), normal(100, 4, 1) + 50])
    density, coverage = density_coverage(real, normal(200, 4, 2))
    assert density == pytest.approx(1, abs=0.25)
    assert 0.45 < coverage <= 0.5


def test_coverage_of_independent_samples_is_as_in_lemma_2():
    found = [density_coverage(normal(60, 3, 2 * i), normal(60, 3, 2 * i + 1)) for i in range(40)]
    missed = np.prod([(60 - j) / (120 - j) for j in range(1, 6)])
    assert np.mean(found, axis=0) == pytest.approx([1, 1 - missed], abs=0.03)


@pytest.mark.parametrize("k", [0, 10])
def test_neighbours_that_do_not_exist(k):
    with pytest.raises(ValueError, match=r"1\.\.9 work"):
        density_coverage(normal(10, 2, 0), normal(10, 2, 1), k)


@pytest.mark.parametrize("metric", [frechet_distance, kernel_distance, density_coverage])
def test_what_is_no_pair_of_samples_is_refused(metric):
    good = normal(10, 3, 0)
    with pytest.raises(ValueError, match=r"\[10, 3\] and \[10, 2\]"):
        metric(good, good[:, :2])
    with pytest.raises(ValueError, match="too few"):
        metric(good, good[:1])
    with pytest.raises(ValueError, match="not finite"):
        metric(good, np.full_like(good, np.nan))


# The report


def test_two_samples_of_one_distribution():
    report = compare_distributions(normal(128, 40, 0), normal(128, 40, 1), normal(1000, 40, 2))
    frechet, kernel = report["frechet"], report["kernel"]
    for metric in (frechet, kernel):
        for interval in (metric["interval"], metric["floor_interval"]):
            assert interval[0] < 0 < interval[1]
    # What is reported would not be 0 without the correction.
    assert frechet["uncorrected"] > 5 > frechet["interval"][1]
    assert report["density"]["value"] == pytest.approx(report["density"]["floor"], abs=0.2)
    assert report["count"] == frechet["count"] == 128 and report["components"] == 40


def test_an_exact_copy_is_perfect():
    real = normal(128, 40, 0)
    report = compare_distributions(real, real, normal(1000, 40, 2), components=20)
    for name, value in (("frechet", 0), ("kernel", 0), ("density", 1), ("coverage", 1)):
        assert report[name]["value"] == value, name
    assert report["frechet"]["interval"] == [0, 0]
    # Every one of 128 balls was reached; the true share may still be lower.
    assert report["coverage"]["interval"] == pytest.approx([0.971, 1], abs=0.001)


def test_a_constant_generator_covers_nothing():
    real = normal(128, 16, 0)
    report = compare_distributions(real, np.repeat(real[:1], 128, 0), normal(1000, 16, 2))
    assert report["coverage"]["value"] < 0.1 < 0.9 < report["coverage"]["floor"]
    assert report["coverage"]["interval"][1] < 0.2
    assert report["frechet"]["interval"][0] > report["frechet"]["floor_interval"][1]
    assert report["kernel"]["interval"][0] > report["kernel"]["floor_interval"][1]


@pytest.mark.parametrize("likeness", [0.0, 0.95])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(likeness):
    """25 experiments with generated samples off by 1, independent or showing the same people."""
    truth, hits, values = 1.0, 0, []
    other = normal(3000, 4, 10_000)
    for i in range(25):
        real = normal(60, 4, 2 * i)
        generated = likeness * real + np.sqrt(1 - likeness**2) * normal(60, 4, 2 * i + 1)
        generated[:, 0] += np.sqrt(truth)
        frechet = compare_distributions(real, generated, other)["frechet"]
        values.append(frechet["value"])
        hits += frechet["interval"][0] <= truth <= frechet["interval"][1]
    assert hits >= 22
    # Nor is it vast: four deviations of the estimates themselves wide, and some for caution.
    assert np.subtract(*frechet["interval"][::-1]) < 8 * np.std(values)
    assert np.mean(values) == pytest.approx(truth, abs=3 * np.std(values) / 5)


def test_units_and_axes_of_the_features_do_not_matter():
    x, y, other = normal(100, 8, 0) * 3, normal(100, 8, 1), normal(1000, 8, 2)
    turned = np.linalg.qr(normal(8, 8, 3))[0]
    plain = compare_distributions(x, y, other, components=8)
    moved = compare_distributions(*(1000 * f @ turned + 7 for f in (x, y, other)), components=8)
    for name in ("frechet", "kernel", "density", "coverage"):
        assert moved[name]["value"] == pytest.approx(plain[name]["value"], rel=1e-6), name


def test_what_no_real_image_has_shows_in_the_kept_variance():
    spread = np.array([3.0] * 8 + [0.1] * 8)
    real, generated, other = (normal(n, 16, i) * spread for i, n in enumerate((100, 100, 1000)))
    generated[:, 12:] += 5
    kept = compare_distributions(real, generated, other, components=8)["kept_variance"]
    assert kept["real"] > 0.99 and kept["floor"] > 0.99
    assert kept["drawn"] < 0.6


def test_a_report_is_plain_json_and_always_the_same():
    features = normal(60, 6, 0), normal(60, 6, 1), normal(300, 6, 2)
    report = compare_distributions(*features)
    text = json.dumps(report, allow_nan=False)
    assert json.loads(text) == report
    assert compare_distributions(*features) == report
    other_lots = compare_distributions(*features, seed=1)
    assert other_lots["frechet"]["floor"] != report["frechet"]["floor"]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((40, 40, 900), "40 images are too few for 20 components; needs 50"),
        ((60, 50, 900), "50 drawn and 60 real"),
        ((60, 60, 100), "100 other real images are too few; needs 110"),
    ],
)
def test_too_few_images_are_refused(counts, message):
    features = [normal(n, 20, i) for i, n in enumerate(counts)]
    with pytest.raises(ValueError, match=message):
        compare_distributions(*features)


def test_too_few_images_for_the_components():
    features = [normal(n, 64, i) for i, n in enumerate((100, 100, 900))]
    with pytest.raises(ValueError, match="100 images are too few for 64 components; needs 128"):
        compare_distributions(*features)
    assert compare_distributions(*features, components=30)["components"] == 30


def test_features_that_say_nothing():
    features = [np.ones((n, 4)) for n in (60, 60, 300)]
    with pytest.raises(ValueError, match="equal"):
        compare_distributions(*features)
