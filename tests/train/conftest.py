import dataclasses

import pytest

from tests.tiny import TINY_MODEL
from train.config import TrainConfig
from train.packed import open_dataset


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
