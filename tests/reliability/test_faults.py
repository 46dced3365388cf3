"""What can break around the page, and the sentence or the page that is left."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time

import httpx
import pytest
import torch
from safetensors.torch import load_file, save_file

import app
from avatar_model.checkpoint_files import CONFIG_FILE, UPSCALER_FOLDER, WEIGHTS_FILE
from benchmarks.app_server import ROOT, running_app


class Bomb:
    """Pickled, it leaves a file behind when somebody loads it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def missing(folder):
    (folder / WEIGHTS_FILE).unlink()


def truncated(folder):
    weights = (folder / WEIGHTS_FILE).read_bytes()
    (folder / WEIGHTS_FILE).write_bytes(weights[: len(weights) // 2])


def changed(part, name, value):
    """A break that sets one value of the config."""

    def change(folder):
        config = json.loads((folder / CONFIG_FILE).read_text())
        config[part] = {**config[part], name: value} if name else value
        (folder / CONFIG_FILE).write_text(json.dumps(config))

    change.__name__ = f"{part}_{name}_{value}"
    return change


def endless(folder):
    (folder / CONFIG_FILE).write_text("[" * 100_000)


def a_pickle(folder):
    with (folder / WEIGHTS_FILE).open("wb") as file:
        pickle.dump(Bomb(folder / "exploded"), file)


def a_torch_file(folder):
    torch.save({"weights": Bomb(folder / "exploded")}, folder / WEIGHTS_FILE)


def a_torch_file_beside(folder):
    torch.save({"weights": Bomb(folder / "exploded")}, folder / "pytorch_model.bin")
    missing(folder)


BREAKS = [
    missing,
    truncated,
    changed("model", "channels", [24, 48]),  # another architecture
    changed("model", "channels", [-16, 32]),
    changed("model", "channels", [10**12, 10**12]),
    changed("model", "experts", 8),
    changed("defaults", "", [1, 2]),
    changed("defaults", "num_inference_steps", "x"),
    changed("defaults", "num_inference_steps", 100_000),
    changed("defaults", "sampler", "euler"),
    endless,
    a_pickle,
    a_torch_file,
    a_torch_file_beside,
]


@pytest.mark.parametrize("broken", BREAKS, ids=[b.__name__ for b in BREAKS])
def test_a_checkpoint_that_cannot_be_used_gives_way(model, tmp_path, broken, monkeypatch, caplog):
    folder = shutil.copytree(model, tmp_path / "broken")
    broken(folder)
    monkeypatch.setattr(app, "BUNDLED", str(model))
    pipeline, name, notice = app.load_model(str(folder))
    assert pipeline({}, seed=7).images and name == "assets/model"
    assert notice.startswith("The model broken cannot be had") and str(tmp_path) not in notice
    (error,) = (record.getMessage() for record in caplog.records if record.name == "app")
    assert error.startswith("event=model_replaced") and str(folder) in error
    assert "\n" not in error and len(error) < 600
    assert not (folder / "exploded").exists()


def of_another_base(folder):
    """The base was trained on, and the upscaler was not."""
    weights = load_file(folder / WEIGHTS_FILE)
    first = min(weights)
    save_file({**weights, first: weights[first] + 1}, folder / WEIGHTS_FILE)


UPSCALER_BREAKS = [
    *(b for b in BREAKS if b.__name__ != "a_torch_file_beside"),
    changed("base", "", "0123456789abcdef"),
    changed("model", "crop", 420),
    changed("model", "low_res_size", 0),
]


@pytest.mark.parametrize("broken", UPSCALER_BREAKS, ids=[b.__name__ for b in UPSCALER_BREAKS])
def test_without_a_usable_upscaler_pictures_are_small(large_model, tmp_path, broken, caplog):
    folder = shutil.copytree(large_model, tmp_path / "broken")
    assert app.load_model(str(folder))[0].sizes == (64, 256)
    broken(folder / UPSCALER_FOLDER)
    pipeline, name, notice = app.load_model(str(folder))
    assert pipeline.sizes == (64,) and pipeline({}, seed=7).images[0].size == (64, 64)
    assert name == "broken" and notice == (
        "Pictures are drawn at 64 pixels and enlarged: the part of the model that draws them "
        "larger cannot be had at the moment."
    )
    (error,) = (record.getMessage() for record in caplog.records if record.name == "app")
    assert error.startswith("event=upscaler_left_out") and str(folder) in error
    assert "\n" not in error and len(error) < 600
    assert not (folder / UPSCALER_FOLDER / "exploded").exists()


def test_an_upscaler_of_another_base_is_left_out(large_model, tmp_path):
    folder = shutil.copytree(large_model, tmp_path / "broken")
    of_another_base(folder)
    pipeline, _, notice = app.load_model(str(folder))
    assert pipeline.sizes == (64,) and notice.startswith("Pictures are drawn at 64 pixels")


def test_with_both_halves_broken_the_bundled_one_draws(model, large_model, tmp_path, monkeypatch):
    folder = shutil.copytree(large_model, tmp_path / "broken")
    missing(folder)
    missing(folder / UPSCALER_FOLDER)
    monkeypatch.setattr(app, "BUNDLED", str(model))
    _, name, notice = app.load_model(str(folder))
    assert name == "assets/model" and notice.startswith("The model broken cannot be had")
    assert notice.count(".") == 1


@pytest.mark.parametrize("broken", [missing, truncated], ids=["missing", "truncated"])
def test_without_any_model_there_is_one_sentence(model, tmp_path, broken, monkeypatch):
    folder = shutil.copytree(model, tmp_path / "broken")
    broken(folder)
    monkeypatch.setattr(app, "MODEL", str(folder))
    monkeypatch.setattr(app, "BUNDLED", str(folder))
    monkeypatch.setattr(sys, "argv", ["app.py"])
    with pytest.raises(SystemExit) as end:
        app.main()
    sentence = str(end.value)
    assert sentence.startswith("The model cannot be loaded: ") and str(folder) in sentence
    assert sentence.count("\n") == 0 and len(sentence) < 500


def test_without_room_for_files_pictures_are_drawn_all_the_same(model, tmp_path):
    files = tmp_path / "files"
    with (
        running_app(model, {"GRADIO_TEMP_DIR": str(files)}) as server,
        httpx.Client(timeout=60, base_url=server.address) as client,
    ):
        shutil.rmtree(files)
        files.touch()  # root could write into a folder whatever its mode
        assert client.get("/").status_code == 200
        assert client.get("/avatar.png?seed=1").content.startswith(b"\x89PNG")
        event = client.post("/gradio_api/call/v2/generate", json={}).json()["event_id"]
        text = client.get(f"/gradio_api/call/generate/{event}").text
        assert text.startswith("event: error")
        assert "The server cannot store files at the moment" in text
        # A sheet, whose file Gradio writes when the handler is through.
        config = client.get("/config").json()
        body = {"data": [{"now": "seed=7"}, [], 4], "session_hash": "somebody"}
        body["fn_index"] = next(
            d["id"] for d in config["dependencies"] if d["api_name"] == "show_sheet"
        )
        assert client.post("/gradio_api/queue/join", json=body).status_code == 200
        text = client.get("/gradio_api/queue/data?session_hash=somebody").text
        assert "The server cannot store files at the moment" in text
        assert client.get("/health").json()["status"] == "ok"
        assert "Traceback" not in server.log()


def test_a_server_that_was_killed_draws_the_same_link_again(model):
    path = "/avatar.png?hair=3&glasses=2&seed=7"
    with running_app(model) as server:
        port = int(server.address.rpartition(":")[2])
        before = httpx.get(server.address + path, timeout=60)
        server.process.send_signal(signal.SIGKILL)
        assert server.process.wait(10) == -signal.SIGKILL
    with running_app(model, port=port) as server:
        after = httpx.get(server.address + path, timeout=60)
    assert before.status_code == 200
    assert after.content == before.content


def test_clients_that_hang_up_free_the_sampler(site):
    body = {"num_images": 16, "num_inference_steps": 50, "guidance_scale": 3, "sampler": "ddpm"}
    address = site.server.address
    for _ in range(3):
        event = httpx.post(f"{address}/gradio_api/call/v2/generate", json=body).json()["event_id"]
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{address}/gradio_api/call/generate/{event}", timeout=0.2)
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{address}/avatar.png?num_inference_steps=50&guidance_scale=3", timeout=0.01)
    deadline = time.monotonic() + 5
    while site.get("/health").json()["waiting"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "event=abandoned" in site.server.log()
    assert site.draw(seed=1)[0] == "complete"


LITTLE_MEMORY = """
import resource, sys
from avatar_model import AvatarPipeline
from ui.inference.batch_runner import generate_batch
from ui.recipe import Recipe

pipeline = AvatarPipeline.from_pretrained(sys.argv[1])
recipes = [Recipe.parse(pipeline, {"seed": seed}) for seed in range(64)]
generate_batch(pipeline, recipes[:1], 64, lambda *_: None)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
for megabytes in (2, 4, 8, 16, 32, 64):  # more each time, until one image fits
    limit = used + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        print(len(generate_batch(pipeline, recipes, 64, lambda *_: None)))
        break
    except (MemoryError, RuntimeError):
        print("too little for one")
"""


def test_a_batch_that_does_not_fit_into_real_memory_is_halved(model):
    """With what is enough for one image, but not for 64: how much that is differs by machine."""
    done = subprocess.run(
        [sys.executable, "-c", LITTLE_MEMORY, str(model)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "64"
    assert "event=out_of_memory" in done.stderr
