import json

import numpy as np
import pytest

from avatar_model.images import on_white
from train.evaluation import memorisation as module
from train.evaluation.memorisation import Memorisation, memorisation, summarize


def opaque(rng, count):
    images = rng.integers(0, 256, (count, 8, 8, 4), dtype=np.uint8)
    images[..., 3] = 255
    return images


@pytest.fixture
def world():
    """True images of unseen people, and the training images."""
    rng = np.random.default_rng(0)
    return opaque(rng, 20), opaque(rng, 50)


def test_distances_are_those_of_a_plain_search(world, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 7)  # 50 rows are eight chunks, the last one short
    rng = np.random.default_rng(1)
    truth, train = world
    generated = rng.integers(0, 256, truth.shape, dtype=np.uint8)  # transparent here and there
    found = memorisation(generated, truth, train)

    def rmse(a, b):
        return np.sqrt(((on_white(a).astype(float) - on_white(b)) ** 2).mean())

    for i in range(len(truth)):
        to_train = [rmse(generated[i], t) for t in train]
        assert found.to_truth[i] == pytest.approx(rmse(generated[i], truth[i]))
        assert found.to_train[i] == pytest.approx(min(to_train))
        assert found.nearest[i] == np.argmin(to_train)
        assert found.true_to_train[i] == pytest.approx(min(rmse(truth[i], t) for t in train))


def test_one_level_of_one_pixel_is_not_lost_in_rounding():
    train = np.full((3, 64, 64, 4), 255, dtype=np.uint8)
    generated, truth = train[:1].copy(), train[:1].copy()
    generated[0, 5, 5, 1] -= 1
    truth[0, 5, 5, 1] -= 2
    found = memorisation(generated, truth, train)
    assert found.to_train[0] == pytest.approx(np.sqrt(1 / (64 * 64 * 3)), rel=1e-12)
    assert found.true_to_train[0] == pytest.approx(2 * found.to_train[0], rel=1e-12)
    assert found.ratio[0] == pytest.approx(1)
    assert found.nearest[0] == 0  # the first of several equal ones


def test_a_perfect_copy_of_the_truth(world):
    truth, train = world
    found = memorisation(truth, truth, train)
    assert (found.ratio == 0).all()
    np.testing.assert_array_equal(found.to_train, found.true_to_train)
    summary = summarize(found)
    assert summary["nearer_to_truth"] == 1 and summary["near_copies"] == 0
    assert summary["median_ratio"] == summary["ratio_95th_percentile"] == 0
    # Wilson's interval for 20 of 20.
    assert summary["interval"] == pytest.approx([0.8389, 1], abs=1e-4)


def test_a_memoriser_is_caught(world):
    truth, train = world
    nearest = memorisation(truth, truth, train).nearest
    found = memorisation(train[nearest], truth, train)
    assert np.isinf(found.ratio).all()
    np.testing.assert_array_equal(found.nearest, nearest)
    summary = summarize(found)
    assert summary["nearer_to_truth"] == 0 and summary["near_copies"] == 1
    assert summary["interval"][1] == pytest.approx(0.1611, abs=1e-4)
    assert summary["median_ratio"] is None and summary["median_to_train"] == 0
    json.dumps(summary, allow_nan=False)


def test_a_memoriser_that_draws_badly_is_caught_too(world):
    truth, train = world
    nearest = memorisation(truth, truth, train).nearest
    blotched = train[nearest] ^ np.array([16, 16, 16, 0], dtype=np.uint8)
    found = memorisation(blotched, truth, train)
    assert (found.ratio > 1).all() and np.isfinite(found.ratio).all()
    assert summarize(found)["near_copies"] == 1


def test_a_blurred_truth_is_no_copy(world):
    """Far from the truth, but no nearer to a training image than the truth itself is."""
    truth, train = world
    blurred = ((truth.astype(int) + 255) // 2).astype(np.uint8)
    blurred[..., 3] = 255
    assert summarize(memorisation(blurred, truth, train))["near_copies"] == 0


def test_a_truth_that_is_a_training_image_decides_nothing(world):
    truth, train = world
    truth = np.concatenate([truth[:2], train[[7]]])
    generated = np.concatenate([truth[:1], train[[3]], train[[7]]])
    found = memorisation(generated, truth, train)
    assert found.decidable.tolist() == [True, True, False]
    assert found.ratio[0] == 0 and np.isinf(found.ratio[1]) and np.isnan(found.ratio[2])
    summary = summarize(found)
    assert summary["count"] == 2 and summary["undecidable"] == 1
    assert summary["nearer_to_truth"] == summary["near_copies"] == 0.5
    assert summary["median_ratio"] == 0 and summary["ratio_95th_percentile"] is None


def test_nothing_decidable_is_not_a_result(world):
    _, train = world
    summary = summarize(memorisation(train[:3], train[:3], train))
    assert summary.pop("count") == 0 and summary.pop("undecidable") == 3
    assert set(summary.values()) == {None}


def test_a_tie_is_not_nearer_to_the_truth():
    one, two = np.ones(1), np.full(1, 2.0)
    tie = Memorisation(one, one, np.zeros(1, dtype=np.int64), two)
    assert summarize(tie)["nearer_to_truth"] == 0
    assert summarize(tie)["near_copies"] == 0


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (((2, 8, 8, 4), (3, 8, 8, 4), (5, 8, 8, 4)), "do not fit"),
        (((2, 8, 8, 4), (2, 8, 8, 4), (5, 16, 16, 4)), "do not fit"),
        (((2, 8, 8, 4), (2, 8, 8, 4), (0, 8, 8, 4)), "train_images is .* needs"),
        (((2, 8, 8, 3), (2, 8, 8, 3), (5, 8, 8, 3)), "generated is .* needs"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays, message):
    with pytest.raises(ValueError, match=message):
        memorisation(*(np.zeros(shape, dtype=np.uint8) for shape in arrays))


def test_other_types_are_refused(world):
    truth, train = world
    with pytest.raises(ValueError, match="generated is float64"):
        memorisation(truth / 255, truth, train)
