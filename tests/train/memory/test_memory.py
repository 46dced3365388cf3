import runpy
import sys
from types import SimpleNamespace

import pytest
import torch

from avatar_model.network import AvatarNetwork
from tests.tiny import TINY_UPSCALER
from train import presets
from train.memory import __main__ as command
from train.memory import estimate as memory
from train.memory.estimate import MIB, format_report, memory_report, training_loss, variants
from train.memory.trace import LiveMemory, follow_cuda, module_outputs, storages

BLOG = presets.load("blog-7-final")


def real_step(config, channels_last, cuda):
    """What the estimate claims, from a step on tensors that exist."""
    network = AvatarNetwork(config.model)
    memory._prepare(network, config, channels_last)
    if cuda:
        follow_cuda(network, channels_last)
    return SimpleNamespace(**memory.follow_step(network, config, config.batch_size))


@pytest.mark.parametrize("cuda", [False, True])
@pytest.mark.parametrize("name", [name for name in variants(BLOG) if name != "as configured"])
def test_estimate_equals_a_real_step(config, change, name, cuda):
    config = change(config, activation_checkpointing=True, mixed_precision="bf16")
    config, channels_last = variants(config).get(name, (config, True))
    report = memory_report(config, channels_last=channels_last, cuda=cuda)
    step = real_step(config, channels_last, cuda)
    assert report.by_place == pytest.approx(step.by_place, rel=0.01)
    assert report.by_kind == pytest.approx(step.by_kind, rel=0.01)
    assert report.activations == sum(report.by_kind.values())
    assert report.step_peak == pytest.approx(step.step_peak, rel=0.01)


def test_an_upscaler_is_estimated_with_its_small_picture(config, change):
    config = change(config, base="base", model=TINY_UPSCALER, data="drawn:100")
    report = memory_report(config)
    assert report.step_peak == pytest.approx(real_step(config, True, True).step_peak, rel=0.01)
    assert report.dataset == 100 * 4 * (64 * 64 + 2 * 16 * 16)


def test_hooks_count_what_stays_alive(config):
    """Two ways to measure: what autograd hands over, and what lives after the forward pass."""
    network = AvatarNetwork(config.model)
    with LiveMemory(storages(network)) as live:
        loss = training_loss(network, config, config.batch_size)
        alive = live.now
    assert loss.requires_grad
    assert memory_report(config, cuda=False).activations == pytest.approx(alive, rel=0.01)


def test_outputs_of_all_modules_are_counted_containers_too(config):
    layers = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.SiLU())
    with module_outputs(layers) as sizes:
        layers(torch.zeros(5, 2))
    assert sizes == [4 * 5 * 3] * 3
    layers(torch.zeros(5, 2))
    assert len(sizes) == 3  # not beyond the block
    report = memory_report(config)
    assert report.module_outputs == real_step(config, True, True).module_outputs > 0


@pytest.mark.parametrize("name", ["muon", "adam"])
def test_optimizer_state_is_what_the_optimizer_keeps(config, change, name):
    config = change(config, optimizer=name)
    assert memory_report(config).optimizer_state == real_step(config, True, False).optimizer_state


def test_the_optimizers_own_step_can_be_the_peak(config, change):
    """It is where a batch is small: Muon turns all its matrices at once."""
    config = change(config, batch_size=1)
    by_muon, by_adam = (memory_report(change(config, optimizer=n)) for n in ("muon", "adam"))
    assert by_muon.step_peak > by_adam.step_peak


def test_the_blogs_numbers():
    assert pytest.approx(291.69, abs=0.005) == 76_464_439 * 4 / MIB
    report = memory_report(BLOG)
    assert report.parameters == pytest.approx(76_464_439, rel=0.02)
    assert report.weights / MIB == pytest.approx(291.69, rel=0.02)
    assert report.optimizer_state / MIB == pytest.approx(583.38, rel=0.02)
    assert report.averages == 0
    # The author adds up 18,319 MB of a network with more layers than we can know of.
    assert 0.7 < report.module_outputs / MIB / 18_319 < 1.1
    assert report.optimizer_state / report.gradients == pytest.approx(2, rel=1e-4)
    assert report.activations > 0.7 * report.total


