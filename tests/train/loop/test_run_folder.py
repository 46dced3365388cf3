"""The folder of a run: who may train in it, what changed, what may be damaged and what may not."""

import json
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from avatar_model import AvatarPipeline, CheckpointError
from avatar_model.training_run import best_checkpoint
from tests.train.processes import finish, start, steps_of, wait_for_checkpoint
from train.command import parse_run
from train.data.dataset import open_dataset
from train.loop.loss_guard import DivergedError
from train.loop.run_folder import RunError, RunFolder, read_config
from train.loop.trainer import Trainer


@pytest.fixture
def folder(tmp_path):
    """A run folder with three checkpoints, the first of them the best."""
    folder = RunFolder(tmp_path / "run")
    folder.checkpoints_path.mkdir(parents=True)
    for step, score in ((1, 30.0), (2, 20.0), (3, 25.0)):
        checkpoint = folder.write_checkpoint(step, lambda path: None)
        (checkpoint / "metrics.json").write_text(json.dumps({"psnr_db": score}))
    return folder


def test_a_second_start_is_refused_while_the_first_lives_and_not_after_it_was_killed(
    cache, tmp_path
):
    first = start(cache, tmp_path, "--steps=100000", "--checkpoint-steps=3")
    wait_for_checkpoint(first, tmp_path)
    half = tmp_path / "checkpoints" / "step-99999999.tmp"  # as if it were being written
    half.mkdir()
    output = finish(start(cache, tmp_path, "--steps=5"), code=1)
    assert f"error: another process is training in {tmp_path} now; stop it first" in output
    assert half.exists() and read_config(tmp_path)["steps"] == 100000
    first.kill()
    first.communicate()
    again = start(cache, tmp_path, "--steps=100000", "--checkpoint-steps=3")
    wait_for_checkpoint(again, tmp_path, beyond=max(steps_of(tmp_path)) + 10)
    again.send_signal(signal.SIGUSR1)  # what Slurm sends before it takes the machine back
    assert "stopped at step" in finish(again)


def test_the_run_folder_alone_goes_on_with_what_the_run_was_started_with(config, drawn):
    Trainer(config, drawn).train()
    flag = f"--run={config.run}"
    assert parse_run([flag], resumes=True) == config
    assert parse_run([flag, "--steps=8"], resumes=True).steps == 8
    assert parse_run([flag, "--preset=blog-7-final"], resumes=True).batch_size == 128
    assert parse_run([flag]).batch_size == 16  # what estimates memory does not resume


def test_a_config_of_another_version_is_read_and_a_damaged_one_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"batch_size": 4, "of_tomorrow": 1, "model": {}}')
    flag = f"--run={tmp_path}"
    config = parse_run([flag], resumes=True)
    assert (config.batch_size, config.run) == (4, tmp_path)
    (tmp_path / "config.json").write_text('{"batch_size": 0}')
    with pytest.raises(RunError, match=r"config\.json: batch_size must be from 1"):
        parse_run([flag], resumes=True)
    for damage in ("", "[]", '{"batch'):
        (tmp_path / "config.json").write_text(damage)
        with pytest.raises(RunError, match="cannot be read .* remove it, and give all flags"):
            parse_run([flag], resumes=True)


def test_a_changed_flag_is_told_and_kept(config, change, drawn, capsys):
    Trainer(config, drawn).train()
    capsys.readouterr()
    Trainer(change(config, learning_rate=1e-4, true_share=0.5), drawn)
    told = capsys.readouterr().out
    assert "learning_rate: 0.002 -> 0.0001, from step 6" in told
    assert "--true-share does nothing without --base" in told
    Trainer(change(config, learning_rate=1e-4, true_share=0.5), drawn)
    [entry] = read_config(config.run)["history"]
    changed = {"learning_rate": [0.002, 0.0001], "true_share": [0.1, 0.5]}
    assert entry == {"step": 6, "changed": changed}


