"""The trainer as a user runs it: real processes, real kills, and the result in the pipeline."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avatar_model import AvatarPipeline
from train.trainer import batch_rows, learning_rate_factor

ROOT = Path(__file__).resolve().parents[2]
TINY = [
    "--data=drawn:64",
    "--batch-size=8",
    "--model.image-size=16",
    *("--model.channels", "16", "32"),
    *("--model.self-attention", "False", "False"),
    *("--model.cross-attention", "False", "True"),
    "--model.canvas-channels=4",
    "--model.tau-width=32",
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def start(cache, run, *flags):
    return subprocess.Popen(
        [sys.executable, ROOT / "train" / "run.py", *TINY, f"--run={run}", *flags],
        cwd=cache,  # train/run.py works from any folder
        env={**os.environ, "AVATAR_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process, code=0):
    output, _ = process.communicate(timeout=120)
    assert process.returncode == code, output
    return output


def wait_for_checkpoint(process, run, beyond=0):
    """The newest checkpoint with more than ``beyond`` steps, as soon as there is one."""
    for _ in range(600):
        newest = max((run / "checkpoints").glob("step-????????"), default=None)
        if newest and int(newest.name[5:]) > beyond:
            return newest
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.1)
    raise AssertionError("no checkpoint within a minute")


@pytest.fixture(scope="module")
def killed_run(cache, tmp_path_factory):
    """A run that was killed with SIGKILL between two checkpoints."""
    run = tmp_path_factory.mktemp("runs") / "killed"
    process = start(cache, run, "--steps=100000", "--checkpoint-minutes=0.01")
    wait_for_checkpoint(process, run, beyond=1)
    process.kill()
    process.communicate()
    newest = max((run / "checkpoints").glob("step-????????"))
    return run, int(newest.name[5:])


def test_a_killed_run_resumes_and_its_result_draws(cache, killed_run):
    run, step = killed_run
    output = finish(start(cache, run, f"--steps={step + 5}"))
    assert f"at step {step} of {step + 5}" in output
    checkpoint = run / "checkpoints" / f"step-{step + 5:08d}"
    assert not list(run.glob("checkpoints/*.tmp"))

    pipeline = AvatarPipeline.from_pretrained(checkpoint, device="cpu")
    image = pipeline({"hair": 3}, seed=1).images[0]
    assert (image.mode, image.size) == ("RGBA", (16, 16))
    assert pipeline.training["steps"] == step + 5
    assert pipeline.training["data"] == "drawn:64"
    with Image.open(checkpoint / "samples.png") as sheet:
        assert sheet.size[0] > 100


def test_resuming_equals_not_stopping(cache, tmp_path):
    """On the CPU the weights after 6 steps are the same, stopped after 3 or not."""
    finish(start(cache, tmp_path / "a", "--steps=6"))
    process = start(
        cache, tmp_path / "b", "--steps=6", "--checkpoint-minutes=0", "--keep-checkpoints=9"
    )
    finish(process)
    for later in ("00000004", "00000005", "00000006"):
        folder = tmp_path / "b" / "checkpoints" / f"step-{later}"
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    finish(start(cache, tmp_path / "b", "--steps=6"))
    a, b = (
        (tmp_path / run / "checkpoints/step-00000006/model.safetensors").read_bytes()
        for run in ("a", "b")
    )
    assert a == b


def test_a_stopped_run_saves_first(cache, tmp_path):
    run = tmp_path / "stopped"
    process = start(cache, run, "--steps=100000", "--checkpoint-minutes=0.02")
    wait_for_checkpoint(process, run)
    process.send_signal(signal.SIGTERM)
    output = finish(process)
    newest = max((run / "checkpoints").glob("step-????????"))
    assert f"stopped at step {int(newest.name[5:])}" in output


def test_max_minutes_stops_and_saves(cache, tmp_path):
    output = finish(start(cache, tmp_path / "short", "--steps=100000", "--max-minutes=0.02"))
    assert "checkpoint:" in output


def test_another_run_in_the_same_folder_is_refused(cache, killed_run):
    run, _ = killed_run
    output = finish(start(cache, run, "--seed=5"), code=1)
    assert "holds a run with seed = 0, not 5; choose another --run folder" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("flag", "code", "message"),
    [
        ("--batch-size=0", 2, "batch_size must be at least 1, not 0"),
        ("--batchsize=8", 2, "Perhaps you meant"),
        ("--data=/nowhere/cartoons", 1, "error: there is no file or folder /nowhere/cartoons"),
        ("--model.schedule=quadratic", 1, "error: unknown schedule 'quadratic'"),
    ],
)
def test_bad_flags_are_named(cache, tmp_path, flag, code, message):
    output = finish(start(cache, tmp_path / "bad", flag), code)
    assert message in output
    assert "Traceback" not in output


def test_a_damaged_checkpoint_is_named(cache, killed_run):
    run, _ = killed_run
    newest = max((run / "checkpoints").glob("step-????????"))
    state = newest / "state.pt"
    state.write_bytes(state.read_bytes()[:1000])
    output = finish(start(cache, run, "--steps=100000"), code=1)
    assert f"{state} cannot be read" in output
    assert "Traceback" not in output


def test_the_resolved_config_is_written(killed_run):
    run, _ = killed_run
    config = json.loads((run / "config.json").read_text())
    assert config["batch_size"] == 8
    assert config["model"]["channels"] == [16, 32]


def test_every_epoch_visits_every_image_once():
    size, batch = 10, 4
    seen = np.concatenate([batch_rows(step, batch, size, seed=1) for step in range(5)])
    assert np.bincount(seen, minlength=size).tolist() == [2] * size
    again = batch_rows(3, batch, size, seed=1)
    assert np.array_equal(again, batch_rows(3, batch, size, seed=1))
    assert not np.array_equal(np.sort(seen), seen)


def test_learning_rate_rises_then_falls_to_zero():
    factors = [learning_rate_factor(step, 100, 10) for step in range(101)]
    assert np.argmax(factors) == 9
    assert factors[0] == pytest.approx(0.1)
    assert factors[100] == 0
