"""Models whose quality is known beforehand, in front of the whole evaluation.

The "real" images are avatars of the bundled model, as the bundled classifier wants to see them.
"""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from avatar_model import AvatarPipeline
from avatar_model.attributes import ANY, Vocabulary, to_row
from avatar_model.classifier import AvatarClassifier
from avatar_model.crop import recrop, resize
from avatar_model.images import on_white
from train.data.dataset import PackedSet
from train.data.splits import HELD_OUT
from train.evaluation.generate import generate_avatars
from train.evaluation.inputs import EvaluationError, check, fit_to_models
from train.evaluation.measure import measure
from train.evaluation.psnr import psnr
from train.evaluation.report import card_metrics, card_section, to_markdown, write_report

TRUE, TRAIN = 60, 112  # as few as the distances between distributions take


@pytest.fixture(scope="module")
def bundled():
    return AvatarPipeline.from_pretrained("assets/model")


@pytest.fixture(scope="module")
def classifier():
    return AvatarClassifier.from_pretrained("assets/classifier")


@pytest.fixture(scope="module")
def generated(bundled):
    """What the bundled model draws: uint8 [N, 256, 256, 4] of the crop 420, and attributes."""
    return generate_avatars(bundled, np.full((TRUE + TRAIN, 18), ANY))


def split(images, attributes, vocabulary, crop=360):
    """(truth, train): data sets of different combinations."""
    ids = [f"cs{i}" for i in range(TRUE + TRAIN)]
    data = PackedSet(images, attributes.astype(np.uint8), ids, vocabulary, crop)
    return data.take(np.arange(TRUE)), data.take(np.arange(TRUE, TRUE + TRAIN))


@pytest.fixture(scope="module")
def world(bundled, generated):
    images, attributes = generated
    return split(recrop(images, 420, 360, 64), attributes, bundled.vocabulary)


class Fake:
    """A model that answers with pictures from an album: ``choose(row of the request)``.

    With ``upscale(small pictures)`` it has a second stage, of 128 pixels.
    """

    def __init__(self, world, choose, upscale=None):
        self.truth, self.train = world
        self.choose = choose
        self.vocabulary = self.truth.vocabulary
        self.network = SimpleNamespace(config=SimpleNamespace(image_size=64, crop=360))
        self.sizes, self.upscaler, self.upscale = (64,), None, upscale
        if upscale:
            self.sizes = (64, 128)
            self.upscaler = SimpleNamespace(training={"held_out": HELD_OUT})
        self.training = {"held_out": HELD_OUT}
        self.stages = (self, self.upscaler) if upscale else (self,)

    def __call__(self, requests, seed, output_type, **options):
        told = [
            self.vocabulary.sample(request, np.random.default_rng(s))
            for request, s in zip(requests, seed, strict=True)
        ]
        images = np.stack([self.choose(to_row(t)) for t in told])
        if options.get("size", self.sizes[-1]) != 64:
            images = self.upscale(images)
        return SimpleNamespace(images=images, attributes=told)


def copy_of(world):
    """The true image, or the nearest combination where there is none (attributes left open)."""
    truth, train = world
    rows = np.concatenate([truth.attributes, train.attributes])
    images = np.concatenate([truth.images, train.images])
    return lambda row: images[(rows != row).sum(1).argmin()]


def run(pipeline, classifier, world, **options):
    return measure(pipeline, classifier, *world, seeds=(0,), **options)[0]


def test_a_perfect_copy(world, classifier):
    report = run(Fake(world, copy_of(world)), classifier, world)
    assert report["paired"]["psnr"]["mean"] == math.inf
    assert report["paired"]["colour_hair"]["mean"] == 0
    attributes = report["attributes"]
    assert attributes["accuracy"] == attributes["ceiling"] > 0.75
    assert attributes["share_of_ceiling"] == 1
    for colour in report["colours"].values():
        assert colour["accuracy"] == colour["ceiling"]
    assert report["memorisation"]["nearer_to_truth"] == 1


