"""The values of a data set are those of a model, or it is said which are not."""

import numpy as np
import pytest

from avatar_model.attributes import ATTRIBUTES, NAMES, SIZES, Vocabulary
from train.data.dataset import PackedSet
from train.data.errors import DatasetError
from train.data.labels import fit_to

EYES = {"eye_lid": ["open", "half"], "eye_angle": ["down", "level", "up"]}


def packed(vocabulary: Vocabulary) -> PackedSet:
    rows = np.random.default_rng(0).integers(0, SIZES, size=(200, 18)).astype(np.uint8)
    return PackedSet(np.zeros((200, 1, 1, 4), np.uint8), rows, ["x"] * 200, vocabulary)


def counted(options: dict[str, list[str]], **without: int) -> Vocabulary:
    """With these labels, and without one value of some attributes."""
    counts = {
        name: [int(v != gone) for v in range(dict(zip(NAMES, SIZES, strict=True))[name])]
        for name, gone in without.items()
    }
    return Vocabulary.from_options(options, counts)


def test_values_without_labels_have_those_of_the_model(caplog):
    data = packed(counted({}, hair=3))
    fitted = fit_to(data, {"model": Vocabulary.from_options(EYES)})
    assert fitted.vocabulary.labels == Vocabulary.from_options(EYES).labels
    assert fitted.vocabulary.counts == data.vocabulary.counts
    assert fitted.images is data.images and fitted.attributes is data.attributes
    [said] = caplog.messages
    assert said.startswith("the data set has no labels of eye_angle, eye_lid (options.json): value")
    caplog.clear()
    assert fit_to(fitted, {"model": Vocabulary.from_options(EYES)}).vocabulary == fitted.vocabulary
    assert not caplog.messages, "said once"


def test_a_model_without_labels_takes_those_of_the_data(caplog):
    data = packed(Vocabulary.from_options(EYES))
    assert fit_to(data, {"model": Vocabulary.numbered()}).vocabulary == data.vocabulary
    assert not caplog.messages


def test_each_attribute_is_matched_on_its_own():
    lid, angle = ({name: EYES[name]} for name in EYES)
    data = packed(Vocabulary.from_options(lid))
    models = {"model": Vocabulary.from_options(angle), "classifier": Vocabulary.from_options(EYES)}
    assert fit_to(data, models).vocabulary == Vocabulary.from_options(EYES)


def test_upper_case_is_no_difference():
    data = packed(Vocabulary.from_options({"eye_lid": ["OPEN", "Half"]}))
    fitted = fit_to(data, {"model": Vocabulary.from_options(EYES)})
    assert fitted.vocabulary.labels["eye_lid"] == ("open", "half")


@pytest.mark.parametrize(
    ("data", "models", "message"),
    [
        (
            {"eye_angle": ["down", "up", "level"]},
            {"model": EYES},
            (
                "the model was trained on other attributes: eye_angle 1 is 'level' for it and "
                r"'up' in this data set \(2 of the 3 labels of eye_angle differ\); .* "
                "options.json with the labels of the model, see docs/data.md"
            ),
        ),
        (
            {},
            {"model": EYES, "classifier": {"eye_lid": ["shut", "half"]}},
            (
                "the classifier was trained on other attributes: eye_lid 0 is 'shut' for it "
                "and 'open' for the model"
            ),
        ),
        (
            EYES,
            {"model": {}, "classifier": {"eye_lid": ["open", "shut"]}},
            "the classifier was .*: eye_lid 1 is 'shut' for it and 'half' in this data set",
        ),
    ],
)
def test_other_labels_are_named(data, models, message):
    vocabularies = {who: Vocabulary.from_options(options) for who, options in models.items()}
    with pytest.raises(DatasetError, match=message):
        fit_to(packed(Vocabulary.from_options(data)), vocabularies)


def test_what_a_model_never_saw_is_left_out_and_named(caplog):
    data = packed(counted(EYES, hair=7))
    models = {"model": counted(EYES, face_shape=5, hair=7), "classifier": counted({}, glasses=2)}
    fitted = fit_to(data, models)
    rows = [dict(zip(NAMES, row, strict=True)) for row in data.attributes]
    unseen = [row["face_shape"] == 5 or row["glasses"] == 2 for row in rows]
    [said] = caplog.messages
    assert said == (
        f"{sum(unseen)} of the 200 images have a value that the model or the classifier never saw "
        "(face_shape 5, glasses 2) and are left out"
    )
    kept = [i for i, row in enumerate(rows) if not unseen[i] and row["hair"] != 7]
    used = np.concatenate([fitted.split(name) for name in ("train", "validation", "test")])
    assert sorted(used) == kept
    with pytest.raises(DatasetError, match="the model never saw any value of eye_lid that occurs"):
        fit_to(packed(counted({}, eye_lid=0)), {"model": counted({}, eye_lid=1)})


def test_numbered_is_told_attribute_by_attribute():
    assert all(Vocabulary.numbered().is_numbered(a.name) for a in ATTRIBUTES)
    named = Vocabulary.from_options(EYES)
    assert [name for name in NAMES if not named.is_numbered(name)] == ["eye_angle", "eye_lid"]