def test_the_same_data_elsewhere_is_the_same_and_other_data_is_refused(
    config, change, drawn, cache, capsys
):
    Trainer(config, drawn).train()
    Trainer(change(config, data="/elsewhere/faces.tar"), drawn)
    assert "data: drawn:64 -> /elsewhere/faces.tar" in capsys.readouterr().out
    other = open_dataset("drawn:65", 16, cache)
    with pytest.raises(RunError, match="holds a run on other data than drawn:65"):
        Trainer(change(config, data="drawn:65"), other)


def test_side_files_that_are_damaged_do_not_block_resuming(config, change, drawn):
    Trainer(config, drawn).train()
    checkpoint = config.run / "checkpoints" / "step-00000006"
    (config.run / "log.csv").write_bytes(b"")
    (checkpoint / "metrics.json").write_text("[1]")
    (checkpoint / "samples.png").unlink()
    shutil.rmtree(config.run / "tensorboard")
    (config.run / "tensorboard").write_text("a file")
    (config.run / "samples" / "real.png").write_bytes(b"")
    Trainer(change(config, steps=8), drawn).train()
    lines = (config.run / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "8"]


@pytest.mark.parametrize(
    ("damage", "kept"),
    [
        ("step,loss\n2,0.5\n4,0.4\n9,0.3\n", ["2", "4"]),
        ("step,loss\n2,0.5\n4,0", ["2"]),
        ("step,loss", []),
        ("step,loss\n2,0.5\n\x00\x00\x00\n4,0.4\n", ["2", "4"]),
        ("\n", []),
    ],
)
def test_a_log_is_cut_where_the_run_goes_on_and_damage_goes(folder, damage, kept):
    folder.log.path.write_text(damage)
    folder.log.cut(6)
    folder.log.append({"step": 8, "loss": 0.2})
    lines = folder.log.path.read_text().splitlines()
    assert lines[0] == "step,loss" and [line[0] for line in lines[1:]] == [*kept, "8"]


def test_a_log_with_other_columns_is_set_aside(folder):
    folder.log.append({"step": 1, "loss": 0.5})
    folder.log.append({"step": 2, "loss": 0.5, "rate": 3})
    assert folder.log.path.read_text() == "step,loss,rate\n2,0.5,3\n"
    assert folder.log.path.with_suffix(".before.csv").read_text() == "step,loss\n1,0.5\n"


