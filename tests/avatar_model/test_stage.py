"""A stage of the cascade: its settings, its noise, and what it draws of them."""

import dataclasses

import numpy as np
import pytest
import torch

from avatar_model.arguments import MAX_SEED
from avatar_model.attributes import SIZES, one_hot
from avatar_model.guidance import Guidance
from avatar_model.stage import SHAPES, Settings, Stage
from tests.tiny import TINY_MODEL, TINY_UPSCALER, random_network


@pytest.fixture(scope="module")
def base():
    return Stage(random_network(TINY_MODEL))


@pytest.fixture(scope="module")
def upscaler():
    return Stage(random_network(TINY_UPSCALER))


def looks(batch):
    rng = np.random.default_rng(0)
    return torch.from_numpy(one_hot(np.stack([rng.integers(0, SIZES) for _ in range(batch)])))


def small_pictures(batch):
    generator = torch.Generator().manual_seed(5)
    return torch.rand(batch, 4, 16, 16, generator=generator) * 2 - 1


def draw(stage, settings, seeds, rows=slice(None)):
    low_res = small_pictures(4)[rows] if stage.config.is_upscaler else None
    with torch.inference_mode():
        return stage.generate(looks(4)[rows], seeds, settings, low_res)


def test_what_is_left_open_is_the_models_default(base, upscaler):
    assert base.settings() == Settings(4, "ddim", Guidance(1.0, "classic", emphasis=SHAPES))
    assert upscaler.settings().steps == 1
    own = Stage(random_network(TINY_UPSCALER), {"num_inference_steps": 2})
    assert (own.settings().steps, own.settings().guidance.scale) == (2, 1.0)
    asked = own.settings(0, 3, "ddpm", "projected", (0.2, 0.8))
    assert asked == Settings(3, "ddpm", Guidance(0.0, "projected", (0.2, 0.8), SHAPES))


def test_below_scale_1_there_are_steps_enough_and_no_noise():
    defaults = {"guidance_method": "condition", "steps_below_scale_1": 8}
    stage = Stage(random_network(TINY_MODEL), defaults)
    assert [stage.settings(scale, 2).steps for scale in (0, 0.9, 1, 3)] == [8, 8, 2, 2]
    assert stage.settings(0.9, 12).steps == 12
    assert stage.settings(0.9, 2, method="classic").steps == 2
    first, second = (draw(stage, stage.settings(0.5), seeds) for seeds in ([1] * 4, [2] * 4))
    assert torch.equal(first, second)
    assert not torch.equal(first, draw(stage, stage.settings(0.6), [1] * 4))
    assert not stage.noise([1], stage.settings(0.5).guidance).any()


@pytest.mark.parametrize(
    ("config", "defaults", "message"),
    [
        (TINY_UPSCALER, {"num_inference_steps": 0}, "num_inference_steps must be"),
        (TINY_MODEL, {"sampler": "euler"}, "sampler must be one of"),
        (TINY_MODEL, {"guidance_method": "cfg++"}, "guidance_method must be one of condition"),
        (TINY_MODEL, {"steps_below_scale_1": 0}, "steps_below_scale_1 must be"),
        (TINY_MODEL, {"emphasis": {"hare": 1.0}}, "unknown attribute 'hare'; did you mean 'hair'"),
        (TINY_MODEL, {"emphasis": {"hair": -1}}, "emphasis of hair must be a number from 0 to 10"),
        (TINY_MODEL, {"emphasis": ["hair"]}, "emphasis must be a mapping"),
    ],
)
def test_defaults_that_cannot_be_used_are_named_at_once(config, defaults, message):
    with pytest.raises(ValueError, match=message):
        Stage(random_network(config), defaults)


def test_equal_seeds_give_equal_noise_whatever_stands_beside_them(base):
    noise = base.noise([7, 8, 7])
    assert noise.shape == (3, 4, 16, 16) and torch.equal(noise[0], noise[2])
    assert torch.equal(base.noise([8])[0], noise[1]) and not torch.equal(noise[0], noise[1])


@pytest.mark.parametrize("seed", [0, 7, MAX_SEED])
def test_the_noise_of_an_upscaler_is_not_that_of_its_base(base, seed):
    config = dataclasses.replace(TINY_UPSCALER, image_size=16, low_res_size=4)
    upscaler = Stage(random_network(config))  # of as many pixels, so that they can be compared
    assert torch.equal(upscaler.noise([seed]), upscaler.noise([seed]))
    assert (upscaler.noise([seed]) - base.noise([seed])).std() > 1


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpm++"])
@pytest.mark.parametrize("scale", [0, 1, 2.5])
def test_a_picture_of_an_upscaler_is_the_same_in_any_batch(upscaler, sampler, scale):
    settings = upscaler.settings(scale, 3, sampler)
    together = draw(upscaler, settings, [3, 9, 5, 9])
    alone = draw(upscaler, settings, [9], slice(1, 2))
    assert torch.allclose(together[1], alone[0], atol=1e-3)
    assert together.shape == (4, 4, 64, 64) and together.std() > 0.1


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpm++"])
@pytest.mark.parametrize("kind", ["base", "upscaler"])
def test_noise_that_nothing_comes_of_is_not_drawn(kind, sampler, request, monkeypatch):
    """From pure noise a "wiener" network sees zeros, and one step leaves nothing of the noise."""
    stage = request.getfixturevalue(kind)
    with monkeypatch.context() as patch:
        patch.setattr(type(stage.denoiser), "blind_to_noise", False)
        expected = draw(stage, Settings(1, sampler, Guidance()), range(4))
    monkeypatch.setattr("avatar_model.stage.noise_like", None)  # a call would raise
    assert draw(stage, Settings(1, sampler, Guidance()), range(4)).equal(expected)
    with pytest.raises(TypeError):
        draw(stage, Settings(2, sampler, Guidance()), range(4))
    seen = Stage(random_network(dataclasses.replace(stage.config, input_scaling="unit")))
    with pytest.raises(TypeError):
        draw(seen, Settings(1, sampler, Guidance()), range(4))
