"""The evaluation as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from avatar_model import AvatarPipeline
from tests.tiny import TINY_MODEL
from train.packed import open_dataset
from train.trainer import Trainer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def data(cache):
    return open_dataset("drawn:200", TINY_MODEL.image_size, cache)


def evaluate(cache, *arguments, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "train.evaluate", "--data=drawn:200", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "AVATAR_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_report_defaults_and_card(cache, config, change, data, tmp_path):
    model = Trainer(change(config, data="drawn:200", num_inference_steps=4), data).train()
    out = tmp_path / "report"
    (model / "notes.md").write_text("The hats are the best part.")
    evaluate(
        cache,
        f"--model={model}",
        f"--out={out}",
        "--classifier=none",
        *("--seeds", 0, 5, "--sweep-images", 4, "--steps", 1, 2, "--scales", 1, 2),
        *("--samplers", "ddim", "dpm++", "--set-defaults", "--card"),
    )
    report = json.loads((out / "report.json").read_text())
    assert report["about"]["combinations"] == len(data.split("test"))
    assert len(report["paired"]["psnr_per_seed"]) == 2
    assert len(report["sweep"]["entries"]) == 8
    chosen = report["sweep"]["best"]
    again = AvatarPipeline.from_pretrained(model)
    assert all(again.defaults[name] == chosen[name] for name in again.defaults)
    assert "These are the defaults of the model" in (out / "report.md").read_text()
    for picture in ("pairs", "worst", "copies", "sweep"):
        assert f"{picture}.png" == (out / f"{picture}.png").name
        assert (out / f"{picture}.png").read_bytes()[:4] == b"\x89PNG"
    card = (model / "README.md").read_text()
    assert "never trained on, each drawn with 2 seeds" in card
    assert "The hats are the best part." in card
    assert f"value: {report['paired']['psnr']['mean']}" in card


def test_bad_input_ends_in_one_line(cache, config, change, data, tmp_path):
    model = Trainer(change(config, data="drawn:200"), data).train()
    for arguments, message in (
        ([f"--model={tmp_path / 'nothing'}"], "nothing"),
        ([f"--model={model}"], "trained on other attributes"),  # the bundled classifier
        ([f"--model={model}", "--classifier=none", "--num-images=0"], "at least one"),
        (["--model=some/repository", "--card"], "is not a folder"),
    ):
        output = evaluate(cache, *arguments, f"--out={tmp_path / 'out'}", code=1)
        assert message in output and "Traceback" not in output
    assert not (tmp_path / "out").exists()