def test_shuffled_attributes_give_chance_accuracy(world, classifier):
    truth, _ = world
    other = np.roll(np.arange(TRUE), 7)
    pairs = zip(truth.attributes, truth.images[other], strict=True)
    album = {row.tobytes(): image for row, image in pairs}
    fallback = copy_of(world)

    def choose(row):
        image = album.get(row.astype(np.uint8).tobytes())
        return fallback(row) if image is None else image

    report = run(Fake(world, choose), classifier, world)
    same = (truth.attributes == truth.attributes[other]).mean()  # chance, as these people go
    assert report["attributes"]["accuracy"] == pytest.approx(same, abs=0.08)
    assert report["attributes"]["ceiling"] > 0.75
    assert report["colours"]["hair_color"]["accuracy"] < 0.4
    assert report["paired"]["psnr"]["mean"] < 20


def test_a_memoriser_is_caught(world, classifier):
    train = world[1]

    def choose(row):
        return train.images[(train.attributes != row).sum(1).argmin()]

    report = run(Fake(world, choose), classifier, world)
    assert report["memorisation"]["nearer_to_truth"] == 0


def test_what_needs_more_images_or_a_classifier_says_so(world):
    truth, train = world
    few = truth.take(np.arange(8)), train
    report = run(Fake(few, copy_of(world)), None, few)
    assert "no classifier" in report["attributes"]["refused"]
    assert "too few" in report["distribution"]["shape"]["refused"]
    assert report["paired"]["psnr"]["mean"] == math.inf
    page = to_markdown({"about": ABOUT, **report})
    assert page.count("Not measured") == 4 and "no classifier was given" in page


def test_a_real_model_and_its_report(bundled, classifier, generated, tmp_path, monkeypatch):
    monkeypatch.setattr("train.evaluation.measure.PARTIAL_IMAGES", 16)
    images, attributes = generated
    world = split(resize(images, 64), attributes, bundled.vocabulary, crop=420)
    larger = {256: images[:TRUE]}
    report = {"about": ABOUT, **run(bundled, classifier, world, larger=larger)}
    assert 0.9 < report["attributes"]["share_of_ceiling"] <= 1.05
    everything_open = report["partial"]["by_open"][-1]
    assert everything_open["open"] == 18 and everything_open["given"] is None
    assert everything_open["drawn"]["accuracy"] > 0.75
    write_report(tmp_path, report)
    stored = json.loads((tmp_path / "report.json").read_text())
    assert stored["attributes"] == report["attributes"]
    page = (tmp_path / "report.md").read_text()
    assert "nan" not in page and "FID" in page and "| **mean** |" in page
    assert card_metrics(report)["psnr_db"] > 30


@pytest.fixture(scope="module")
def larger(world):
    """The true large pictures, sharper than the small ones enlarged."""
    return {128: sharp(world[0].images), 256: resize(sharp(world[0].images), 256)}


def sharp(small):
    """Enlarged to 128 pixels, every other pixel of the figure up to 20 levels darker."""
    large = resize(small, 128)
    large[:, ::2, ::2, :3] -= np.minimum(large[:, ::2, ::2, :3], 20)
    return large


class TestTwoStages:
    def darker(self, images):
        generated = sharp(images)
        generated[..., :3] -= np.minimum(generated[..., :3], 10)
        return generated

    def test_a_perfect_copy(self, world, larger, classifier):
        model = Fake(world, copy_of(world), sharp)
        report, generated = measure(model, classifier, *world, seeds=(0, 1), larger=larger)
        assert report["size"] == 128 and report["base"]["size"] == 64
        for found in (report, report["base"]):
            assert found["paired"]["psnr"]["mean"] == math.inf
            assert found["paired"]["colour_face"]["mean"] == 0
            for colour in found["colours"].values():
                assert colour["accuracy"] == colour["ceiling"]
        assert report["attributes"]["accuracy"] == report["attributes"]["ceiling"] > 0.75
        assert report["enlarged"]["128"]["drawn"] == report["enlarged"]["256"]["drawn"] == math.inf
        assert generated.images.shape[1] == 128 and generated.small.shape[1] == 64
        assert report["memorisation"]["nearer_to_truth"] == 1

    def test_an_enlargement_scores_what_it_must(self, world, larger):
        model = Fake(world, copy_of(world), lambda small: resize(small, 128))
        report, _ = measure(model, None, *world, seeds=(0,), larger=larger)
        enlarged = on_white(resize(world[0].images, 128))
        must = psnr(enlarged, on_white(larger[128])).mean()
        assert 25 < must < 40
        assert report["paired"]["psnr"]["mean"] == pytest.approx(must)
        for which in ("drawn", "base", "true_small"):
            assert report["enlarged"]["128"][which] == pytest.approx(must)
        again = on_white(resize(world[0].images, 256))
        must = psnr(again, on_white(larger[256])).mean()
        assert report["enlarged"]["256"]["base"] == pytest.approx(must)
        assert report["base"]["paired"]["psnr"]["mean"] == math.inf

    def test_the_full_size_is_the_headline_and_both_stand_side_by_side(self, world, larger):
        model = Fake(world, copy_of(world), self.darker)
        report, _ = measure(model, None, *world, seeds=(0,), larger=larger)
        headline = report["paired"]["psnr"]["mean"]
        assert 25 < headline < 40
        metrics = card_metrics(report)
        assert metrics["psnr_db"] == headline and metrics["psnr_db_at_64"] == math.inf
        assert metrics["psnr_db_at_256"] == report["enlarged"]["256"]["drawn"]
        assert "psnr_db_at_128" not in metrics
        for page in (
            to_markdown({"about": ABOUT, **report}),
            card_section({"about": ABOUT, **report}),
        ):
            assert "| 128 pixels: mean |" in page and "| 64 pixels: mean |" in page
            assert f"| PSNR (dB) | {headline:.2f} |" in page
            assert "| PSNR (dB) | at 128 | at 256 |" in page
            assert "Measured on the pictures of 64 pixels that the base draws." in page


