"""The upscaler's network, and which configs describe one."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from avatar_model.attributes import NAMES, SIZES, one_hot, to_row
from avatar_model.config import ModelConfig
from avatar_model.network import AvatarNetwork
from tests.tiny import TINY_MODEL, TINY_UPSCALER, random_network

NEW_FIELDS = ("crop", "low_res_size")


def inputs(batch, seed=0):
    """Noise, times, looks and small pictures."""
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.integers(0, SIZES) for _ in range(batch)])
    x = torch.from_numpy(rng.standard_normal((batch, 4, 64, 64), dtype=np.float32))
    low_res = torch.from_numpy(rng.uniform(-1, 1, (batch, 4, 16, 16)).astype(np.float32))
    return x, torch.linspace(1, 0.25, batch), torch.from_numpy(one_hot(rows)), low_res


def test_an_untrained_one_is_exactly_the_bicubic_enlargement():
    x, t, looks, low_res = inputs(2)
    enlarged = F.interpolate(low_res, scale_factor=4, mode="bicubic")
    with torch.no_grad():
        assert torch.equal(AvatarNetwork(TINY_UPSCALER)(x, t, looks, low_res), enlarged)


def test_everything_it_is_given_reaches_what_it_adds_to_the_small_picture():
    network = random_network(TINY_UPSCALER)
    x, t, _, low_res = inputs(1)
    base = dict.fromkeys(NAMES, 0)
    changed = [base, *({**base, name: 1} for name in NAMES)]
    looks = torch.from_numpy(one_hot(np.stack([to_row(look) for look in changed])))

    def added(x, t, looks, low_res):
        out = network(x, t, looks, low_res)
        return out - F.interpolate(low_res, scale_factor=4, mode="bicubic")

    with torch.no_grad():
        plain = added(x, t, looks[:1], low_res)
        assert plain.shape == (1, 4, 64, 64)
        others = [
            added(-x, t, looks[:1], low_res),
            added(x, t / 2, looks[:1], low_res),
            added(x, t, looks[:1], -low_res),
            *(added(x, t, look[None], low_res) for look in looks[1:]),
        ]
    assert all((other - plain).abs().max() > 1e-4 for other in others)


def test_every_parameter_gets_a_gradient():
    network = random_network(TINY_UPSCALER).train()
    x, t, looks, low_res = inputs(3)
    network(x, t, looks, low_res).square().mean().backward()
    dead = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low_res_size": 32}, "low_res_size 32 must be image_size 64 / patch_size 4"),
        ({"low_res_size": 64, "patch_size": 1}, "patch_size of an upscaler must be at least 2"),
        ({"prediction": "eps"}, "low_res_size needs prediction 'x0'"),
        ({"crop": 0}, "crop must be from 1 to 500, not 0"),
        ({"crop": 501}, "crop must be from 1 to 500, not 501"),
    ],
)
def test_a_config_of_no_upscaler_or_no_crop_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY_UPSCALER, **change)


def test_a_config_survives_json():
    config = dataclasses.replace(TINY_UPSCALER, crop=420)
    assert ModelConfig.from_dict(config.to_dict()) == config and config.is_upscaler


def test_a_config_from_before_there_were_upscalers_is_a_base_that_draws_360_pixels():
    old = {name: v for name, v in TINY_MODEL.to_dict().items() if name not in NEW_FIELDS}
    config = ModelConfig.from_dict(old)
    assert config == TINY_MODEL and config.crop == 360 and not config.is_upscaler
