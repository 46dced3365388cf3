"""The evaluation as a user runs it."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from avatar_model import AvatarPipeline
from avatar_model.attributes import NAMES, Vocabulary
from avatar_model.guidance import GUIDANCE_METHODS
from avatar_model.network import AvatarNetwork
from avatar_model.stage import Stage
from tests.tiny import TINY_MODEL, TINY_UPSCALER
from train.data.dataset import open_dataset
from train.data.splits import HELD_OUT
from train.loop.trainer import Trainer

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def data(cache):
    return open_dataset("drawn:100", TINY_MODEL.image_size, cache)


def evaluate(cache, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "train.evaluate", "--data=drawn:100", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "AVATAR_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def forget(model, name, value):
    """Make it a model of data without labels that never saw a value."""
    config = json.loads((model / "config.json").read_text())
    counts = {a: entry["counts"] for a, entry in config["vocabulary"].items()}
    counts[name][value] = 0
    config["vocabulary"] = Vocabulary.numbered(counts).to_dict()
    (model / "config.json").write_text(json.dumps(config))


def test_report_defaults_and_card(cache, config, change, data, tmp_path):
    model = Trainer(change(config, data="drawn:100", num_inference_steps=4), data).train()
    out = tmp_path / "report"
    (model / "notes.md").write_text("The hats are the best part.")
    hair = data.attributes[data.split("test"), NAMES.index("hair")]
    forget(model, "hair", hair[0])
    said = evaluate(
        cache,
        f"--model={model}",
        f"--out={out}",
        "--classifier=none",
        *("--seeds", 0, 5, "--sweep-images", 4, "--steps", 1, 2, "--scales", 1, 2),
        *("--samplers", "ddim", "dpm++", "--steps-below-1", 1, 3, "--set-defaults", "--card"),
    )
    report = json.loads((out / "report.json").read_text())
    chosen_steps = report["sweep"]["best"]["num_inference_steps"]
    assert f"have a value that the model never saw (hair {hair[0]}) and are left out" in said
    assert 0 < report["about"]["combinations"] == (hair != hair[0]).sum()
    assert len(report["paired"]["psnr_per_seed"]) == 2
    # Two samplers with two numbers of steps as asked, and three methods with each at scale 2.
    assert len(report["sweep"]["entries"]) == 4 + 6
    guidance = report["guidance"]["by_scale"]
    assert [(row["scale"], row["evaluations"]) for row in guidance] == [
        (1, [chosen_steps]),
        (2, [chosen_steps]),
    ]
    assert guidance[1]["psnr"]["change"] < 0 == guidance[0]["psnr"]["change"]
    chosen = report["sweep"]["best"]
    again = AvatarPipeline.from_pretrained(model)
    swept = ("sampler", "num_inference_steps", "guidance_scale", "guidance_method")
    assert {name: again.defaults[name] for name in swept} == {name: chosen[name] for name in swept}
    below = report["sweep"]["below_1"]
    assert again.defaults["steps_below_scale_1"] == below["best"]["num_inference_steps"]
    assert [entry["num_inference_steps"] for entry in below["entries"]] == [1, 3]
    assert "These are the defaults of the model" in (out / "report.md").read_text()
    strips = [f"guidance-{method}" for method in GUIDANCE_METHODS]
    for picture in ("pairs", "worst", "copies", "sweep", *strips):
        assert f"{picture}.png" == (out / f"{picture}.png").name
        assert (out / f"{picture}.png").read_bytes()[:4] == b"\x89PNG"
    card = (model / "README.md").read_text()
    assert "never trained on, each drawn with 2 seeds" in card
    assert "The hats are the best part." in card
    assert f"value: {report['paired']['psnr']['mean']}" in card


@pytest.fixture
def two_stages(cache, config, change, data):
    """A trained base and an upscaler that only enlarges: what it adds is still zero."""
    model = Trainer(change(config, data="drawn:100"), data).train()
    pipeline = AvatarPipeline.from_pretrained(model, device="cpu")
    facts = {"held_out": HELD_OUT, "data": "drawn:100", "base": "/home/somebody/base", "steps": 3}
    pipeline.upscaler = Stage(AvatarNetwork(TINY_UPSCALER), {"num_inference_steps": 2}, facts)
    pipeline.save_pretrained(model)
    return model


def test_a_model_of_two_stages(cache, two_stages, data, tmp_path):
    out = tmp_path / "report"
    printed = evaluate(
        cache,
        f"--model={two_stages}",
        f"--out={out}",
        "--classifier=none",
        *("--seeds", 0, 5, "--sweep-images", 4, "--steps", 1, "--scales", 1, "--samplers", "ddim"),
        *("--upscaler-steps", 1, 2, "--steps-below-1", 1, "--set-defaults", "--card"),
    )
    assert "drawing them again at 64 pixels" in printed
    report = json.loads((out / "report.json").read_text())
    assert (report["size"], report["base"]["size"]) == (64, 16)
    assert report["paired"]["psnr"]["count"] == len(data.split("test"))
    assert set(report["enlarged"]) == {"64", "256"}
    found = report["enlarged"]["64"]
    assert found["drawn"] == pytest.approx(report["paired"]["psnr_per_seed"][0])
    assert found["drawn"] == pytest.approx(found["base"], abs=0.3)  # two bicubic filters
    assert [e["num_inference_steps"] for e in report["sweep"]["upscaler"]["entries"]] == [1, 2]
    again = AvatarPipeline.from_pretrained(two_stages, device="cpu").upscaler.defaults
    assert again["num_inference_steps"] == 1
    assert report["about"]["upscaler"] == again
    page = (out / "report.md").read_text()
    assert "## 7. Steps of the upscaler" in page and "of the model are others" not in page
    for picture, side in (("pairs", 64), ("worst", 64), ("copies", 16)):
        with Image.open(out / f"{picture}.png") as sheet:
            assert (sheet.height - 12) % (2 * side + 12) == 0
    card = (two_stages / "README.md").read_text()
    assert f"value: {report['paired']['psnr']['mean']}" in card
    assert "psnr_db_at_16" in card and "| 64 pixels: mean |" in card


def test_bad_input_ends_in_one_line(cache, config, change, data, tmp_path, monkeypatch):
    monkeypatch.setenv("AVATAR_CACHE", str(cache))
    model = Trainer(change(config, data="drawn:100"), data).train()
    pipeline = AvatarPipeline.from_pretrained(model, device="cpu")
    pipeline.upscaler = Stage(AvatarNetwork(TINY_UPSCALER))
    untrained = tmp_path / "untrained"
    pipeline.save_pretrained(untrained)
    for arguments, message in (
        ([f"--model={tmp_path / 'nothing'}"], "nothing"),
        ([f"--model={model}"], "trained on other attributes"),  # the bundled classifier
        (
            [f"--model={model}", "--classifier=none", "--num-images=0"],
            "num_images must be from 1 to",
        ),
        (["--model=some/repository", "--card"], "is not a folder"),
        ([f"--model={model}", "--upscaler-steps"], "the sweep needs at least one value"),
        ([f"--model={untrained}", "--classifier=none"], "the upscaler was trained with other"),
    ):
        command = ["evaluate", "--data=drawn:100", f"--out={tmp_path / 'out'}", *arguments]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit, match=message) as end:
            runpy.run_module("train.evaluate", run_name="__main__")
        assert str(end.value).startswith("error: ") and "\n" not in str(end.value)
    assert not (tmp_path / "out").exists()