def test_a_model_of_another_crop_is_seen_through_that_of_the_classifier(world, classifier):
    """What it reads is a part of these pictures; enlarged, and the page says so."""
    truth, train = (replace(part, crop=420) for part in world)
    fake = Fake(world, copy_of(world))
    fake.network.config.crop = 420
    check(fake, classifier, truth, train)
    report, _ = measure(fake, classifier, truth, train, seeds=(0,))
    assert report["attributes"]["view"]["enlarged"]
    assert report["attributes"]["accuracy"] == report["attributes"]["ceiling"] < 0.6
    page = to_markdown({"about": ABOUT, **report})
    assert "of 64 pixels and the centre 420 was enlarged for it. **That blurs them" in page


def test_what_cannot_be_compared_is_refused(bundled, classifier, world):
    truth, train = world
    fake = Fake(world, copy_of(world))
    check(fake, classifier, truth, train)
    with pytest.raises(EvaluationError, match="empty"):
        check(fake, classifier, truth.take(np.arange(0)), train)
    labels = dict(truth.vocabulary.labels)
    labels["hair"] = ("mohawk", *labels["hair"][1:])
    renamed = type(truth.vocabulary)(labels, truth.vocabulary.counts)
    other = PackedSet(truth.images, truth.attributes, truth.ids, renamed)
    with pytest.raises(EvaluationError, match=r"model was trained on other .*hair 0.*'mohawk'"):
        check(fake, classifier, other, train)
    fake.vocabulary = renamed
    with pytest.raises(EvaluationError, match="classifier was trained on other"):
        check(fake, classifier, other, train)
    fake.training = {}
    with pytest.raises(EvaluationError, match="held out"):
        check(fake, classifier, other, train)
    with pytest.raises(EvaluationError, match="draws a crop of 360, and the data .* with 420"):
        check(Fake(world, None), classifier, replace(truth, crop=420), train)
    upscaled = Fake(world, None, lambda small: small)
    upscaled.upscaler.training = {}
    with pytest.raises(EvaluationError, match="the upscaler was trained with other images held"):
        check(upscaled, classifier, truth, train)
    small = PackedSet(truth.images[:, ::2, ::2], truth.attributes, truth.ids, truth.vocabulary)
    with pytest.raises(EvaluationError, match="64x64 pixels, and .* 32x32"):
        check(Fake(world, None), classifier, small, train)


def test_labels_are_taken_from_the_model(classifier, world):
    """Google's own files have none."""
    truth, train = world
    bare = replace(truth, vocabulary=Vocabulary.numbered(truth.vocabulary.counts))
    check(Fake(world, None), classifier, bare, train)
    fitted = fit_to_models(Fake(world, None), classifier, bare)
    assert fitted.vocabulary == truth.vocabulary


ABOUT = {
    "model": "m",
    "data": "d",
    "split": "test",
    "combinations": TRUE,
    "seeds": [0],
    "defaults": {"sampler": "ddim", "num_inference_steps": 1, "guidance_scale": 1.0},
    "date": "2026-11-23",
    "machine": "test",
    "command": "c",
    "minutes": 0.1,
}
