"""What a picture says: its own recipe, or what the classifier sees in it."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from avatar_model import ANY
from avatar_model.attributes import NAMES
from tests.ui.pictures import png
from ui.files import found_recipe
from ui.files.found_recipe import MAX_NOTE, MAX_NOTES, Found, find_recipe
from ui.files.picture_file import MAX_FILE, FileOptions, encode
from ui.panels.start_from_picture import seen_html

PLAIN = png(Image.new("RGB", (64, 64), "white"))
UNSURE = dict.fromkeys(NAMES, (0, 0.5))


def test_the_best_guess_of_every_look_is_taken_and_the_unsure_are_marked(pipeline, monkeypatch):
    sure = dict.fromkeys(NAMES[:9], (1, 0.99))
    seen = UNSURE | sure | {"hair": (12, 0.9), "glasses": (3, 0.899), "face_shape": (6, 0.99)}
    monkeypatch.setattr(found_recipe, "read_attributes", lambda *_: seen)
    found = find_recipe(pipeline, PLAIN)
    assert found.seen == seen and found.probable
    looks = {name: value for name, (value, _) in seen.items()}
    assert found.recipe.named_looks == looks | {"face_shape": ANY}  # which this model has not seen
    assert [note.split()[0] for note in found.notes] == ["face_shape"]
    html = seen_html(pipeline, found)
    assert html.count("<td>unsure</td>") == 18 - 9 - 1 and "probably no avatar" not in html
    assert html.count("not in this model: left on Any") == 1 and "<td>89%</td><td>unsure" in html


def test_of_what_is_hardly_sure_of_anything_it_is_said_that_it_is_no_avatar(pipeline, monkeypatch):
    seen = UNSURE | dict.fromkeys(NAMES[:9], (1, 0.9))
    monkeypatch.setattr(found_recipe, "read_attributes", lambda *_: seen)
    found = find_recipe(pipeline, PLAIN)
    assert not found.probable and found.to_json()["probable"] is False
    assert seen_html(pipeline, found).startswith('<p class="doubt">This is probably no avatar')


def test_a_forged_recipe_falls_back_with_notes(pipeline):
    forged = {"hair": 999, "glasses": "<b>", "seed": 7, "face_color": 2, "__proto__": 1}
    content = encode(Image.new("RGBA", (64, 64)), FileOptions(size=64), forged)
    found = find_recipe(pipeline, content)
    assert found.recipe.values()["face_color"] == 2 and found.recipe.seed == 7
    assert [note.split()[0] for note in found.notes] == ["hair", "glasses"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not a picture"),
        (b"GIF89a" + bytes(20), "picture"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n{} loop\nshowpage\n",
            "not a picture in PNG, WebP, JPEG or GIF",
        ),
        (b"P6 1 1 255\n123", "not a picture in PNG, WebP, JPEG or GIF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture in PNG, WebP, JPEG or GIF"),
        (bytes(MAX_FILE + 1), "not a picture"),
    ],
)
def test_what_cannot_be_read(pipeline, content, sentence):
    with pytest.raises(ValueError, match=sentence):
        find_recipe(pipeline, content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_turned_picture_with_metadata_that_cannot_be_read(pipeline, monkeypatch, kind):
    looked_at = []

    def read_attributes(image, *_):
        looked_at.append(np.asarray(image).astype(int))
        return UNSURE

    monkeypatch.setattr(found_recipe, "read_attributes", read_attributes)
    turned = struct.pack("<HHLHxx", 0x0112, 3, 1, 6)
    fields = turned + struct.pack("<HHL4s", 0x011A, 2, 4, b"72")  # a resolution in ASCII
    exif = b"Exif\0\0II*\0" + struct.pack("<LH", 8, 2) + fields + bytes(4)
    upright = Image.radial_gradient("L").crop((0, 0, 128, 64)).convert("RGB")
    file = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(file, kind, exif=exif)
    for content in (png(upright), file.getvalue()):
        find_recipe(pipeline, content)
    assert looked_at[0].shape == looked_at[1].shape == (64, 128, 4)
    assert abs(looked_at[0] - looked_at[1]).mean() < 3


@pytest.mark.parametrize("data", [{}, {"recipe": None}, {"recipe": {}, "notes": "x", "seen": []}])
def test_of_what_is_no_answer_nothing_is_found(pipeline, data):
    found = Found.parse(pipeline, data)
    assert set(found.recipe.looks) == {ANY} and (found.notes, found.seen) == ([], {})


def test_of_a_forged_answer_what_fits_is_taken(pipeline):
    seen = {
        "hair": [12, 0.5],
        "glasses": [3, 1],
        "eye_color": [99, 0.5],
        "face_color": [-1, 0.5],
        "hair_color": [1, 1.5],
        "eye_lid": [1, float("nan")],
        "eye_slant": [1.0, 0.5],
        "face_shape": ["1", "0.5"],
        "facial_hair": [1],
        "eye_angle": 10**400,
        "<b>": [1, 0.5],
    }
    notes = ["<b>", "x" * 1000, "\ud800", 7, *["again"] * 100]
    recipe = "hair=12&seed=7&glasses=999&sampler=<b>"
    found = Found.parse(pipeline, {"recipe": recipe, "notes": notes, "seen": seen})
    assert found.seen == {"hair": (12, 0.5), "glasses": (3, 1)}
    assert found.recipe.seed == 7 and found.recipe.named_looks["glasses"] == ANY
    assert found.notes[:4] == ["<b>", "x" * MAX_NOTE, "?", "7"] and len(found.notes) == MAX_NOTES
    html = seen_html(pipeline, found)
    assert html.count("<tr><th scope=row>") == 2 and "<b>" not in html
