"""The trainer on the device: what it learns, what it holds, and what stops it."""

import json
import warnings

import numpy as np
import pytest
import torch

from avatar_model import AvatarPipeline
from tests.gpu.waits import told_of_waits
from tests.tiny import TINY_UPSCALER
from tests.train import processes
from tests.train.loop.test_upscaler import save_base
from train import presets
from train.data.dataset import open_dataset
from train.loop.low_res import load_base, open_low_res
from train.loop.trainer import Trainer
from train.memory.estimate import MIB, measured_peak, memory_report

pytestmark = pytest.mark.gpu


def test_bfloat16_learns_from_data_on_the_device(train, config, change, drawn, device):
    config = change(config, steps=30, batch_size=16, mixed_precision="bf16", warmup_steps=5)
    losses = train(config)
    assert losses[-8:].mean() < 0.8 * losses[:4].mean()
    trainer = Trainer(config, drawn)
    assert trainer.device.type == device.type and trainer.state.step == 30
    if device.type == "cuda":
        pictures = trainer.training_data._arrays[0]
        assert isinstance(pictures, torch.Tensor) and pictures.device.type == "cuda"
    [checkpoint] = trainer.folder.checkpoints()
    assert AvatarPipeline.from_pretrained(checkpoint, device="cpu")(seed=1).images


def test_a_step_waits_for_the_device_once(config, change, drawn, device):
    trainer = Trainer(change(config, mixed_precision="bf16"), drawn)
    for _ in range(2):  # the first makes the optimizer's state
        trainer._train_step()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with told_of_waits(device, "warn"):
            trainer._train_step()
    waits = [str(w.message) for w in caught if "synchronizing CUDA operation" in str(w.message)]
    assert len(waits) == (device.type == "cuda"), waits


@pytest.mark.parametrize(
    "changes", [{"activation_checkpointing": True}, {"gradient_accumulation": 3}]
)
def test_what_saves_memory_changes_no_loss(train, config, change, tmp_path, changes):
    plain = train(config)
    thrifty = train(change(config, run=tmp_path / "thrifty", **changes))
    assert np.allclose(thrifty, plain, rtol=0.03)


def test_an_upscaler_learns_from_what_a_base_draws(train, config, change, drawn, cache, tmp_path):
    base = save_base(tmp_path / "base", drawn.vocabulary)
    large = open_dataset("drawn:64", TINY_UPSCALER.image_size, cache)
    low_res = open_low_res(load_base(base, config.device), "drawn:64", large)
    config = change(config, base=base, model=TINY_UPSCALER)
    assert np.isfinite(train(config, large, low_res=low_res)).all()


def test_a_killed_run_goes_on_and_two_share_a_device(cache, tmp_path, device):
    steps = 60 if device.type == "cuda" else 15  # bfloat16 is slow on a CPU
    flags = (f"--steps={steps}", f"--checkpoint-steps={steps // 3}", "--log-steps=1")
    flags = (*flags, "--mixed-precision=bf16")
    runs = [tmp_path / name for name in ("killed", "whole")]
    killed, whole = (processes.start(cache, run, *flags, device=str(device)) for run in runs)
    processes.wait_for_checkpoint(killed, runs[0])
    killed.kill()
    killed.communicate()
    output = processes.finish(processes.start(cache, runs[0], *flags, device=str(device)))
    assert f"on {device.type} x 1" in output
    processes.finish(whole)
    first, second = (list(processes.losses(run).values()) for run in runs)
    assert len(first) == len(second) == steps
    assert np.allclose(first, second, rtol=0.05)
    assert json.loads((runs[0] / "config.json").read_text())["device"] == str(device)


@pytest.mark.parametrize("precision", ["no", "bf16"])
@pytest.mark.parametrize("preset", presets.names())
def test_memory_is_what_was_estimated(on_gpu, change, preset, precision):
    config = change(presets.load(preset), mixed_precision=precision, device=str(on_gpu))
    estimate = memory_report(config).peak
    if estimate > torch.cuda.mem_get_info(on_gpu)[0]:
        pytest.skip(f"{preset} needs about {estimate / MIB:.0f} MiB, more than are free")
    assert measured_peak(config) == pytest.approx(estimate, rel=0.1)
