import numpy as np
import pytest
import torch

from avatar_model import Vocabulary
from avatar_model.attributes import ATTRIBUTES, NAMES, SIZES
from tests.tiny import TINY_MODEL
from train.data import explained_variance
from train.data.dataset import PackedSet, open_dataset
from train.loop.config import TrainConfig
from train.loop.pixel_weights import attribute_weights
from train.loop.trainer import Trainer

FACE, BROW = NAMES.index("face_color"), NAMES.index("eyebrow_weight")
LARGE, SMALL, EMPTY = np.s_[2:10, 2:10], np.s_[12:14, 12:13], np.s_[0, :]
"""64 pixels that the face's colour decides, 2 that a brow does, and a margin where nothing is."""


def pictures(count, noise=0):
    """Everything is known of these: where each of two attributes is seen, and that no other is."""
    rng = np.random.default_rng(0)
    attributes = np.stack([rng.integers(0, size, count) for size in SIZES], axis=1)
    images = np.full((count, 16, 16, 4), 128, dtype=np.uint8)
    for part, column in ((LARGE, FACE), (SMALL, BROW)):
        values = attributes[:, column] / (SIZES[column] - 1)
        images[(slice(None), *part)] = (50 + 150 * values)[:, None, None, None]
    if noise:
        images[(slice(None), *LARGE)] += rng.integers(0, noise, (count, 8, 8, 4), dtype=np.uint8)
    vocabulary = Vocabulary.numbered({a.name: [count] * a.num_values for a in ATTRIBUTES})
    return PackedSet(
        images, attributes.astype(np.uint8), [str(i) for i in range(count)], vocabulary
    )


def variance(data, part):
    """Of what is seen there, summed over its pixels."""
    return data.images[(slice(None), *part)].astype(float).var(axis=0).sum()


def test_what_few_pixels_decide_counts_as_much_as_what_many_do():
    data = pictures(600)
    weights = attribute_weights(data, np.arange(600)).numpy()
    assert weights.shape == (16, 16) and weights.mean() == pytest.approx(1)
    ratio = weights[SMALL].mean() / weights[LARGE].mean()
    # A little less, as a third, even part makes the weights of all pixels alike.
    assert 0.7 < ratio * variance(data, SMALL) / variance(data, LARGE) < 1.05
    assert np.ptp(weights[EMPTY]) == 0 and 0 < weights[EMPTY][0] < weights[SMALL].min()


def test_an_attribute_that_is_not_seen_gets_no_pixels_by_chance():
    """Hair has 111 values, and their means differ by the noise alone."""
    data = pictures(600, noise=50)
    explained = explained_variance.explained_variance(data, np.arange(600))
    assert [*explained.sum(dim=(1, 2)).nonzero().flatten()] == [BROW, FACE]
    assert (explained[FACE][LARGE] > 0).all() and explained[FACE].count_nonzero() == 64


def test_large_pictures_are_weighed_on_a_coarser_grid(monkeypatch):
    monkeypatch.setattr(explained_variance, "GRID", 8)
    weights = attribute_weights(pictures(600), np.arange(600))
    assert weights.shape == (16, 16) and weights.mean().item() == pytest.approx(1)
    highest = np.unravel_index(weights.argmax().item(), weights.shape)
    assert 11 <= highest[0] <= 14 and 11 <= highest[1] <= 14


def test_many_images_are_looked_at_in_part(monkeypatch):
    monkeypatch.setattr(explained_variance, "MAX_IMAGES", 100)
    data = pictures(600)
    few = attribute_weights(data, np.arange(600))
    assert torch.equal(few, attribute_weights(data, np.arange(0, 600, 6)))


def test_pictures_that_are_all_the_same_weigh_the_same():
    data = pictures(20)
    data.images[:] = 7
    assert torch.equal(attribute_weights(data, np.arange(20)), torch.ones(16, 16))


def test_the_trainer_weighs_by_the_balance(cache, tmp_path):
    data = open_dataset("drawn:100", TINY_MODEL.image_size, cache)
    weights = attribute_weights(data, data.split("train"))

    def trained(balance):
        config = TrainConfig(
            data="drawn:100",
            run=tmp_path / str(balance),
            steps=2,
            batch_size=4,
            device="cpu",
            attribute_balance=balance,
            model=TINY_MODEL,
        )
        trainer = Trainer(config, data)
        trainer.train()
        return trainer

    plain, half = trained(0.0), trained(0.5)
    assert plain.pixel_weights is None
    assert torch.allclose(half.pixel_weights, (1 + weights) / 2)
    a, b = (t.state.network.state_dict() for t in (plain, half))
    assert not all(torch.equal(a[name], b[name]) for name in a)