def test_files_that_only_tell_of_a_run_may_fail(config, drawn, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    trainer = Trainer(config, drawn)
    monkeypatch.setattr(trainer.folder.log, "append", full)
    monkeypatch.setattr("train.loop.checkpoints.save_pairs", full)
    assert (trainer.train() / "state.pt").exists()
    told = capsys.readouterr().out
    assert told.count("log.csv: [Errno 28] No space left on device; training goes on") == 1
    assert "step-00000006 is saved, but not its pictures and its score" in told


def test_the_best_and_the_newest_stay_and_what_cannot_be_removed_is_told(folder, monkeypatch):
    def names():
        return [path.name[-1] for path in folder.checkpoints()]

    def busy(*_):
        raise OSError(16, "Device or resource busy")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", busy)
        [problem] = folder.drop_old(keep=1)
    assert "cannot remove the old checkpoint" in problem and "resource busy" in problem
    assert names() == ["1", "2", "3"]
    # Leftovers of a network drive: renamed, but not empty. It is no checkpoint any more.
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    assert folder.drop_old(keep=1) == [] and names() == ["1", "3"]
    monkeypatch.undo()
    folder.open({})
    assert sorted(path.name[-1] for path in folder.checkpoints_path.iterdir()) == ["1", "3"]


def test_the_folder_of_a_run_loads_as_its_best_checkpoint(config, change, drawn, tmp_path):
    with pytest.raises(CheckpointError, match="is this a checkpoint folder"):
        AvatarPipeline.from_pretrained(tmp_path)
    Trainer(change(config, checkpoint_steps=3), drawn).train()
    worst = f'{{"psnr_db": {"9" * 400}}}'  # too large for a float
    for step, metrics in ((3, '{"psnr_db": 99}'), (6, worst)):
        (config.run / "checkpoints" / f"step-0000000{step}" / "metrics.json").write_text(metrics)
    assert best_checkpoint(config.run).name == "step-00000003"
    assert AvatarPipeline.from_pretrained(config.run).training["steps"] == 3
    shutil.rmtree(config.run / "checkpoints" / "step-00000003")
    assert AvatarPipeline.from_pretrained(str(config.run)).training["steps"] == 6
    shutil.rmtree(config.run / "checkpoints" / "step-00000006")
    with pytest.raises(CheckpointError, match="has no checkpoint yet"):
        AvatarPipeline.from_pretrained(config.run)


def test_what_could_not_generate_is_refused_before_the_first_step(config, change, drawn):
    with pytest.raises(ValueError, match="ends in pure noise"):
        model = change(config.model, prediction="eps", input_scaling="unit")
        Trainer(change(config, model=model), drawn).train()
    assert not (config.run / "log.csv").exists()


def test_a_disk_without_room_for_a_checkpoint_is_refused_before_the_first_step(
    config, drawn, monkeypatch
):
    trainer = Trainer(config, drawn)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    with pytest.raises(RunError, match="no room for a checkpoint in .* needs 3 MB and 1 MB are"):
        trainer.train()
    assert trainer.state.step == 0


@pytest.mark.parametrize("signals", [1, 2])
def test_the_state_is_saved_before_pictures_and_a_second_signal_skips_those(
    signals, config, drawn, monkeypatch, capsys
):
    trainer = Trainer(config, drawn)
    generate, step = trainer.checkpoints._generate, trainer._train_step

    def stopped_in_step_3():
        step()
        if trainer.state.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    def stopped_again(*arguments):
        assert (config.run / "checkpoints" / "step-00000003" / "state.pt").exists()
        if signals == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return generate(*arguments)

    monkeypatch.setattr(trainer, "_train_step", stopped_in_step_3)
    monkeypatch.setattr(trainer.checkpoints, "_generate", stopped_again)
    before = signal.getsignal(signal.SIGTERM)
    checkpoint = trainer.train()
    assert signal.getsignal(signal.SIGTERM) is before
    assert (checkpoint / "metrics.json").exists() == (signals == 1)
    skipped = "step-00000003 is saved; its pictures and its score were skipped"
    assert (skipped in capsys.readouterr().out) == (signals == 2)
    assert Trainer(config, drawn).state.step == 3


def test_a_signal_that_was_ignored_stays_ignored(config, change, drawn):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    trainer = Trainer(change(config, steps=1), drawn)
    try:
        with trainer._signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert trainer._signals.received == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_spikes_without_end_end_the_run(config, change, drawn, capsys):
    """The counts outlive going back, or they would never reach their limit."""
    config = change(config, steps=30, log_steps=1, checkpoint_steps=5, lr_schedule="constant")
    trainer = Trainer(change(config, max_spikes=2), drawn)
    backward = trainer._backward
    trainer._backward = lambda *part: backward(*part) * (50 if trainer.state.step == 12 else 1)
    with pytest.raises(DivergedError, match=r"the loss jumped 3 times, .* max_spikes = 2"):
        trainer.train()
    assert capsys.readouterr().out.count("went back to step 10") == 2


def test_a_run_that_ends_in_steps_without_a_gradient_is_no_success(config, change, drawn):
    wild = change(config, learning_rate=1e3, warmup_steps=0, steps=20, log_steps=20)
    with pytest.raises(DivergedError, match="NaN or infinite|the loss jumped"):
        Trainer(wild, drawn).train()


def test_a_file_in_the_place_of_a_checkpoint_to_be_does_not_block_it(config, drawn):
    Trainer(config, drawn)
    (config.run / "checkpoints" / "step-00000006.tmp").write_text("")
    assert Trainer(config, drawn).train().is_dir()
    assert [path.name for path in (config.run / "checkpoints").iterdir()] == ["step-00000006"]


def test_a_limit_of_zero_is_no_limit_of_the_gradient(config, change, drawn, tmp_path):
    free, large = (
        Trainer(change(config, run=tmp_path / str(limit), grad_clip=limit), drawn)
        for limit in (0, 1e9)
    )
    assert (free.train() / "model.safetensors").read_bytes() == (
        large.train() / "model.safetensors"
    ).read_bytes()