def test_norms_that_are_not_ours_work_in_float32(change):
    """What an H100 measured (``measured_peak``): autocast has PyTorch's norms keep float32."""
    config = change(presets.load("blog-8-diffusers"), mixed_precision="bf16", data="")
    assert memory_report(config).peak == pytest.approx(76_312_632_832, rel=0.1)


def test_nothing_is_allocated(change):
    assert memory_report(change(BLOG, batch_size=100_000)).activations > 2**40


def test_activations_grow_with_the_images_at_once(config, change):
    one, two = (memory_report(change(config, batch_size=n)) for n in (8, 16))
    halved = memory_report(change(config, gradient_accumulation=2, batch_size=16))
    assert two.activations == pytest.approx(2 * one.activations, rel=0.01)
    assert halved.by_place == one.by_place
    # The second part goes through while the gradients of the first are there.
    assert one.peak < halved.peak < one.peak + 1.1 * one.gradients


def test_what_saves_memory_does(config, change):
    config = change(config, batch_size=256)  # activations outweigh the copies of weights
    options = variants(config)
    full, bf16, recomputed = (
        memory_report(options[name][0]).activations
        for name in ("as configured", "bf16", "activation checkpointing")
    )
    assert recomputed < bf16 < full
    assert "float32" not in options  # it is how the run is configured
    assert bf16 < 0.55 * full  # no layer keeps float32


def test_the_data_set_on_the_gpu_is_counted(config, change):
    for data, count in (("cartoonset100k", 100_000), ("drawn:64", 64), ("/some/folder", 0)):
        assert memory.dataset_bytes(change(config, data=data)) == count * 16 * 16 * 4
    assert memory_report(config).dataset == 64 * 16 * 16 * 4
    assert memory_report(config, cuda=False).dataset == 0


def test_shares_add_up(config):
    report = memory_report(config)
    lines = format_report(report).split("\n\n")[0].splitlines()[1:]
    shares = [float(line.split()[-1].rstrip("%")) for line in lines]
    assert shares[-1] == 100
    assert sum(shares[:-1]) == pytest.approx(100, abs=0.5)


def test_two_real_steps_run_for_every_variant(config, change):
    """What the CUDA measurement does, on the CPU."""
    for changed, channels_last in variants(config).values():
        small = change(changed, batch_size=4)
        steps = memory.run_steps(small, channels_last, torch.device("cpu"))
        assert len(list(steps)) == 2


def test_the_measured_peak_is_that_of_the_second_step(config, monkeypatch):
    """With CUDA's counters played; tests/gpu compares real ones with the estimate."""
    peaks = iter([900, 500])
    monkeypatch.setattr(memory, "choose_device", lambda name: torch.device("cpu"))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 100)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: next(peaks))
    assert memory.measured_peak(config) == 400

    def too_much(*_):
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(memory, "run_steps", too_much)
    assert memory.measured_peak(config) is None


def test_the_tool(config, change, monkeypatch, capsys):
    some = {"as configured": (config, True), "bf16": (change(config, mixed_precision="bf16"), True)}
    monkeypatch.setattr(memory, "variants", lambda _: some)
    command.main(config)
    printed = capsys.readouterr().out
    assert " parameters, 8 images at once" in printed
    assert "estimate for one process on the CPU" in printed
    for name in ("weights", "optimizer state", "up0", "convolution", "as configured", "bf16"):
        assert f"\n{name} " in printed or f"\n  {name} " in printed
    assert printed.splitlines()[-1].count("MiB") == 3


def test_a_bad_preset_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "train.memory")
    monkeypatch.setattr(sys, "argv", ["memory", "--preset=blog-7"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("train.memory", run_name="__main__")
    assert "error: there is no preset 'blog-7'" in str(stopped.value)
