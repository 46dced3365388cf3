"""The data of a step: which rows, in which order, whether or not they were read ahead."""

import threading

import numpy as np
import torch

from avatar_model.attributes import one_hot
from train.data.batches import batch_rows, noise_seed
from train.loop.training_data import TrainingData


def training_data(config, data, own=slice(0, 8)):
    return TrainingData(config, data, data.split("train"), own, torch.device("cpu"))


def rows_of(config, data, step):
    rows = data.split("train")
    return rows[batch_rows(step, config.batch_size, len(rows), config.seed)]


def test_every_step_has_its_own_rows_whatever_was_read_before(config, drawn):
    source = training_data(config, drawn)
    for step in (0, 1, 2, 7, 3):  # a spike goes back
        rows = rows_of(config, drawn, step)
        attributes, pictures = source.batch(step)
        assert np.array_equal(pictures.images, drawn.images[rows])
        assert np.array_equal(attributes, one_hot(drawn.attributes[rows]))


def test_a_process_reads_its_own_share(config, drawn):
    attributes, pictures = training_data(config, drawn, slice(3, 5)).batch(4)
    assert np.array_equal(pictures.images, drawn.images[rows_of(config, drawn, 4)[3:5]])
    assert len(attributes) == config.batch_size  # chance is drawn for all, so it is the same


def test_the_next_step_is_read_while_this_one_is_computed(config, drawn, monkeypatch):
    source = training_data(config, drawn)
    read, steps = source._read, []
    ahead = threading.Event()

    def slow_read(step):
        steps.append(step)
        if step == 1:
            ahead.set()
        return read(step)

    monkeypatch.setattr(source, "_read", slow_read)
    source.batch(0)
    assert ahead.wait(10)  # nobody has asked for step 1
    source.batch(1)
    assert steps.count(1) == 1


def test_every_seed_and_step_has_its_own_noise():
    def noise(step, seed):
        return torch.randn(4, generator=torch.Generator().manual_seed(noise_seed(step, seed)))

    streams = [noise(step, seed) for step in (0, 1, 1000) for seed in (0, 1, 2, 2**31)]
    assert len({tuple(stream.tolist()) for stream in streams}) == len(streams)
