"""What should be emphasised, found on a model of which it is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from avatar_model.attributes import ATTRIBUTES, NAMES, OFFSETS, attribute
from train.data.dataset import PackedSet
from train.evaluation.emphasis import SCALE, STRENGTHS, measure_emphasis

IMAGES = 24
BROWS = [a.name for a in ATTRIBUTES if a.group == "Eyebrows"]
CROP = 420


class Model:
    """Its "pictures" are how surely each of the 18 attributes is read in them.

    Args:
        helps: names of attributes that are read most surely with the strength 0.3.
        harms: names of attributes whose emphasis helps themselves and costs all others.
        rivals: names of attributes of different groups that cost each other.
    """

    def __init__(self, helps=(), harms=(), rivals=()):
        self.helps, self.harms, self.rivals = helps, harms, rivals
        self.upscaler = SimpleNamespace(defaults={"emphasis": {"hair": 1.0}})
        self.network = SimpleNamespace(config=SimpleNamespace(crop=CROP))

    def __call__(self, requests, seed, output_type, guidance_method, guidance_scale):
        assert (guidance_method, guidance_scale) == ("condition", SCALE)
        sure = np.full((len(requests), 18), 0.5)
        sure += np.random.default_rng(seed[0]).normal(0, 0.05, sure.shape)  # people differ
        for name, strength in self.upscaler.defaults["emphasis"].items():
            own = NAMES.index(name)
            if name in self.helps:
                sure[:, own] += 0.3 * strength - 0.5 * strength**2
            elif name in self.harms:
                sure -= 0.1 * strength
                sure[:, own] += 0.3 * strength
            else:
                sure[:, own] -= 0.1 * strength
        emphasised = [name for name in self.rivals if self.upscaler.defaults["emphasis"].get(name)]
        if len({attribute(name).group for name in emphasised}) > 1:
            sure[:, [NAMES.index(name) for name in emphasised]] -= 0.03
        return SimpleNamespace(images=sure, attributes=requests)


class Classifier:
    def visible(self, attributes):
        return np.ones(attributes.shape, dtype=bool)

    def view(self, images, crop):
        assert crop == CROP
        return images

    def __call__(self, images):
        probabilities = np.zeros((len(images), 217))
        probabilities[:, OFFSETS] = images
        return SimpleNamespace(probabilities=probabilities)


def measured(model):
    data = PackedSet(np.zeros((IMAGES, 8, 8, 4)), np.zeros((IMAGES, 18), np.uint8), [], None)
    found = measure_emphasis(model, model.upscaler, Classifier(), data)
    assert model.upscaler.defaults == {"emphasis": {"hair": 1.0}}  # as before
    return found


def part(entries, name):
    return next(entry for entry in entries if entry["part"] == name)


def test_what_helps_is_found_and_how_much_of_it():
    found = measured(Model(helps=[*BROWS, "eye_color"], harms=["hair"]))
    assert found["emphasis"] == dict.fromkeys([*BROWS, "eye_color"], 0.3)
    brows, hair, colour = (part(found["alone"], n) for n in ("Eyebrows", "Hair", "face_color"))
    assert brows["own"]["interval"][0] > 0 and brows["others"]["change"] == pytest.approx(0)
    assert hair["own"]["interval"][0] > 0 > hair["others"]["interval"][1]
    assert colour["own"]["interval"][1] < 0
    assert [entry["part"] for entry in found["together"]] == ["Eyebrows", "eye_color"]
    assert [entry["strength"] for entry in found["strengths"]] == list(STRENGTHS)


def test_what_helps_itself_and_harms_others_is_left_alone():
    found = measured(Model(harms=["hair", *BROWS]))
    assert (found["emphasis"], found["together"], found["strengths"]) == ({}, [], [])


def test_what_gains_nothing_beside_the_others_is_not_added():
    """Alone it may: brows and glasses both make eyes easier to find, and once is enough."""
    found = measured(Model(helps=[*BROWS, "glasses"], rivals=[*BROWS, "glasses"]))
    assert [entry["part"] for entry in found["together"]] == ["Eyebrows", "Glasses"]
    assert set(found["emphasis"]) == set(BROWS)
