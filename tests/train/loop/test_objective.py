import dataclasses

import pytest
import torch

from avatar_model.attributes import ONE_HOT_SIZE
from avatar_model.denoiser import Denoiser
from avatar_model.schedules import flow
from tests.tiny import TINY_MODEL
from train.loop.config import TrainConfig
from train.loop.objective import diffusion_loss, make_randomness

CONFIG = TrainConfig(model=dataclasses.replace(TINY_MODEL, image_size=8))
X0 = torch.rand(400, 4, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
ONE_HOT = torch.ones(400, ONE_HOT_SIZE)


def draw(seed=1, **changes):
    config = dataclasses.replace(CONFIG, **changes)
    return make_randomness(config, ONE_HOT, torch.Generator().manual_seed(seed))


def run(network, seed=1, **changes):
    randomness = draw(seed, **changes)
    return diffusion_loss(Denoiser(network, flow()), X0, randomness).mean()


def test_a_perfect_network_has_no_loss_and_a_blank_one_has_the_power_of_the_data():
    assert run(lambda *_: X0) == 0
    assert run(lambda x, *_: torch.zeros_like(x)).item() == pytest.approx(X0.square().mean().item())


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_asked_share_is_trained_on_pure_noise(share):
    seen = []
    run(lambda x, t, c: seen.append(t) or x, terminal_share=share)
    assert (seen[0] == 1).float().mean().item() == pytest.approx(share, abs=0.08)


def test_the_asked_share_of_requests_loses_attributes():
    seen = []
    run(lambda x, t, c: seen.append(c) or x, condition_dropout=0.4)
    lost = (seen[0] == 0).any(1).float().mean().item()
    assert lost == pytest.approx(0.4, abs=0.08)


def test_or_every_attribute_is_lost_on_its_own():
    lost = draw(condition_dropout=0.2, dropout_per_attribute=True).one_hot == 0
    assert lost.float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert lost.any(1).float().mean() > 0.9 and not lost.all(1).any()


@pytest.mark.parametrize("channels", [3, 4])
def test_noise_has_the_channels_of_the_images(channels):
    model = dataclasses.replace(CONFIG.model, image_channels=channels)
    assert draw(model=model).eps.shape == (400, channels, 8, 8)


def test_a_step_can_be_repeated():
    def network(x, *_):
        return x * 0.5

    assert run(network) == run(network)
    assert run(network) != run(network, seed=2)


def test_parts_of_a_batch_add_up_to_the_whole():
    denoiser = Denoiser(lambda x, *_: x * 0.5, flow())
    randomness = draw()
    whole = diffusion_loss(denoiser, X0, randomness)
    parts = [slice(0, 150), slice(150, 400)]
    pieces = [diffusion_loss(denoiser, X0[part], randomness.rows(part)) for part in parts]
    assert torch.equal(torch.cat(pieces), whole)


def test_pixels_count_as_they_are_weighed():
    denoiser, randomness = Denoiser(lambda x, *_: torch.zeros_like(x), flow()), draw()
    left = torch.zeros(8, 8)
    left[:, :4] = 2
    weighed = diffusion_loss(denoiser, X0, randomness, pixel_weights=left)
    assert torch.allclose(weighed, X0[..., :4].square().mean((1, 2, 3)))
