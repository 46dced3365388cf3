"""What a GPU does, beside what the CPU does. ``pytest -m gpu`` runs these tests alone.

``AVATAR_TEST_DEVICE=cpu`` rehearses them without a GPU, on networks so small that it takes seconds;
``cuda:1`` takes another one.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

from avatar_model import AvatarPipeline
from tests.tiny import two_stages
from tests.train.conftest import cache, change, drawn  # noqa: F401
from tests.train.conftest import config as run_of_seconds  # noqa: F401
from tests.train.processes import losses
from train.loop.trainer import Trainer

BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "model"


@pytest.fixture(scope="session")
def device():
    """Where the tests run; they are skipped if that is a GPU and there is none."""
    name = os.environ.get("AVATAR_TEST_DEVICE") or "cuda"
    if name.startswith("cuda") and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device; AVATAR_TEST_DEVICE=cpu rehearses without one")
    return torch.device(name)


@pytest.fixture(scope="session")
def on_gpu(device):
    """Skips what has nothing to rehearse on a CPU."""
    if device.type != "cuda":
        pytest.skip("there is nothing to measure without a GPU")
    return device


@pytest.fixture(scope="session")
def model(device, tmp_path_factory):
    """The bundled model; in a rehearsal one as small as can be, of two stages too."""
    if device.type == "cuda":
        return BUNDLED
    folder = tmp_path_factory.mktemp("model")
    two_stages().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def on_cpu(model):
    """A pipeline that draws as everything is measured."""
    return AvatarPipeline.from_pretrained(model, device="cpu")


@pytest.fixture
def pipeline(device, model):
    """The same on the device."""
    return AvatarPipeline.from_pretrained(model, device=device)


@pytest.fixture
def config(run_of_seconds, device):  # noqa: F811
    """A run of seconds on the device."""
    return dataclasses.replace(run_of_seconds, device=str(device), steps=8, log_steps=1)


@pytest.fixture(autouse=True)
def any_precision():
    """Accelerate would keep the precision of a process's first trainer for all."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def train(drawn):  # noqa: F811
    """Make a run and return its losses."""

    def train(config, data=drawn, **parts):
        Trainer(config, data, **parts).train()
        return np.array(list(losses(config.run).values()))

    return train
