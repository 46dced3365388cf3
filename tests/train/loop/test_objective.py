import pytest
import torch

from avatar_model.attributes import ONE_HOT_SIZE
from avatar_model.denoiser import Denoiser
from avatar_model.schedules import flow
from train.loop.objective import diffusion_loss, make_noise

X0 = torch.rand(400, 4, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
ONE_HOT = torch.ones(400, ONE_HOT_SIZE)


def run(network, terminal_share=0.5, condition_dropout=0.1, seed=1):
    generator = torch.Generator().manual_seed(seed)
    draw = make_noise(ONE_HOT, 4, generator, terminal_share, condition_dropout)
    return diffusion_loss(Denoiser(network, flow()), X0, draw).mean()


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


def test_a_step_can_be_repeated():
    def network(x, *_):
        return x * 0.5

    assert run(network) == run(network)
    assert run(network) != run(network, seed=2)


def test_parts_of_a_batch_add_up_to_the_whole():
    denoiser = Denoiser(lambda x, *_: x * 0.5, flow())
    draw = make_noise(ONE_HOT, 4, torch.Generator().manual_seed(1), 0.5, 0.1)
    whole = diffusion_loss(denoiser, X0, draw)
    parts = [slice(0, 150), slice(150, 400)]
    pieces = [diffusion_loss(denoiser, X0[part], draw.rows(part)) for part in parts]
    assert torch.equal(torch.cat(pieces), whole)
