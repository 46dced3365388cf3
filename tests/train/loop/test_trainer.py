"""The trainer in this process: resuming, scaling, spikes, bad gradients, full disks."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from avatar_model import AvatarPipeline, CheckpointError
from avatar_model.atomic import TEMPORARY
from avatar_model.training_run import best_checkpoint
from train.data.batches import batch_rows
from train.loop.loss_guard import DivergedError, LossGuard
from train.loop.run_folder import RunError, RunFolder
from train.loop.trainer import Trainer


def losses(run):
    with (run / "log.csv").open() as file:
        return [(int(row["step"]), float(row["loss"])) for row in csv.DictReader(file)]


def weights(checkpoint):
    return (checkpoint / "model.safetensors").read_bytes()


def test_resuming_equals_not_stopping(config, change, drawn, tmp_path, stop_after):
    """Stopped in the middle of a log interval, and the log and the weights are the same."""
    whole = change(config, run=tmp_path / "whole")
    expected = weights(Trainer(whole, drawn).train())

    stopped = change(config, run=tmp_path / "stopped")
    trainer = Trainer(stopped, drawn)
    stop_after(trainer, 3)
    assert trainer.train().name == "step-00000003"
    assert weights(Trainer(stopped, drawn).train()) == expected
    assert losses(tmp_path / "stopped") == losses(tmp_path / "whole")


def test_a_run_starts_from_a_checkpoint_which_it_does_not_need_to_resume(
    config, change, drawn, tmp_path, stop_after
):
    first = Trainer(config, drawn).train()
    start = shutil.copytree(first, tmp_path / "start")
    tuned = change(config, run=tmp_path / "tuned", init_from=str(start), steps=8)
    trainer = Trainer(tuned, drawn)
    given = AvatarPipeline.from_pretrained(start).network.state_dict()
    begun = trainer.state.network.state_dict()
    assert all(torch.equal(w, given[name]) for name, w in begun.items())
    stop_after(trainer, 3)
    trainer.train()
    shutil.rmtree(start)
    checkpoint = Trainer(tuned, drawn).train()
    assert checkpoint.name == "step-00000008"
    assert AvatarPipeline.from_pretrained(checkpoint).training["init_from"] == tuned.init_from


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("model", "num_heads"), 2, "another architecture: its num_heads is 2, not 4"),
        (("training", "held_out"), "1% test", "with other images held out than this run"),
    ],
)
def test_a_start_that_does_not_fit_is_named(where, value, message, config, change, drawn, tmp_path):
    start = Trainer(config, drawn).train()
    described = json.loads((start / "config.json").read_text())
    described[where[0]][where[1]] = value
    (start / "config.json").write_text(json.dumps(described))
    with pytest.raises(ValueError, match=message):
        Trainer(change(config, run=tmp_path / "tuned", init_from=str(start)), drawn)


def test_gradient_accumulation_and_activation_checkpointing_change_nothing(
    config, change, drawn, tmp_path
):
    plain = change(config, run=tmp_path / "plain")
    Trainer(plain, drawn).train()
    thrifty = change(
        config, run=tmp_path / "thrifty", gradient_accumulation=3, activation_checkpointing=True
    )
    Trainer(thrifty, drawn).train()
    a, b = (np.array(losses(tmp_path / run)) for run in ("plain", "thrifty"))
    assert np.allclose(a, b, rtol=1e-4)


def test_a_batch_that_cannot_be_split_is_named(config, change, drawn):
    with pytest.raises(ValueError, match="batch_size 8 cannot be split over 9 parts"):
        Trainer(change(config, gradient_accumulation=9), drawn)


def test_checkpoints_by_steps_keep_the_newest_and_the_best(config, change, drawn, monkeypatch):
    psnr = iter([20.0, 30.0, 25.0, 24.0, 23.0, 22.0])
    monkeypatch.setattr(
        "train.loop.checkpoints.psnr", lambda drawn, real: np.full(len(drawn), next(psnr))
    )
    Trainer(change(config, checkpoint_steps=1), drawn).train()
    folder = RunFolder(config.run)
    assert [path.name[-1] for path in folder.checkpoints()] == ["2", "5", "6"]
    assert best_checkpoint(config.run).name == "step-00000002"


def test_a_loss_spike_goes_back_and_cuts_the_rate(config, change, drawn):
    config = change(config, steps=30, log_steps=1, checkpoint_steps=5, lr_schedule="constant")
    trainer = Trainer(config, drawn)
    backward, poisoned = trainer._backward, []

    def spoil_step_12(*args):
        loss = backward(*args)
        if trainer.state.step == 12 and not poisoned:
            poisoned.append(True)
            loss = loss * 50
        return loss

    trainer._backward = spoil_step_12
    trainer.train()
    assert trainer.state.learning_rate.scale == 0.5
    assert [step for step, _ in losses(config.run)] == list(range(1, 31))
    events = EventAccumulator(str(config.run / "tensorboard")).Reload()
    text = str(events.Tensors("events/text_summary"))
    assert "the loss jumped" in text and "went back to step 10" in text


def test_bad_gradients_are_skipped_counted_and_stop_the_run_past_the_limit(config, change, drawn):
    trainer = Trainer(change(config, max_bad_gradients=2), drawn)
    backward = trainer._backward

    def spoil(*args):
        loss = backward(*args)
        if trainer.state.step in (1, 3):
            next(trainer.state.network.parameters()).grad[0] = float("nan")
        return loss

    trainer._backward = spoil
    trainer.train()
    assert trainer.state.guard.bad_gradients == 2
    assert all(p.isfinite().all() for p in trainer.state.network.parameters())

    again = Trainer(change(config, steps=20, max_bad_gradients=2), drawn)
    assert again.state.guard.bad_gradients == 2  # remembered

    def always(*args):
        loss = Trainer._backward(again, *args)
        next(again.state.network.parameters()).grad[0] = float("inf")
        return loss

    again._backward = always
    with pytest.raises(DivergedError, match="3 gradients were NaN or infinite by step 6"):
        again.train()


def test_a_guard_tells_spikes_from_noise():
    guard = LossGuard(spike_factor=4.0, max_bad_gradients=1, max_spikes=1)
    rng = np.random.default_rng(0)
    assert not any(guard.is_spike(x) for x in 0.02 * rng.lognormal(0, 0.3, size=500))
    assert guard.is_spike(0.2) and guard.is_spike(float("nan"))
    assert not guard.is_spike(0.02)
    assert not LossGuard(0.0, 1, 1).is_spike(1e9)


@pytest.mark.parametrize("damage", [lambda whole: whole[:2000], lambda whole: bytes(len(whole))])
def test_a_damaged_checkpoint_is_set_aside_for_the_one_before(
    config, change, drawn, capsys, damage
):
    Trainer(change(config, checkpoint_steps=2), drawn).train()
    newest = config.run / "checkpoints" / "step-00000006"
    state = newest / "state.pt"
    state.write_bytes(damage(state.read_bytes()))
    trainer = Trainer(config, drawn)
    assert trainer.state.step == 4
    assert f"{newest} is damaged" in capsys.readouterr().out
    assert (newest.parent / "damaged-step-00000006" / "model.safetensors").exists()
    trainer.train()


def test_no_intact_checkpoint_is_an_error_and_nothing_is_lost(config, drawn):
    newest = Trainer(config, drawn).train()
    (newest / "state.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match="no checkpoint in .* can be resumed"):
        Trainer(config, drawn)
    assert (newest / "model.safetensors").exists()


def test_a_checkpoint_that_cannot_be_written_does_not_stop_the_run(
    config, change, drawn, monkeypatch
):
    trainer = Trainer(change(config, checkpoint_steps=2), drawn)
    save, said = torch.save, []
    monkeypatch.setattr(trainer.progress, "say", lambda step, message: said.append(message))

    def full_disk(state, path):
        if state["step"] == 4:
            raise OSError(28, "No space left on device")
        save(state, path)

    monkeypatch.setattr(torch, "save", full_disk)
    trainer.train()
    assert [p.name[-1] for p in trainer.folder.checkpoints()] == ["2", "6"]
    assert any("No space left" in text and "training goes on" in text for text in said)
    assert not list(config.run.glob("checkpoints/*.tmp"))


def test_a_last_checkpoint_that_cannot_be_written_is_an_error(config, drawn, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(RunError, match=r"cannot write the checkpoint .*No space left"):
        Trainer(config, drawn).train()


def test_a_start_clears_away_what_a_kill_has_left(config, drawn):
    left = ["checkpoints/step-00000009.tmp/state.pt", f"{TEMPORARY}1", f"samples/{TEMPORARY}2"]
    for name in left:
        (config.run / name).parent.mkdir(parents=True, exist_ok=True)
        (config.run / name).write_text("half")
    Trainer(config, drawn)
    assert not any((config.run / name).exists() for name in left)
    assert not list((config.run / "checkpoints").iterdir())


def test_an_unwritable_run_folder_is_named(config, change, drawn, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write the run folder .*file/run"):
        Trainer(change(config, run=tmp_path / "file" / "run"), drawn)


def test_scalars_pictures_and_card_are_written(config, drawn):
    checkpoint = Trainer(config, drawn).train()
    events = EventAccumulator(str(config.run / "tensorboard")).Reload()
    assert [e.step for e in events.Scalars("train/loss")] == [2, 4, 6]
    assert events.Scalars("validation/psnr_db")[0].step == 6
    assert events.Images("validation/pairs")[0].width > 100
    assert (config.run / "samples" / "step-00000006.png").exists()
    assert "drawn" in (checkpoint / "README.md").read_text()
    assert json.loads((checkpoint / "metrics.json").read_text())["psnr_db"] > 0


def test_bf16_trains_and_saves_float32_state(config, change, drawn):
    AcceleratorState._reset_state(reset_partial_state=True)  # one precision per process otherwise
    checkpoint = Trainer(change(config, mixed_precision="bf16"), drawn).train()
    state = torch.load(checkpoint / "state.pt", weights_only=True)
    assert all(v.dtype == torch.float32 for v in state["network"].values())
    AvatarPipeline.from_pretrained(checkpoint, device="cpu")(seed=1)
    AcceleratorState._reset_state(reset_partial_state=True)


def test_every_epoch_visits_every_image_once():
    size, batch = 10, 4
    seen = np.concatenate([batch_rows(step, batch, size, seed=1) for step in range(5)])
    assert np.bincount(seen, minlength=size).tolist() == [2] * size
    assert not np.array_equal(np.sort(seen), seen)
