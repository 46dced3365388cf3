"""What a guidance scale does to a model, of which it is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from avatar_model.attributes import NAMES
from avatar_model.images import on_white
from tests.train.evaluation.test_palette import world
from train.evaluation.guidance_scale import measure_guidance
from train.evaluation.palette import measure_palette
from train.evaluation.psnr import psnr

COUNT = 40
HAIR = NAMES.index("hair")


@pytest.fixture(scope="module")
def palette():
    return measure_palette(world(800))


@pytest.fixture(scope="module")
def truth():
    return world(COUNT, seed=1)


class Model:
    """Draws the true pictures at scale 1, and half as opaque at 3."""

    def __init__(self, truth):
        self.truth = truth
        self.defaults = {"guidance_method": "condition", "emphasis": {"hair": 0.3}}
        self.upscaler = None
        self.network = SimpleNamespace(config=SimpleNamespace(crop=360))

    def evaluations(self, guidance_scale):
        return [1]

    def __call__(self, requests, seed, output_type, guidance_scale):
        images = self.truth.images[seed[0] : seed[0] + len(requests)]
        return SimpleNamespace(
            images=images if guidance_scale == 1 else images // 2, attributes=requests
        )


class Classifier:
    """Reads hair wrongly at scale 1, and everything else rightly; eyes are never visible."""

    def __init__(self, truth):
        self.truth, self.seen = truth, 0

    def visible(self, attributes):
        visible = np.ones(attributes.shape, dtype=bool)
        visible[:, NAMES.index("eye_color")] = False
        return visible

    def view(self, images, crop):
        return images

    def __call__(self, images):
        start = self.seen % COUNT
        values = self.truth.attributes[start : start + len(images)].astype(np.int64)
        if self.seen < COUNT:
            values[:, HAIR] += 1
        self.seen += len(images)
        probabilities = np.full((len(images), 217), 0.25 if self.seen <= COUNT else 0.5)
        return SimpleNamespace(values=values, probabilities=probabilities)


def test_every_scale_is_compared_with_scale_1(truth, palette):
    found = measure_guidance(Model(truth), Classifier(truth), truth, palette, (1.0, 3.0))
    assert (found["method"], found["upscaler_emphasis"]) == ("condition", None)
    assert found["emphasis"] == {"hair": 0.3}
    as_asked, more = found["by_scale"]
    assert (as_asked["scale"], more["scale"]) == (1, 3)
    white = [on_white(images) for images in (truth.images // 2, truth.images)]
    assert more["psnr"]["value"] == pytest.approx(psnr(*white).mean())
    assert more["colours"]["face_color"]["change"] < 0
    assert as_asked["colours"]["face_color"]["value"] > 0.9
    # One of 17 attributes, and one of the 6 weakest.
    assert found["weakest"][0] == "hair" and "eye_color" not in found["weakest"]
    assert as_asked["accuracy"]["value"] == pytest.approx(16 / 17)
    assert as_asked["accuracy"]["interval"] == [0, 0]
    assert more["accuracy"]["change"] == pytest.approx(1 / 17)
    assert more["accuracy_of_weakest"]["change"] == pytest.approx(1 / 6)
    assert more["probability_of_weakest"]["change"] == pytest.approx(0.25)


def test_without_a_classifier_there_are_pixels(truth, palette):
    found = measure_guidance(Model(truth), None, truth, palette, (3.0,))
    assert [row["scale"] for row in found["by_scale"]] == [1, 3]
    assert found["weakest"] == [] and "accuracy" not in found["by_scale"][1]
