"""Every kind of model that a config can describe, from noise to pictures and through a file."""

import dataclasses
import sys

import numpy as np
import pytest

from avatar_model import AvatarPipeline, CheckpointError, Vocabulary
from avatar_model.film import film
from tests.tiny import TINY_MODEL, TINY_UPSCALER, random_network, two_stages

ATTENTION = {"conditioning": ("attention",), "canvas_channels": 0, "tau_tokens": 3}
NO_WAY = {"conditioning": (), "canvas_channels": 0, "cross_attention": (False, False)}
DIFFUSERS = {**ATTENTION, "unet": "diffusers", "patch_size": 1, "blocks_up": 2}
KINDS = {
    "RGB": {"image_channels": 3},
    "attention alone": ATTENTION,
    "raw integers": {"tau_encoding": "raw_integers"},
    "unconditional": NO_WAY,
    "unconditional with a Tau": {"tau_encoding": "none"},
    "diffusers": {**DIFFUSERS, "image_channels": 3},
}
LOOK = {"hair": 5, "glasses": 2}


def make(kind):
    return AvatarPipeline(
        random_network(dataclasses.replace(TINY_MODEL, **KINDS[kind])), VOCABULARY
    )


VOCABULARY = Vocabulary.numbered()


def pixels(pipe, look=LOOK, **options):
    return pipe(look, output_type="np", seed=3, num_inference_steps=2, **options).images


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["condition", "classic", "projected"])
@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_it_generates_with_every_guidance(kind, method, scale):
    pipe = make(kind)
    found = pixels(pipe, guidance_scale=scale, guidance_method=method)
    assert found.shape == (1, 16, 16, 4) and found.any()
    assert (found[..., 3] == 255).all() == (pipe.base.config.image_channels == 3)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_saved_and_loaded(kind, tmp_path):
    pipe = make(kind)
    pipe.save_pretrained(tmp_path)
    loaded = AvatarPipeline.from_pretrained(tmp_path)
    assert loaded.base.config == pipe.base.config
    assert np.abs(pixels(loaded).astype(int) - pixels(pipe)).max() <= 2  # half precision


@pytest.mark.parametrize("kind", KINDS)
def test_its_film_ends_in_its_picture(kind):
    pipe = make(kind)
    *_, last = film(pipe, LOOK, seed=3, num_inference_steps=2)
    assert np.array_equal(np.asarray(last.estimate.convert("RGBa")), pixels(pipe)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_attributes_matter_unless_it_is_unconditional(kind):
    pipe = make(kind)
    same = np.array_equal(pixels(pipe, {"hair": 5}), pixels(pipe, {"hair": 6}))
    assert same == kind.startswith("unconditional")
    assert pipe.base.config.is_conditional != same


def test_an_upscaler_goes_on_from_rgb():
    rgb = {"image_channels": 3}
    pipe = two_stages(
        dataclasses.replace(TINY_UPSCALER, **rgb), dataclasses.replace(TINY_MODEL, **rgb)
    )
    assert pixels(pipe).shape == (1, 64, 64, 4)


def test_without_diffusers_its_models_say_what_is_missing(tmp_path, monkeypatch):
    make("diffusers").save_pretrained(tmp_path)
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(CheckpointError, match="pip install diffusers"):
        AvatarPipeline.from_pretrained(tmp_path)
