"""Commands in processes of their own, most of all ``train/run.py``: started, watched and ended."""

import csv
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TINY = [
    "--data=drawn:64",
    "--batch-size=8",
    "--log-steps=5",
    "--model.image-size=16",
    *("--model.channels", "16", "32"),
    *("--model.self-attention", "False", "False"),
    *("--model.cross-attention", "False", "True"),
    "--model.canvas-channels=4",
    "--model.tau-width=32",
]


def begin(arguments, folder, **environment):
    """Python with these arguments in a folder, on one thread."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **environment, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def start(cache, run, *flags, launch=(), device="cpu"):
    """The trainer, which works from any folder."""
    script = [*launch, ROOT / "train" / "run.py"]
    flags = [*TINY, f"--device={device}", f"--run={run}", *flags]
    return begin([*script, *flags], cache, AVATAR_CACHE=str(cache))


def finish(process, code=0):
    output, _ = process.communicate(timeout=120)
    assert process.returncode == code, output
    return output


def steps_of(run):
    return [int(p.name[5:]) for p in sorted((run / "checkpoints").glob("step-????????"))]


def wait_for_checkpoint(process, run, beyond=0):
    """The step of the newest checkpoint with more than ``beyond``, as soon as there is one."""
    for _ in range(600):
        newest = max(steps_of(run), default=0)
        if newest > beyond:
            return newest
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.1)
    raise AssertionError("no checkpoint within a minute")


def losses(run):
    with (run / "log.csv").open() as file:
        return {int(row["step"]): float(row["loss"]) for row in csv.DictReader(file)}
