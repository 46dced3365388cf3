import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from avatar_model import ModelConfig
from avatar_model.network import AvatarNetwork
from train.loop.ema import GAMMA, PowerEma
from train.loop.optimizer import Muon, make_optimizers, orthogonalized
from train.loop.trainer import Trainer


class Operations(TorchDispatchMode):
    """Counts what is computed within it; a view of a tensor is not."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += not function.is_view
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("shape", [(16, 16), (8, 40), (40, 8)])
def test_orthogonalized_keeps_directions_and_evens_out_sizes(shape):
    random = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, vh = torch.linalg.svd(random, full_matrices=False)
    sizes = torch.logspace(0, -1.5, min(shape))
    [out] = orthogonalized([u @ sizes.diag() @ vh])
    inner = u.T @ out @ vh.T  # diagonal if the singular directions are kept
    assert (inner - inner.diag().diag()).abs().max() < 1e-4
    assert inner.diag().min() > 0.6 and inner.diag().max() < 1.25


def test_matrices_of_any_shapes_are_made_orthogonal_together():
    g = torch.Generator().manual_seed(0)
    shapes = [(8, 40), (16, 16), (40, 8), (8, 8), (16, 16), (8, 40), (24, 16)]
    matrices = [torch.randn(shape, generator=g) for shape in shapes]
    for matrix, out in zip(matrices, orthogonalized(matrices), strict=True):
        [alone] = orthogonalized([matrix])
        assert torch.allclose(out, alone, atol=1e-6) and out.shape == matrix.shape


def test_more_matrices_of_a_shape_start_no_more_operations():
    """On a GPU that is what a step of a small batch waits for."""

    def started(count):
        ones = torch.ones(8, 4, 3, 3).contiguous(memory_format=torch.channels_last)
        weights = [nn.Parameter(ones.clone()) for _ in range(count)]
        for weight in weights:
            weight.grad = torch.ones_like(weight)
        optimizer = Muon(weights, lr=0.1)
        optimizer.step()  # the first makes the momenta
        with Operations() as operations:
            optimizer.step()
        return operations.count

    assert started(9) == started(2) < 60


def test_muon_fits_a_convolution_whose_inputs_differ_in_size():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(32, 4, 8, 8, generator=g) * torch.logspace(0, -1.5, 4).view(1, 4, 1, 1)
    teacher = torch.randn(6, 4, 3, 3, generator=g)
    target = nn.functional.conv2d(x, teacher)
    weight = nn.Parameter(torch.zeros(6, 4, 3, 3))
    optimizer = Muon([weight], lr=0.0)
    for step in range(100):
        optimizer.param_groups[0]["lr"] = 0.5 * (1 - step / 100)
        loss = (nn.functional.conv2d(x, weight) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 1e-3 * target.square().mean()
    # Also the input that is 30 times smaller, to which plain descent would be almost blind.
    missed = (weight - teacher)[:, 3].square().mean() / teacher[:, 3].square().mean()
    assert missed < 0.1


@pytest.mark.parametrize("name", ["muon", "adam", "adamw"])
def test_every_parameter_has_exactly_one_optimizer(name):
    network = AvatarNetwork(ModelConfig())
    groups = [g for o in make_optimizers(network, name, 1e-3) for g in o.param_groups]
    owned = [id(p) for g in groups for p in g["params"]]
    assert sorted(owned) == sorted(id(p) for p in network.parameters())


def test_ema_follows_the_same_share_of_a_run_whatever_its_length():
    """The mean age of the average is a fixed share of the steps: 1 / (gamma + 2) of them."""
    for steps in (200, 2000):
        module = nn.Linear(1, 1, bias=False)
        ema = PowerEma(module)
        for step in range(1, steps + 1):
            nn.init.constant_(module.weight, step)
            ema.update(step)
        age = 1 - ema.average[0].item() / steps
        assert age == pytest.approx(1 / (GAMMA + 2), rel=0.1)


def test_ema_starts_at_the_first_weights_not_at_the_initial_ones():
    module = nn.Linear(2, 2)
    ema = PowerEma(module)
    nn.init.constant_(module.weight, 3.0)
    ema.update(1)
    assert (ema.average[0] == 3).all()


def test_without_an_ema_the_last_weights_are_saved(config, change, drawn):
    for ema in (True, False):
        run = change(config, ema=ema, run=config.run / str(ema), learning_rate=0.01)
        trainer = Trainer(run, drawn)
        saved = load_file(trainer.train() / "model.safetensors")
        last = trainer.state.network.state_dict()
        same = [torch.equal(saved[name], last[name].half()) for name in saved]
        assert all(same) != ema
        again = Trainer(change(run, steps=8), drawn)  # resumes
        assert again.state.step == 6
        resumed = again.state.final_network.state_dict()
        assert all(torch.equal(saved[name], resumed[name].half()) for name in saved)
