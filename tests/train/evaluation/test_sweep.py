from types import SimpleNamespace

import numpy as np
import pytest

from avatar_model.attributes import NAMES
from avatar_model.guidance import steps_to_evaluations
from train.data.dataset import PackedSet
from train.evaluation.sweep import best, plot, sweep, sweep_upscaler


def entry(steps, scale, psnr):
    return {
        "sampler": "ddim",
        "num_inference_steps": steps,
        "guidance_scale": scale,
        "evaluations": steps_to_evaluations(steps, scale),
        "psnr_db": psnr,
    }


def test_the_cheapest_of_what_is_equally_good():
    assert [steps_to_evaluations(4, 1.0), steps_to_evaluations(4, 1.5)] == [4, 8]
    entries = [entry(1, 1.0, 29.0), entry(2, 1.0, 29.95), entry(8, 1.0, 30.0), entry(2, 1.5, 29.99)]
    assert best(entries) == entries[1]
    assert best(entries[:1]) == entries[0]
    assert best([entry(1, 1.0, 20.0), entry(4, 1.0, 20.2)])["num_inference_steps"] == 4


def test_every_setting_is_drawn_and_compared(tmp_path):
    """A model that is off by 10 levels divided by its steps."""
    images = np.full((3, 8, 8, 4), 255, dtype=np.uint8)
    attributes = np.zeros((3, 18), dtype=np.uint8)

    def pipeline(requests, num_inference_steps, **options):
        off = images[: len(requests)].copy()
        off[..., :3] -= 10 // num_inference_steps
        return SimpleNamespace(images=off, attributes=[dict.fromkeys(NAMES, 0)] * len(requests))

    data = PackedSet(images, attributes, ["cs0", "cs1", "cs2"], None)
    entries = sweep(pipeline, data, ("ddim", "dpm++"), (1, 2), (1.0, 2.0))
    assert len(entries) == 8
    found = {(e["sampler"], e["num_inference_steps"]): e["psnr_db"] for e in entries}
    assert found["ddim", 1] == pytest.approx(20 * np.log10(255 / 10))
    assert found["dpm++", 2] == pytest.approx(20 * np.log10(255 / 5))
    assert best(entries)["num_inference_steps"] == 2
    plot(tmp_path / "sweep.png", entries)
    assert (tmp_path / "sweep.png").stat().st_size > 5000


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
