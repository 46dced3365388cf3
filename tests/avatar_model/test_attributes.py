import numpy as np
import pytest

from avatar_model.attributes import (
    ANY,
    ATTRIBUTES,
    NAMES,
    OFFSETS,
    ONE_HOT_SIZE,
    Vocabulary,
    VocabularyError,
    one_hot,
    to_row,
)


@pytest.fixture
def vocabulary():
    counts = {a.name: [1] * a.num_values for a in ATTRIBUTES}
    counts["face_shape"] = [5, 0, 3, 2, 0, 0, 0]
    return Vocabulary.from_options({"hair_color": ["fair", "gold", *"abcdefgh"]}, counts)


def test_there_are_18_attributes_with_217_values():
    assert len(ATTRIBUTES) == 18
    assert ONE_HOT_SIZE == 217


def test_one_hot_has_a_one_per_given_attribute_and_zeros_for_any():
    rows = np.stack([to_row({}), to_row({"hair": 110, "eye_angle": 0})])
    encoded = one_hot(rows)
    assert encoded.shape == (2, 217)
    assert not encoded[0].any()
    assert set(np.flatnonzero(encoded[1])) == {0, OFFSETS[NAMES.index("hair")] + 110}


@pytest.mark.parametrize("value", [1, 1.0, "1", " 1 ", "gold", "Gold", np.int64(1)])
def test_a_value_may_be_a_number_or_a_label(vocabulary, value):
    assert vocabulary.parse({"hair_color": value})["hair_color"] == 1


@pytest.mark.parametrize("value", [None, "Any", "any", ANY, "-1"])
def test_any_may_be_written_in_many_ways(vocabulary, value):
    assert vocabulary.parse({"hair_color": value})["hair_color"] == ANY


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hare": 1}, "unknown attribute 'hare'; did you mean 'hair'"),
        ({"hair": 111}, "hair 111 is out of range; it has values 0..110"),
        ({"hair": -2}, "hair -2 is out of range"),
        ({"hair_color": "golden"}, "hair_color has no value 'golden'; did you mean 'gold'"),
        ({"hair": "--5"}, "hair has no value '--5'"),
        ({"hair": 1.5}, "hair must be a whole number, not 1.5"),
        ({"hair": float("nan")}, "hair must be a whole number, not nan"),
        ({"hair": float("inf")}, "hair must be a whole number, not inf"),
        ({"hair": True}, "hair must be a number, a label or 'Any', not True"),
        ({"hair": [3]}, "hair must be a number, a label or 'Any'"),
        ({"face_shape": 1}, "face_shape 1 .* never occurred .* it knows 0, 2, 3"),
    ],
)
def test_bad_values_are_named(vocabulary, values, message):
    with pytest.raises(VocabularyError, match=message):
        vocabulary.parse(values)


def test_only_values_that_occurred_are_offered(vocabulary):
    assert [value for _, value in vocabulary.offered("face_shape")] == [0, 2, 3]


def test_any_is_drawn_by_frequency(vocabulary):
    rng = np.random.default_rng(0)
    drawn = [vocabulary.sample({}, rng)["face_shape"] for _ in range(2000)]
    share = np.bincount(drawn, minlength=7) / 2000
    assert np.allclose(share, [0.5, 0, 0.3, 0.2, 0, 0, 0], atol=0.05)


def test_fixing_one_attribute_keeps_the_draws_of_the_others(vocabulary):
    free = vocabulary.sample({}, np.random.default_rng(3))
    fixed = vocabulary.sample({"hair": 5}, np.random.default_rng(3))
    assert fixed == {**free, "hair": 5}


def test_vocabulary_survives_json(vocabulary):
    assert Vocabulary.from_dict(vocabulary.to_dict()) == vocabulary


def test_duplicate_labels_are_made_unique():
    options = {"eye_lid": ["open", "Open"], "eye_lashes": ["any", "many"]}
    labels = Vocabulary.from_options(options).labels
    assert labels["eye_lid"] == ("open (0)", "Open (1)")
    assert labels["eye_lashes"] == ("any (0)", "many")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"hat": ["x"]}, "unknown attribute 'hat'"), ({"eye_lid": ["open"]}, "eye_lid has 1 labels")],
)
def test_options_that_do_not_fit_are_named(options, message):
    with pytest.raises(VocabularyError, match=message):
        Vocabulary.from_options(options)
