"""Every command honours ``--device`` or refuses it by name."""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from train.loop import accelerator
from train.loop.accelerator import make_accelerator

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = {
    "train/run.py": ["--data=drawn:64", "--run=run"],
    "train.evaluate": ["--data=drawn:64", "--model=assets/model"],
    "train.render": ["--count=1", "--out=out"],
    "train.findings": ["--data=drawn:64", "--size=tiny", "--work=work"],
    "train.classifier": ["--data=drawn:64", "--out=out"],
    "train.memory": [],
    "benchmarks.gpu": [],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_device_that_is_not_here_is_refused_before_anything_is_made(
    command, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AVATAR_CACHE", "cache")
    monkeypatch.setattr(sys, "argv", [command, "--device=cuda:5", *COMMANDS[command]])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as end:
        if command.endswith(".py"):
            runpy.run_path(str(ROOT / command), run_name="__main__")
        else:
            runpy.run_module(command, run_name="__main__", alter_sys=True)
    assert str(end.value.code).startswith("error: there is no device 'cuda:5' here, only cpu")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def second_gpu(monkeypatch):
    """A machine with two GPUs, and what was made of it: ``current`` and Accelerator's arguments."""
    made = SimpleNamespace(current=0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: setattr(made, "current", device))
    monkeypatch.setattr(accelerator, "use_gpu_well", lambda device: None)
    monkeypatch.setattr(accelerator, "Accelerator", lambda **options: vars(made).update(options))
    return made


@pytest.mark.parametrize(
    ("device", "cpu", "current"),
    [(None, False, 0), ("cpu", True, 0), ("cuda", False, 0), ("cuda:1", False, "cuda:1")],
)
def test_the_trainer_takes_the_gpu_it_is_told(config, change, second_gpu, device, cpu, current):
    make_accelerator(change(config, device=device))
    assert second_gpu.cpu == cpu and str(second_gpu.current) == str(current)


def test_one_gpu_for_several_processes_is_refused(config, change, second_gpu, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="--device cuda:1 is one GPU, and every process needs"):
        make_accelerator(change(config, device="cuda:1"))
    make_accelerator(change(config, device="cuda"))
