"""Uploads with the real client, to a Hub that runs here and fails in every way a Hub fails."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from huggingface_hub import ModelCard, constants
from PIL import Image

from avatar_model import AvatarPipeline, Vocabulary
from avatar_model.attributes import ATTRIBUTES
from avatar_model.network import AvatarNetwork
from tests.tiny import TINY_MODEL, two_stages
from tests.train.conftest import TOKEN
from train.hub.errors import HubError, explained, scrub
from train.hub.model_card import write_model_card
from train.hub.retry import insist
from train.hub.target import check_target
from train.hub.upload import upload
from train.hub.uploader import HubUploader

ROOT = Path(__file__).resolve().parents[3]
KEY = "models/user/faces"
FILES = ["README.md", "config.json", "model.safetensors", "samples.png"]
COMMIT = "POST /api/models/user/faces/commit/main"
TRAINING = {
    "data": "drawn:64",
    "train_images": 1234567,
    "seconds": 5400,
    "learning_rate": 0.002,
    "command": "/home/somebody/runs/mine",
    "options": {"not": "shown"},
}


def make_pipeline(**training):
    torch.manual_seed(0)
    network = AvatarNetwork(TINY_MODEL)
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.1)
    vocabulary = Vocabulary.from_options({}, {a.name: [1] * a.num_values for a in ATTRIBUTES})
    return AvatarPipeline(network, vocabulary, None, {**TRAINING, **training})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    pipeline = make_pipeline()
    pipeline.save_pretrained(folder)
    Image.new("RGB", (8, 8), "red").save(folder / "samples.png")
    (folder / "state.pt").write_bytes(b"only for resuming")
    write_model_card(folder, pipeline, {"psnr_db": 21.25}, "user/faces")
    return folder


@pytest.fixture
def checkpoint(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "step-00000010"))


@pytest.fixture
def send(hub):
    """Upload a folder to the end, with three attempts and no pauses."""
    reports = []

    def send(folder, repo_id="user/faces"):
        uploader = HubUploader(repo_id, reports.append, delays=(0, 0))
        uploader.submit(folder, f"Upload {folder.name}")
        return uploader.close(20)

    send.reports = reports
    return send


def commits(hub):
    return hub.state.repos[KEY].commits[1:]  # the first one made the repository


def stored(hub):
    return {path: file.content for path, file in commits(hub)[-1].files.items()}


def content(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def run(hub, home, *command):
    """A process that knows this Hub only through its environment."""
    names = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, **names, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_what_is_uploaded_can_be_downloaded_and_draws(hub, send, checkpoint, tmp_path):
    assert send(checkpoint) is None
    assert [c.message for c in commits(hub)] == ["Upload step-00000010"]
    assert stored(hub) == content(checkpoint)
    assert send.reports == [
        f"uploaded step-00000010: {hub.endpoint}/user/faces/commit/{commits(hub)[0].oid}"
    ]
    draw = (
        "from avatar_model import AvatarPipeline\n"
        "pipe = AvatarPipeline.from_pretrained('user/faces')\n"
        "print(pipe({'hair': 12}, seed=7).images[0].tobytes().hex())"
    )
    drawn = run(hub, tmp_path / "home", "-c", draw)
    image = AvatarPipeline.from_pretrained(checkpoint)({"hair": 12}, seed=7).images[0]
    assert drawn.stdout.strip() == image.tobytes().hex(), drawn.stderr
    assert sum(r.startswith("GET") and "/resolve/" in r for r in hub.requests) == 2  # no README


def test_both_stages_go_up_and_come_down_and_an_upscaler_goes_when_the_model_has_none(
    hub, send, checkpoint, tmp_path
):
    whole = tmp_path / "step-00000020"
    two_stages().save_pretrained(whole)
    assert send(whole) is None
    upscaler = {f"upscaler/{name}" for name in ("config.json", "model.safetensors")}
    assert upscaler < stored(hub).keys()
    downloaded = run(
        hub,
        tmp_path / "home",
        "-c",
        "from avatar_model import AvatarPipeline\n"
        "print(AvatarPipeline.from_pretrained('user/faces').sizes)",
    )
    assert downloaded.stdout == "(16, 64)\n", downloaded.stderr
    assert send(checkpoint) is None
    assert not upscaler & stored(hub).keys()


def test_the_same_folder_again_makes_no_commit_and_one_new_file_is_all_that_is_sent(
    hub, send, checkpoint
):
    assert send(checkpoint) is None
    assert send(checkpoint) is None
    assert len(commits(hub)) == 1
    assert sum(r.startswith("PUT") for r in hub.requests) == 2  # weights and samples, once
    (checkpoint / "samples.png").write_bytes(b"another picture")
    assert send(checkpoint) is None
    assert [c.changed for c in commits(hub)] == [tuple(FILES), ("samples.png",)]
    assert sum(r.startswith("PUT") for r in hub.requests) == 3
    assert stored(hub) == content(checkpoint)


@pytest.mark.parametrize("status", [409, 412, 429, 503])
def test_a_commit_that_is_refused_once_is_repeated(hub, send, checkpoint, status):
    hub.fail(COMMIT, status)
    assert send(checkpoint) is None
    assert hub.requests.count(COMMIT) == 2
    assert stored(hub) == content(checkpoint)


@pytest.mark.parametrize(
    "request_", ["repos/create", "validate-yaml", "preupload", "batch", "PUT /lfs", "verify"]
)
def test_503_once_anywhere_is_survived(hub, send, checkpoint, request_):
    hub.fail(request_, 503)
    assert send(checkpoint) is None
    assert len(commits(hub)) == 1
    assert stored(hub) == content(checkpoint)


@pytest.mark.parametrize("request_", ["PUT /lfs", COMMIT])
def test_a_connection_dropped_halfway_is_survived(hub, send, checkpoint, request_):
    hub.hang_up(request_)
    assert send(checkpoint) is None
    assert len(commits(hub)) == 1
    assert stored(hub) == content(checkpoint)


def test_a_commit_whose_answer_is_lost_is_not_made_twice(hub, send, checkpoint):
    hub.hang_up(COMMIT, done_first=True)
    assert send(checkpoint) is None
    assert len(commits(hub)) == 1


def by_hand(checkpoint, repo_id="user/faces"):
    return f"python -m train.hub --checkpoint {checkpoint} --repo {repo_id}"


def test_503_forever_is_reported_and_the_next_checkpoint_is_tried_again(hub, checkpoint):
    hub.fail(COMMIT, 503, times=3)
    reports = []
    uploader = HubUploader("user/faces", reports.append, delays=(0, 0))
    uploader.submit(checkpoint, "first")
    for _ in range(2000):  # 20 s
        if not reports:
            uploader._thread.join(0.01)
    assert reports[0].startswith(
        "step-00000010 was not uploaded to user/faces: the Hub answered 503"
    )
    assert "try again later" in reports[0] and reports[0].endswith(by_hand(checkpoint))
    assert hub.requests.count(COMMIT) == 3
    uploader.submit(checkpoint, "second")
    assert uploader.close(20) is None
    assert [c.message for c in commits(hub)] == ["second"]


def test_a_wrong_token_is_refused_once_with_advice(hub, send, checkpoint):
    hub.state.users.clear()
    problem = send(checkpoint)
    assert "the Hub answered 401 (Invalid username or password)" in problem
    assert "hf auth login" in problem and "HF_TOKEN" in problem and by_hand(checkpoint) in problem
    assert sum("repos/create" in r for r in hub.requests) == 1


def test_somebody_elses_repository(hub, send, checkpoint):
    problem = send(checkpoint, "google/faces")
    assert "the Hub answered 403 (You don't have the rights to write to google)" in problem
    assert "write access" in problem and by_hand(checkpoint, "google/faces") in problem


def test_a_repository_that_vanished(hub, send, checkpoint):
    hub.fail(COMMIT, 404, times=9, code="RepoNotFound", message="Repository not found")
    problem = send(checkpoint)
    assert "the Hub answered 404" in problem and "deleted" in problem
    assert hub.requests.count(COMMIT) == 1


def test_no_network(hub, send, checkpoint):
    hub.stop()
    problem = send(checkpoint)
    assert "the Hub cannot be reached; check the network" in problem


def test_offline_mode(hub, send, checkpoint, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "unset HF_HUB_OFFLINE" in send(checkpoint)


def test_a_card_the_hub_does_not_take(hub, send, checkpoint):
    (checkpoint / "README.md").write_text("---\nlicense: no-such\n---\n")
    problem = send(checkpoint)
    assert "the Hub answered 400 (license is not valid)" in problem
    assert "POST /api/models/user/faces/commit/main" not in hub.requests


def test_a_folder_that_is_no_checkpoint(hub, send, checkpoint):
    (checkpoint / "config.json").unlink()
    assert f"there is no {checkpoint / 'config.json'}" in send(checkpoint)
    assert not hub.requests


def test_training_never_waits_and_only_the_newest_checkpoint_does(hub, checkpoint):
    held = hub.hold(COMMIT)
    uploader = HubUploader("user/faces", lambda _: None)
    uploader.submit(checkpoint, "first")
    assert held.arrived.wait(20)
    for message in ("second", "third"):  # returns although the first upload is stuck
        later = checkpoint.with_name(message)
        shutil.copytree(checkpoint, later)
        (later / "samples.png").write_text(message)
        uploader.submit(later, message)
        shutil.rmtree(later)  # as a run folder drops old checkpoints
    assert not commits(hub)
    held.release.set()
    assert uploader.close(20) is None
    assert [c.message for c in commits(hub)] == ["first", "third"]
    assert stored(hub)["samples.png"] == b"third"
    assert list(checkpoint.parent.iterdir()) == [checkpoint]  # nothing is left over


def test_a_newer_checkpoint_ends_the_wait_for_another_attempt(hub, checkpoint):
    held, reports = hub.hold("preupload"), []
    hub.fail(COMMIT, 503)
    uploader = HubUploader("user/faces", reports.append, delays=(3600,))
    uploader.submit(checkpoint, "first")
    assert held.arrived.wait(20)
    uploader.submit(checkpoint, "second")
    held.release.set()
    assert uploader.close(20) is None
    assert [c.message for c in commits(hub)] == ["second"]
    assert "was not uploaded" in reports[0] and reports[1].startswith("uploaded")


def test_the_end_of_training_waits_only_so_long(hub, checkpoint):
    held = hub.hold(COMMIT)
    uploader = HubUploader("user/faces", lambda _: None)
    uploader.submit(checkpoint, "first")
    assert held.arrived.wait(20)
    problem = uploader.close(0.05)
    assert "was not done in time" in problem and by_hand(checkpoint) in problem
    assert list(checkpoint.parent.iterdir()) == [checkpoint]
    held.release.set()


@pytest.mark.parametrize("repo_id", ["faces", "a/b/c", "user/fa ces", "user/", "", "user/a--b"])
def test_a_bad_repository_name_is_refused_before_training(hub, repo_id):
    with pytest.raises(HubError, match="has to be like user/name") as caught:
        HubUploader(repo_id)
    assert repr(repo_id) in str(caught.value) and not hub.requests


@pytest.mark.parametrize("token", ["", "hf_one hf_two", "hf_\x01broken"])
def test_no_usable_token_is_refused_before_training(monkeypatch, tmp_path, token):
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(HubError, match="hf auth login") as caught:
        check_target("user/faces")
    assert not token or token not in str(caught.value)


def test_the_token_of_the_login_cache(hub, send, checkpoint, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    (tmp_path / "token").write_text(TOKEN)
    assert send(checkpoint) is None


def test_the_token_is_nowhere(hub, send, checkpoint, capfd, caplog, monkeypatch):
    caplog.set_level("DEBUG")
    monkeypatch.setattr(constants, "HF_DEBUG", True)  # the client logs whole requests
    assert send(checkpoint) is None
    caplog.set_level("INFO")  # at DEBUG, httpx shows the headers of the answer that follows
    hub.fail("preupload", 403, message=f"Bearer {TOKEN} and {TOKEN} may not, nor hf_{'x' * 34}")
    with pytest.raises(HubError) as caught:
        insist(lambda api: upload(api, checkpoint, "user/faces", "again"))
    assert "403 (<token> and <token> may not, nor <token>)" in str(caught.value)
    assert caught.value.__suppress_context__
    shown = [*capfd.readouterr(), caplog.text, *send.reports, str(caught.value)]
    shown += [p.read_bytes().decode("latin-1") for p in checkpoint.iterdir()]
    shown += [c.decode("latin-1") for c in stored(hub).values()]
    assert not [text for text in shown if TOKEN in text]


def test_errors_lose_tokens_and_signatures():
    assert scrub("Illegal header value b'Bearer hf_\\x01b'") == "Illegal header value b'<token>'"
    assert scrub("PUT https://s3.example/a?X-Sig=1 failed") == "PUT https://s3.example/a failed"
    wrapped = RuntimeError("Error while uploading 'model.safetensors' to the Hub.")
    wrapped.__cause__ = ConnectionError("broken pipe")
    assert str(explained(wrapped)).startswith("broken pipe; the Hub cannot be reached")
    assert explained(wrapped).temporary


def test_a_training_run_uploads_its_checkpoints(hub, cache, monkeypatch, tmp_path):
    """``train/run.py --push-to-hub`` from start to end, with a Hub that refuses one commit."""
    monkeypatch.setenv("AVATAR_CACHE", str(cache))
    hub.fail(COMMIT, 503)
    done = run(
        hub,
        tmp_path / "home",
        *("train/run.py", "--data=drawn:64", "--steps=2", "--batch-size=4", "--device=cpu"),
        *("--model.image-size=16", "--model.channels", "16", "32"),
        *("--model.self-attention", "False", "False"),
        *("--model.cross-attention", "False", "True"),
        *("--model.canvas-channels=4", "--model.tau-width=32"),
        *(f"--run={tmp_path / 'run'}", "--push-to-hub=user/faces"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(commits(hub)) == 1
    assert stored(hub) == content(tmp_path / "run" / "checkpoints" / "step-00000002")
    assert TOKEN not in done.stdout + done.stderr


def test_by_hand(hub, checkpoint, tmp_path):
    (checkpoint / "README.md").unlink()
    arguments = ["-m", "train.hub", f"--checkpoint={checkpoint}", "--repo=user/faces", "--private"]
    done = run(hub, tmp_path / "home", *arguments)
    url = f"{hub.endpoint}/user/faces/commit/{commits(hub)[0].oid}"
    assert (done.returncode, done.stdout) == (0, f"uploaded: {url}\n"), done.stderr
    assert stored(hub) == content(checkpoint) and hub.state.repos[KEY].private
    assert TOKEN not in done.stdout + done.stderr
    assert 'from_pretrained("user/faces")' in (checkpoint / "README.md").read_text()


def card_of(tmp_path, pipeline, *arguments):
    write_model_card(tmp_path, pipeline, *arguments)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    return text, yaml.safe_load(text.split("---\n")[1])


def test_card_of_a_model_of_cartoon_set(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "samples.png")
    pipeline = make_pipeline(data="/home/somebody/cartoonset10k.tgz")
    metrics = {"psnr_db": 21.256, "broken": float("nan")}
    text, front = card_of(tmp_path, pipeline, metrics, "user/faces")
    assert front["license"] == "cc-by-4.0" and front["datasets"] == ["cgarciae/cartoonset"]
    [result] = ModelCard(text).data.eval_results
    assert (result.metric_type, result.metric_value) == ("psnr_db", 21.256)
    assert "© Google LLC" in text and "](samples.png)" in text
    assert 'AvatarPipeline.from_pretrained("user/faces")' in text
    for row in (
        "| PSNR (dB) | 21.26 |",
        "| Data | cartoonset10k.tgz |",
        "| Train images | 1,234,567 |",
        "| Time | 1.5 hours |",
        "| Learning rate | 0.002 |",
        "| Command | mine |",
    ):
        assert row in text
    assert not re.search(r"somebody|nan|\{[{%]|\n\n\n", text)
    assert card_of(tmp_path, pipeline, metrics, "user/faces")[0] == text  # so reruns are no news


def test_card_of_a_model_of_drawn_faces(tmp_path):
    text, front = card_of(tmp_path, make_pipeline())
    assert front["license"] == "apache-2.0" and "datasets" not in front
    assert "stand-in" in text and "Google" not in text and "samples.png" not in text
    assert 'from_pretrained("path/to/this/folder")' in text and "How good" not in text


def test_card_of_a_model_of_other_data(tmp_path):
    text, front = card_of(tmp_path, make_pipeline(data="pets|.tgz"), {"psnr_db": 20})
    assert "license" not in front and "pets\\|.tgz" in text and "If its pictures are" in text
    assert json.dumps(front["model-index"][0]["results"][0]["dataset"]["name"]) == '"pets|.tgz"'
