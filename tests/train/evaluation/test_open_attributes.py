import numpy as np

from avatar_model.attributes import ATTRIBUTES, NAMES, SIZES, Vocabulary
from train.evaluation.open_attributes import distance_from_frequencies

VOCABULARY = Vocabulary.numbered({a.name: range(1, a.num_values + 1) for a in ATTRIBUTES})
EVERYTHING = np.ones((2000, 18), dtype=bool)


def sample(rng, count=2000):
    columns = [
        rng.choice(size, count, p=np.arange(1, size + 1) / np.arange(1, size + 1).sum())
        for size in SIZES
    ]
    return np.stack(columns, 1)


def test_a_sample_of_the_data_is_at_the_floor_and_a_habit_is_seen():
    rng = np.random.default_rng(0)
    fair = sample(rng)
    found = distance_from_frequencies(fair, EVERYTHING, VOCABULARY)
    assert abs(found["total_variation"] - found["floor"]) < 0.1 * found["floor"]
    assert found["unlike_data"] == []
    fair[:300, NAMES.index("glasses")] = 3
    found = distance_from_frequencies(fair, EVERYTHING, VOCABULARY)
    assert found["unlike_data"] == ["glasses"]


def test_only_what_counts_is_counted():
    rng = np.random.default_rng(0)
    read = sample(rng)
    read[:1000] = 0
    counted = EVERYTHING.copy()
    counted[:1000] = False
    assert distance_from_frequencies(read, counted, VOCABULARY)["unlike_data"] == []
    nothing = distance_from_frequencies(read, np.zeros_like(counted), VOCABULARY)
    assert nothing == {"total_variation": None, "floor": None, "unlike_data": []}
