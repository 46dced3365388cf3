from types import SimpleNamespace

import numpy as np
import pytest

from avatar_model.attributes import NAMES
from avatar_model.guidance import Guidance
from train.data.dataset import PackedSet
from train.evaluation.sweep import best, plot, sweep, sweep_below_1, sweep_upscaler


def entry(steps, scale, psnr):
    return {
        "sampler": "ddim",
        "num_inference_steps": steps,
        "guidance_scale": scale,
        "evaluations": steps * (1 if scale == 1 else 2),
        "psnr_db": psnr,
    }


def test_the_cheapest_of_what_is_equally_good():
    entries = [entry(1, 1.0, 29.0), entry(2, 1.0, 29.95), entry(8, 1.0, 30.0), entry(2, 1.5, 29.99)]
    assert best(entries) == entries[1]
    assert best(entries[:1]) == entries[0]
    assert best([entry(1, 1.0, 20.0), entry(4, 1.0, 20.2)])["num_inference_steps"] == 4


class Model:
    """Off by 10 levels divided by its steps, and hazy with few steps below scale 1."""

    def __init__(self, images):
        self.images = images
        self.defaults = {
            "sampler": "ddim",
            "guidance_method": "condition",
            "steps_below_scale_1": 3,
        }
        self.base = self

    def evaluations(self, size, num_inference_steps, guidance_scale, guidance_method, sampler):
        guidance = Guidance(guidance_scale, guidance_method)
        return [guidance.evaluations(num_inference_steps)]

    def __call__(self, requests, num_inference_steps, guidance_scale, **options):
        steps = num_inference_steps
        off = self.images[: len(requests)].copy()
        if guidance_scale < 1:
            off[..., 3] -= 100 // self.defaults["steps_below_scale_1"]
        off[..., :3] -= 10 // steps
        return SimpleNamespace(images=off, attributes=[dict.fromkeys(NAMES, 0)] * len(requests))


@pytest.fixture
def data():
    images = np.full((3, 8, 8, 4), 255, dtype=np.uint8)
    return PackedSet(images, np.zeros((3, 18), dtype=np.uint8), ["cs0", "cs1", "cs2"], None)


def test_every_setting_is_drawn_and_compared(data, tmp_path):
    entries = sweep(Model(data.images), data, ("ddim", "dpm++"), (1, 2), (1.0, 2.0))
    as_asked = [e for e in entries if e["guidance_scale"] == 1]
    guided = [e for e in entries if e["guidance_scale"] == 2]
    assert [(e["sampler"], e["num_inference_steps"]) for e in as_asked] == [
        ("ddim", 1),
        ("ddim", 2),
        ("dpm++", 1),
        ("dpm++", 2),
    ]
    assert {e["guidance_method"] for e in as_asked} == {"condition"}
    assert [(e["guidance_method"], e["evaluations"]) for e in guided] == [
        ("condition", 1),
        ("condition", 2),
        ("classic", 2),
        ("classic", 4),
        ("projected", 2),
        ("projected", 4),
    ]
    assert as_asked[0]["psnr_db"] == pytest.approx(20 * np.log10(255 / 10))
    assert as_asked[3]["psnr_db"] == pytest.approx(20 * np.log10(255 / 5))
    assert best(entries)["num_inference_steps"] == 2
    plot(tmp_path / "sweep.png", entries)
    assert (tmp_path / "sweep.png").stat().st_size > 5000
    plot(tmp_path / "sweep.png", as_asked)


def test_below_scale_1_the_fewest_steps_without_haze(data):
    model = Model(data.images)
    found = sweep_below_1(model, data, (1, 40, 101, 200))
    hazes = [entry["haze"] for entry in found["entries"]]
    assert hazes == pytest.approx([4 * a * (1 - a) for a in (155 / 255, 253 / 255, 1, 1)])
    assert (found["best"]["num_inference_steps"], found["as_asked"]) == (101, 0)
    assert model.defaults["steps_below_scale_1"] == 3


class Upscaled:
    """Off by 12 levels divided by the upscaler's steps."""

    def __init__(self, images):
        self.images = images

    def __call__(self, requests, upscaler_steps, **options):
        assert "size" not in options  # the largest
        off = self.images[: len(requests)].copy()
        off[..., :3] -= 12 // upscaler_steps
        return SimpleNamespace(images=off, attributes=[dict.fromkeys(NAMES, 0)] * len(requests))


def test_the_upscaler_has_settings_of_its_own():
    images = np.full((3, 8, 8, 4), 255, dtype=np.uint8)
    data = PackedSet(images, np.zeros((3, 18), dtype=np.uint8), ["cs0", "cs1", "cs2"], None)
    entries = sweep_upscaler(Upscaled(images), data, (1, 2))
    found = {e["num_inference_steps"]: e["psnr_db"] for e in entries}
    assert found == pytest.approx({1: 20 * np.log10(255 / 12), 2: 20 * np.log10(255 / 6)})
    assert [e["evaluations"] for e in entries] == [1, 2]
    assert best(entries)["num_inference_steps"] == 2
