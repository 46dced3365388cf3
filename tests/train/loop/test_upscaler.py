"""An upscaler is trained: on what a base draws, resumable, and its checkpoint is a whole model."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from avatar_model import AvatarPipeline
from avatar_model.attributes import NAMES, Vocabulary
from avatar_model.checkpoint import fingerprint
from tests.tiny import TINY_MODEL, TINY_UPSCALER, random_network
from train.command import parse_run
from train.data.dataset import open_dataset
from train.data.errors import DatasetError
from train.data.splits import HELD_OUT, SPLITS
from train.loop.config import TrainConfig
from train.loop.low_res import fit_to_base, follow_base, load_base, open_low_res
from train.loop.run_folder import RunError
from train.loop.trainer import Trainer

ROOT = Path(__file__).resolve().parents[3]


def save_base(folder, vocabulary, seed=0):
    network = random_network(TINY_MODEL, seed)
    pipeline = AvatarPipeline(network, vocabulary, training={"held_out": HELD_OUT})
    pipeline.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def base_folder(drawn, tmp_path_factory):
    return save_base(tmp_path_factory.mktemp("base") / "base", drawn.vocabulary)


@pytest.fixture(scope="module")
def large(cache):
    return open_dataset("drawn:64", TINY_UPSCALER.image_size, cache)


@pytest.fixture(scope="module")
def low_res(base_folder, large):
    return open_low_res(load_base(base_folder, "cpu"), "drawn:64", large)


@pytest.fixture
def config(config, change, base_folder):
    return change(config, base=base_folder, model=TINY_UPSCALER, true_share=0.3)


def weights(checkpoint):
    return (checkpoint / "upscaler" / "model.safetensors").read_bytes()


def test_the_base_draws_every_picture_once(base_folder, low_res, large, drawn, monkeypatch):
    assert np.array_equal(low_res.true, drawn.images)
    assert low_res.generated.shape == low_res.true.shape and low_res.generated.dtype == np.uint8
    looks = dict(zip(NAMES, large.attributes[5].tolist(), strict=True))
    again = low_res.base(looks, seed=5, output_type="np").images[0]
    assert np.abs(again.astype(int) - low_res.generated[5]).max() <= 1
    monkeypatch.setattr("train.loop.low_res.generate_batches", None)  # not drawn again
    kept = open_low_res(load_base(base_folder, "cpu"), "drawn:64", large)
    assert np.array_equal(kept.generated, low_res.generated)


def test_another_base_draws_its_own(drawn, large, low_res, tmp_path):
    other = load_base(save_base(tmp_path / "other", drawn.vocabulary, seed=7), "cpu")
    assert not np.array_equal(open_low_res(other, "drawn:64", large).generated, low_res.generated)


def test_a_row_that_no_model_can_be_asked_for_is_not_drawn(cache, tmp_path):
    source = "drawn:100"  # two of its held-out looks have a value that no training image has
    small = open_dataset(source, TINY_MODEL.image_size, cache)
    used = np.sort(np.concatenate([small.split(name) for name in SPLITS]))
    assert len(used) == 98
    base = load_base(save_base(tmp_path / "base", small.vocabulary), "cpu")
    low_res = open_low_res(base, source, open_dataset(source, TINY_UPSCALER.image_size, cache))
    assert np.array_equal(np.flatnonzero(low_res.generated.any((1, 2, 3))), used)


def test_a_drawing_that_is_interrupted_leaves_nothing(drawn, large, tmp_path, monkeypatch):
    base = load_base(save_base(tmp_path / "other", drawn.vocabulary, seed=8), "cpu")

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    before = set(large.folder.parent.iterdir())
    monkeypatch.setattr("train.loop.low_res.generate_batches", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_low_res(base, "drawn:64", large)
    assert set(large.folder.parent.iterdir()) == before


def test_no_room_for_its_pictures_is_said_before(drawn, large, tmp_path, monkeypatch):
    base = load_base(save_base(tmp_path / "other", drawn.vocabulary, seed=9), "cpu")
    full = shutil._ntuple_diskusage(100, 100, 0)
    monkeypatch.setattr("train.data.packing.shutil.disk_usage", lambda path: full)
    with pytest.raises(DatasetError, match="cannot keep the base's pictures .* 0 MB are free"):
        open_low_res(base, "drawn:64", large)


def test_a_checkpoint_is_the_whole_model(config, large, low_res):
    checkpoint = Trainer(config, large, low_res=low_res).train()
    pipeline = AvatarPipeline.from_pretrained(checkpoint, device="cpu")
    assert pipeline.sizes == (16, 64)
    assert fingerprint(pipeline.network) == fingerprint(low_res.base.network)
    assert pipeline({"hair": 3}, seed=1).images[0].size == (64, 64)
    assert pipeline.upscaler.training["base"] == config.base
    assert pipeline.upscaler.training["steps"] == config.steps
    assert "psnr_db" in json.loads((checkpoint / "metrics.json").read_text())


def test_resuming_equals_not_stopping(config, change, large, low_res, tmp_path, stop_after):
    whole = change(config, run=tmp_path / "whole")
    expected = weights(Trainer(whole, large, low_res=low_res).train())
    stopped = change(config, run=tmp_path / "stopped")
    trainer = Trainer(stopped, large, low_res=low_res)
    stop_after(trainer, 3)
    assert trainer.train().name == "step-00000003"
    assert weights(Trainer(stopped, large, low_res=low_res).train()) == expected


def test_gradient_accumulation_changes_nothing(config, change, large, low_res, tmp_path):
    config = change(config, steps=1)
    gradients = []
    for parts in (1, 3):
        run = change(config, run=tmp_path / str(parts), gradient_accumulation=parts)
        trainer = Trainer(run, large, low_res=low_res)
        trainer.state.update = lambda trainer=trainer: gradients.append(
            [p.grad.clone() for p in trainer.state.network.parameters()]
        )
        trainer.train()
    for one, three in zip(*gradients, strict=True):
        assert torch.allclose(one, three, atol=1e-6)


def test_it_learns_from_the_small_picture(config, change, large, low_res):
    """After a few steps nearer to the truth than the small picture enlarged."""
    config = change(config, steps=40, true_share=1.0, terminal_share=1.0, condition_dropout=0.0)
    trainer = Trainer(config, large, low_res=low_res)
    losses = []
    backward = trainer._backward
    trainer._backward = lambda *args: losses.append(backward(*args)) or losses[-1]
    trainer.train()
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:2])


def test_it_starts_from_the_upscaler_of_a_checkpoint(
    config, change, large, low_res, drawn, tmp_path
):
    """Also for a base that was trained further, for which that upscaler itself is refused."""
    first = Trainer(config, large, low_res=low_res).train()
    folder = save_base(tmp_path / "better", drawn.vocabulary, seed=5)
    better = open_low_res(load_base(folder, "cpu"), "drawn:64", large)
    tuned = change(config, run=tmp_path / "tuned", base=folder, init_from=str(first))
    trainer = Trainer(tuned, large, low_res=better)
    given = AvatarPipeline.from_pretrained(first).upscaler.network.state_dict()
    begun = trainer.state.network.state_dict()
    assert all(torch.equal(w, given[name]) for name, w in begun.items())
    checkpoint = trainer.train()
    assert fingerprint(AvatarPipeline.from_pretrained(checkpoint).network) == fingerprint(
        better.base.network
    )


def test_a_run_does_not_go_on_with_another_base(config, drawn, large, low_res, tmp_path):
    Trainer(config, large, low_res=low_res).train()
    folder = save_base(tmp_path / "other", drawn.vocabulary, seed=6)
    other = open_low_res(load_base(folder, "cpu"), "drawn:64", large)
    with pytest.raises(RunError, match="has other weights than when .* began"):
        Trainer(config, large, low_res=other)


def test_the_crop_follows_the_base_and_other_sizes_are_refused(config, change, low_res):
    wide = change(config, model=change(TINY_UPSCALER, crop=420))
    assert follow_base(wide, low_res.base).model.crop == 360
    other = change(config, model=change(TINY_UPSCALER, image_size=32, low_res_size=8))
    with pytest.raises(ValueError, match="made for pictures of 8 pixels, and the base draws 16"):
        follow_base(other, low_res.base)


def test_a_base_that_saw_what_is_held_out_is_refused(drawn, tmp_path):
    AvatarPipeline(random_network(TINY_MODEL), drawn.vocabulary).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="base: .* other images held out than this run"):
        load_base(str(tmp_path), "cpu")


def test_a_base_with_other_labels_is_refused(low_res, large, tmp_path, change):
    labels = {**large.vocabulary.labels, "eye_lid": ("open", "closed")}
    other = change(large, vocabulary=change(large.vocabulary, labels=labels))
    with pytest.raises(DatasetError, match="the base was trained on other values of eye_lid"):
        open_low_res(low_res.base, "drawn:64", other)


def test_data_without_labels_has_those_of_the_base(low_res, large, caplog, change):
    bare = change(large, vocabulary=Vocabulary.numbered(large.vocabulary.counts))
    fitted = fit_to_base(low_res.base, bare)
    assert fitted.vocabulary == large.vocabulary
    assert "the data set has no labels (options.json)" in caplog.text
    again = open_low_res(low_res.base, "drawn:64", fitted)
    assert np.array_equal(again.generated, low_res.generated)


def test_what_the_base_never_saw_is_not_drawn(large, tmp_path, change):
    counts = {**large.vocabulary.counts, "eye_lid": (1, 0)}
    base = load_base(save_base(tmp_path, change(large.vocabulary, counts=counts), 3), "cpu")
    fitted = fit_to_base(base, large)
    drawn = open_low_res(base, "drawn:64", fitted).generated.any((1, 2, 3))
    column = large.attributes[:, NAMES.index("eye_lid")]
    used = np.concatenate([fitted.split(name) for name in SPLITS])
    assert sorted(used) == list(np.flatnonzero(drawn)) and not column[used].any() and column.any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": None}, "an upscaler needs a base"),
        ({"model": TrainConfig().model}, "--base is for an upscaler"),
        ({"true_share": 1.2}, "true_share must be from 0 to 1"),
    ],
)
def test_flags_that_do_not_fit_together(config, change, changes, message):
    with pytest.raises(ValueError, match=message):
        change(config, **changes)


def flags(base_folder, run):
    return [
        *("--preset=upscaler", "--data=drawn:64", f"--base={base_folder}", f"--run={run}"),
        *("--device=cpu", "--batch-size=5", "--log-steps=1", "--steps=6"),
        *("--model.image-size=64", "--model.low-res-size=16", "--model.channels", "16", "32"),
        *("--model.self-attention", "False", "False", "--model.canvas-channels=4"),
        *("--model.cross-attention", "False", "True", "--model.tau-width=32"),
    ]


def command(cache, base_folder, run, launch=()):
    return subprocess.run(
        [sys.executable, *launch, ROOT / "train" / "run.py", *flags(base_folder, run)],
        cwd=cache,
        env={**os.environ, "AVATAR_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_two_processes_learn_what_one_does(cache, base_folder, large, low_res, tmp_path):
    config = follow_base(parse_run(flags(base_folder, tmp_path / "one")), low_res.base)
    Trainer(config, large, low_res=low_res).train()
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--")
    done = command(cache, base_folder, tmp_path / "two", launch=launch)
    assert done.returncode == 0, done.stdout + done.stderr
    one, two = (
        np.genfromtxt(tmp_path / name / "log.csv", delimiter=",", names=True)["loss"]
        for name in ("one", "two")
    )
    assert len(one) == 6 and np.allclose(one, two, rtol=1e-3)
    assert (tmp_path / "two/checkpoints/step-00000006/upscaler/model.safetensors").is_file()


def test_a_base_that_is_not_there_is_one_sentence(cache, tmp_path):
    done = command(cache, tmp_path / "nowhere", tmp_path / "run")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"there is no checkpoint folder '{tmp_path / 'nowhere'}'" in done.stderr
