import dataclasses
import time

import pytest
from huggingface_hub import constants

from tests.tiny import TINY_MODEL
from tests.train.hub.hub_server import running_hub
from train.data.dataset import open_dataset
from train.loop.config import TrainConfig

TOKEN = "a-token/of-user.1"  # not like hf_...: what is hidden is this login's token, whatever it is


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A folder for packed data sets that all tests of a run share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def drawn(cache):
    """64 drawn faces at 16x16."""
    return open_dataset("drawn:64", TINY_MODEL.image_size, cache)


@pytest.fixture
def config(tmp_path):
    """A run of seconds."""
    return TrainConfig(
        data="drawn:64",
        run=tmp_path / "run",
        steps=6,
        batch_size=8,
        warmup_steps=2,
        log_steps=2,
        device="cpu",
        model=TINY_MODEL,
    )


@pytest.fixture
def change():
    """dataclasses.replace under a short name."""
    return dataclasses.replace


@pytest.fixture
def stop_after():
    """Have a trainer stop after a step, as a signal would."""

    def stop_after(trainer, step):
        train_step = trainer._train_step

        def then_stop():
            train_step()
            trainer._signals.received = int(trainer.state.step == step)

        trainer._train_step = then_stop

    return stop_after


@pytest.fixture
def hub(monkeypatch):
    """A Hub of our own, and a login as "user"."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between the client's own retries
    with running_hub() as server:
        server.state.users[TOKEN] = "user"
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        yield server
