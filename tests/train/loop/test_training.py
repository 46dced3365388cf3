"""The trainer as a user runs it: real processes, real kills, and the result in the pipeline."""

import json
import runpy
import signal
import sys

import numpy as np
import pytest
from PIL import Image

from avatar_model import AvatarPipeline
from tests.train.processes import ROOT, TINY, finish, losses, start, steps_of, wait_for_checkpoint
from train.command import parse_run
from train.data.dataset import open_dataset
from train.loop.trainer import Trainer


@pytest.fixture(scope="module")
def killed_run(cache, tmp_path_factory):
    """A run that was killed with SIGKILL, resumed, and ended by SIGTERM."""
    run = tmp_path_factory.mktemp("runs") / "killed"
    schedule = "--lr-schedule=constant"  # the same whatever --steps is
    process = start(cache, run, "--steps=100000", "--checkpoint-steps=7", schedule)
    killed_at = wait_for_checkpoint(process, run, beyond=20)
    process.kill()
    process.communicate()
    resumed_from = max(steps_of(run))
    process = start(cache, run, "--steps=100000", "--checkpoint-steps=7", schedule)
    wait_for_checkpoint(process, run, beyond=killed_at + 14)
    process.send_signal(signal.SIGTERM)
    output = finish(process)
    assert f"at step {resumed_from} of 100000" in output
    return run, output


def test_a_stopped_run_saves_first(killed_run):
    run, output = killed_run
    assert f"stopped at step {max(steps_of(run))}; checkpoint: {run}" in output
    assert not list(run.glob("checkpoints/*.tmp"))


def test_the_loss_curve_of_a_killed_run_is_that_of_an_uninterrupted_one(
    cache, killed_run, tmp_path
):
    run, _ = killed_run
    last = max(losses(run))
    finish(start(cache, tmp_path / "whole", f"--steps={last}", "--lr-schedule=constant"))
    assert losses(run) == losses(tmp_path / "whole")


def test_its_checkpoint_draws_in_the_pipeline(killed_run):
    run, _ = killed_run
    checkpoint = run / "checkpoints" / f"step-{max(steps_of(run)):08d}"
    pipeline = AvatarPipeline.from_pretrained(checkpoint, device="cpu")
    image = pipeline({"hair": 3}, seed=1).images[0]
    assert (image.mode, image.size) == ("RGBA", (16, 16))
    assert pipeline.training["steps"] == max(steps_of(run))
    with Image.open(checkpoint / "samples.png") as sheet:
        assert sheet.size[0] > 100


def test_the_resolved_config_is_written_and_another_run_is_refused(cache, killed_run):
    run, _ = killed_run
    config = json.loads((run / "config.json").read_text())
    assert config["batch_size"] == 8 and config["model"]["channels"] == [16, 32]
    output = finish(start(cache, run, "--seed=5"), code=1)
    assert "holds a run with seed = 0, not 5; choose another --run folder" in output
    assert "Traceback" not in output


def test_two_processes_learn_what_one_does(cache, tmp_path):
    """The same global batch, split unevenly (3 + 2 images), over two CPU processes with gloo."""
    flags = ("--steps=10", "--batch-size=5", "--log-steps=1")
    config = parse_run([*TINY, *flags, f"--run={tmp_path / 'one'}", "--device=cpu"])
    Trainer(config, open_dataset("drawn:64", 16, cache, config.model.crop)).train()
    # What accelerate launch starts for several GPUs; on CPUs it asks for MPI instead.
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--"]
    output = finish(start(cache, tmp_path / "two", *flags, launch=launch))
    assert "cpu x 2" in output and output.count("stopped at step 10") == 1
    one, two = (losses(tmp_path / name) for name in ("one", "two"))
    assert list(one) == list(two) == list(range(1, 11))  # every line was written once
    assert np.allclose(list(one.values()), list(two.values()), rtol=1e-3)
    assert steps_of(tmp_path / "two") == [10]


def test_a_full_disk_is_named(cache, tmp_path):
    """A real one is hard to come by; a limit on the size of files fails in the same calls."""
    pytest.importorskip("resource")
    open_dataset("drawn:64", 16, cache)
    limit = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000,) * 2)"
    run_it = "sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')"
    run = tmp_path / "full"
    process = start(cache, run, "--steps=3", launch=["-c", f"{limit}; {run_it}"])
    output = finish(process, code=1)
    assert f"error: cannot write the checkpoint {run}" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("flag", "code", "message"),
    [
        ("--batch-size=0", 2, "batch_size must be from 1 to 1048576, not 0"),
        ("--batchsize=8", 2, "Perhaps you meant"),
        ("--preset=blog-7-fin", 1, "error: there is no preset 'blog-7-fin'; did you mean"),
        ("--data=/nowhere/cartoons", 1, "error: there is no file or folder /nowhere/cartoons"),
        ("--model.schedule=quadratic", 2, "unknown schedule 'quadratic'"),
        ("--model.num-heads=0", 2, "num_heads must be from 1 to 64, not 0"),
        ("--seed=4294967296", 2, "seed must be from 0 to 4294967295, not 4294967296"),
        ("--sampler=ddpmm", 2, "ddpmm"),
    ],
)
def test_bad_flags_are_named(cache, tmp_path, flag, code, message, monkeypatch, capsys):
    monkeypatch.setenv("AVATAR_CACHE", str(cache))
    command = ["train/run.py", *TINY, "--device=cpu", f"--run={tmp_path / 'bad'}", flag]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / "train" / "run.py"), run_name="__main__")
    if code == 1:
        assert message in end.value.code  # printed by Python
    else:
        assert end.value.code == code and message in "".join(capsys.readouterr())
