"""The stand-in data set: every one of the 217 values must be visible."""

import json

import numpy as np
import pytest

from avatar_model.attributes import ATTRIBUTES, NAMES, SIZES
from avatar_model.crop import load_avatar
from avatar_model.images import on_white
from train.data.archive import OPTIONS_NAME
from train.data.cartoon_set import format_csv, read_cartoon_set
from train.data.errors import DatasetError
from train.data.stand_in_faces.face import render_face
from train.data.stand_in_faces.stand_in_set import stand_in_examples, stand_in_options

# Nothing of this face covers anything else of it.
PLAIN = dict.fromkeys(NAMES, 1) | {"facial_hair": 14, "glasses": 11, "face_color": 7}
PLAIN["eye_lid"] = 0


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=NAMES)
def test_every_value_looks_different_from_every_other(attribute):
    face = PLAIN | ({"glasses": 3} if attribute.name == "glasses_color" else {})
    drawn = [render_face(face | {attribute.name: v}) for v in range(attribute.num_values)]
    pixels = np.stack([on_white(load_avatar(image)) for image in drawn]).astype(np.float32)
    for value in range(1, attribute.num_values):
        difference = np.abs(pixels[:value] - pixels[value]).mean(axis=(1, 2, 3))
        nearest = int(difference.argmin())
        assert difference[nearest] > 0.25, f"{attribute.name} {value} looks like {nearest}"


def test_a_face_fits_into_the_crop():
    alpha = np.array(render_face(PLAIN))[..., 3]
    assert alpha.shape == (500, 500)
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    assert min(rows[0], columns[0]) >= 70 and max(rows[-1], columns[-1]) < 430


def test_labels_say_that_it_is_a_stand_in():
    options = stand_in_options()
    assert {name: len(labels) for name, labels in options.items()} == dict(
        zip(NAMES, SIZES, strict=True)
    )
    for labels in options.values():
        assert len(set(labels)) == len(labels)
        assert all(label.endswith("(drawn)") for label in labels)


def test_deterministic_and_extendable():
    small, large = stand_in_examples(5), stand_in_examples(50)
    assert np.array_equal(small.attributes, large.attributes[:5])
    assert not np.array_equal(small.attributes, stand_in_examples(5, seed=1).attributes)
    a, b = (
        [picture().tobytes() for _, picture in stand_in_examples(2).pictures()] for _ in range(2)
    )
    assert a == b
    counts = np.bincount(stand_in_examples(7000).attributes[:, NAMES.index("face_shape")])
    assert len(counts) == 7 and counts.min() > 900


def test_written_files_are_read_back(tmp_path):
    expected = stand_in_examples(3, seed=4)
    for row, picture in expected.pictures():
        picture().save(tmp_path / expected.files[row])
        content = format_csv(expected.attributes[row])
        (tmp_path / f"{expected.ids[row]}.csv").write_text(content, "utf-8")
    (tmp_path / OPTIONS_NAME).write_text(json.dumps(stand_in_options()), "utf-8")
    examples = read_cartoon_set(tmp_path)
    assert examples.ids == ["cs0", "cs1", "cs2"] and not examples.rejects
    assert np.array_equal(examples.attributes, expected.attributes)
    assert examples.vocabulary == expected.vocabulary
    drawn = dict(expected.pictures())
    for row, picture in examples.pictures():
        assert picture().tobytes() == drawn[row]().tobytes()


def test_none_is_too_few():
    with pytest.raises(DatasetError, match="at least one"):
        stand_in_examples(0)
