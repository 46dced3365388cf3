"""The script that a GPU's few minutes are for, rehearsed without one."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from avatar_model.network import AvatarNetwork
from benchmarks import training_step
from benchmarks.measure import count_macs
from tests.tiny import two_stages
from train.memory.estimate import training_loss

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """The folder that the script wrote."""
    out, model = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("model")
    two_stages().save_pretrained(model)
    done = subprocess.run(
        [ROOT / "benchmarks" / "on_gpu.sh", out, "cpu"],
        cwd=model,
        env={**os.environ, "PYTHON": sys.executable, "MODEL": str(model), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_every_part_runs_and_leaves_what_it_found(rehearsal):
    summary = (rehearsal / "summary.txt").read_text().splitlines()[1:]
    assert [line.split(":")[0] for line in summary] == ["checks", "benchmarks", "compile-checks"]
    assert all(": exit code 0 after" in line for line in summary)
    passed = re.findall(r"(\d+) passed", (rehearsal / "checks.log").read_text())
    assert int(passed[-1]) >= 20  # the memory of a GPU alone cannot be rehearsed


def test_its_tables_have_a_number_in_every_row(rehearsal):
    report = json.loads((rehearsal / "gpu.json").read_text())
    assert list(report["parts"]) == [
        "sheet",
        "drawing",
        "training",
        "profile",
        "memory",
        "compiled",
    ]
    for name in ("sheet", "drawing", "training", "compiled"):
        part = report["parts"][name]
        assert part["rows"] and all(len(row) == len(part["heads"]) for row in part["rows"])
        assert all(cell > 0 for row in part["rows"] for cell in row if isinstance(cell, float))
    text = (rehearsal / "gpu.md").read_text()
    assert "no number here means anything" in text.splitlines()[0]
    assert all(f"### {name}\n" in text for name in report["parts"])
    profile = (rehearsal / "profile.txt").read_text()
    assert all(f"{name}, 3 steps of 4 images\n" in profile for name in training_step.TRAINED)


@pytest.mark.parametrize("preset", training_step.TRAINED)
def test_macs_are_those_of_a_real_step(preset):
    config = training_step.config_of(preset, "cpu", 1, tiny=True)
    network = AvatarNetwork(config.model)
    real = count_macs(lambda: training_loss(network, config, 1).backward())
    assert training_step.macs_per_image(config) == pytest.approx(real)


def test_a_step_and_its_waiting_are_timed(monkeypatch, tmp_path):
    clock = iter(range(1000))
    timer = SimpleNamespace(perf_counter=lambda: next(clock))
    monkeypatch.setattr(training_step, "time", timer)
    config = training_step.config_of("default", "cpu", 4, tiny=True)
    speed = training_step.time_steps(replace(config, run=tmp_path), steps=2, warm_up=1)
    assert speed.waiting == 1 and speed.step == pytest.approx(5 / 2)
