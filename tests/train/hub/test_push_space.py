"""A Space is pushed with the real client to a Hub that runs here, and what arrived is started."""

import ast
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
import yaml
from gradio_client import Client
from huggingface_hub import constants
from packaging.requirements import Requirement
from PIL import Image

from tests.train.conftest import TOKEN
from train import push_space
from train.hub import space_folder
from train.hub.errors import HubError

ROOT = Path(__file__).resolve().parents[3]
KEY = "spaces/user/page"
OPTIONAL = {"spaces", "diffusers"}
"""What is used where it is installed."""
WRITTEN = {"README.md", "requirements.txt"}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(push_space, "say_and_sleep", lambda seconds: None)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A small repository with things that are nobody's business."""
    root = tmp_path / "checkout"
    kept = ["app.py", "LICENSE", "ui/page.py", "ui/styles/page.css"]
    kept += ["avatar_model/__init__.py", "assets/model/config.json", "assets/model/README.md"]
    kept += ["assets/model/model.safetensors", "assets/classifier/config.json", "assets/a/b.svg"]
    kept += ["assets/model/upscaler/config.json", "assets/model/upscaler/model.safetensors"]
    left = ["tests/test.py", "train/run.py", "docs/page.png", ".git/config", "ui/.env", "Makefile"]
    left += ["ui/__pycache__/page.pyc", "assets/model/state.pt", "assets/model/notes.md"]
    left += ["assets/model/upscaler/state.pt"]
    for name in kept + left:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    for name in ("README.md", "requirements.lock", "requirements-test.lock"):
        shutil.copy(ROOT / name, root)
    monkeypatch.setattr(space_folder, "ROOT", root)
    return root, {*kept, *WRITTEN}


def commits(hub):
    return hub.state.repos[KEY].commits[1:]  # the first one made the repository


def tree(hub):
    """What the Space holds, less what the Hub itself put there."""
    files = hub.state.repos[KEY].commits[-1].files
    return {path: file.content for path, file in files.items() if path != ".gitattributes"}


def front(hub):
    return yaml.safe_load(tree(hub)["README.md"].decode().split("---\n")[1])


def pinned(name):
    return re.search(rf"^{name}==(\S+) ", (ROOT / "requirements.lock").read_text(), re.MULTILINE)[1]


def put_model(hub, files=("config.json", "model.safetensors", "README.md")):
    for name in files:
        hub.state.put("models/user/faces", name, name.encode())


def test_a_dry_run_shows_everything_and_sends_nothing(hub, checkout, capsys):
    _, names = checkout
    push_space.main("user/page")
    shown = capsys.readouterr().out
    assert not hub.requests and "nothing was sent" in shown
    assert f"{len(names)} files" in shown and all(f"  {name}\n" in shown for name in names)
    assert f"sdk_version: {pinned('gradio')}\n" in shown and "AVATAR_MODEL is not set" in shown


def test_a_dry_run_with_a_model_only_asks_about_it(hub, checkout, monkeypatch, capsys):
    monkeypatch.delenv("HF_TOKEN")
    put_model(hub)
    push_space.main("user/page", model="user/faces")
    assert "GET /api/models/user/faces" in hub.requests
    assert all(request.startswith("GET ") for request in hub.requests)
    shown = capsys.readouterr().out
    assert "AVATAR_MODEL=user/faces" in shown
    assert "preload_from_hub: user/faces config.json,model.safetensors\n" in shown


def test_the_second_stage_of_a_model_is_preloaded_too(hub, checkout, capsys):
    put_model(hub, ("config.json", "model.safetensors", "upscaler/config.json", "upscaler/a.txt"))
    push_space.main("user/page", model="user/faces")
    shown = capsys.readouterr().out
    assert "user/faces config.json,model.safetensors,upscaler/config.json\n" in shown


def test_a_push_gives_exactly_what_the_page_needs(hub, checkout, capsys):
    root, names = checkout
    push_space.main("user/page", yes=True)
    assert set(tree(hub)) == names
    assert all(tree(hub)[n] == (root / n).read_bytes() for n in names - WRITTEN)
    assert len(commits(hub)) == 1 and not hub.state.repos[KEY].private
    assert f"the page: {hub.endpoint}/spaces/user/page" in capsys.readouterr().out


def test_the_front_matter_is_complete(hub, checkout):
    put_model(hub)
    push_space.main("user/page", model="user/faces", private=True, yes=True)
    assert hub.state.repos[KEY].private
    assert hub.state.repos[KEY].variables == {"AVATAR_MODEL": "user/faces"}
    data = front(hub)
    assert data["sdk"] == "gradio" and data["app_file"] == "app.py"
    assert data["sdk_version"] == pinned("gradio")
    assert isinstance(data["python_version"], str)  # 3.10 is not 3.1
    assert data["suggested_hardware"] == "cpu-basic"
    assert data["models"] == ["user/faces"] and data["datasets"] == ["cgarciae/cartoonset"]
    assert data["preload_from_hub"] == ["user/faces config.json,model.safetensors"]
    assert data["license"] == "apache-2.0" and data["tags"] and data["title"]
    assert len(data["short_description"]) <= 60
    assert re.fullmatch(r"\d+[mh]", data["startup_duration_timeout"])
    assert "user/faces" in tree(hub)["README.md"].decode().split("---\n")[2]


def test_pushing_again_changes_nothing_and_what_is_gone_here_goes_there(hub, checkout):
    root, names = checkout
    put_model(hub)
    push_space.main("user/page", model="user/faces", yes=True)
    before = len(hub.requests)
    push_space.main("user/page", model="user/faces", yes=True)
    assert len(commits(hub)) == 1  # and no restart because of a variable:
    assert not [r for r in hub.requests[before:] if r.endswith("/variables") and "GET" not in r]
    (root / "ui/styles/page.css").unlink()
    push_space.main("user/page", yes=True)
    assert set(tree(hub)) == names - {"ui/styles/page.css"}
    assert commits(hub)[1].changed == ("README.md", "ui/styles/page.css")
    assert ".gitattributes" in commits(hub)[1].files
    assert hub.state.repos[KEY].variables == {}


def test_a_private_model_is_not_preloaded(hub, checkout, capsys):
    put_model(hub)
    hub.state.repos["models/user/faces"].private = True
    push_space.main("user/page", model="user/faces", yes=True)
    assert "preload_from_hub" not in front(hub)
    shown = capsys.readouterr().out
    assert "user/faces is private: the Space needs a secret HF_TOKEN" in shown
    assert TOKEN not in shown


@pytest.mark.parametrize("request_", ["repos/create", "variables", "PUT /lfs", "commit/main"])
def test_503_once_is_survived(hub, checkout, request_):
    hub.fail(request_, 503)
    push_space.main("user/page", yes=True)
    assert set(tree(hub)) == checkout[1] and len(commits(hub)) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": "page"}, "'page' is not a repository of the Hub: it has to be like user/name"),
        ({"space": "user/page", "model": "a/b/c"}, "'a/b/c' is not a repository of the Hub"),
        ({"space": "user/page", "model": "user/no"}, r"answered 404 \(.*\); check the name"),
        ({"space": "user/page", "model": "user/empty"}, "user/empty has no config.json; is it"),
        ({"space": "google/page", "yes": True}, r"answered 403 \(You don't have the rights.*write"),
    ],
)
def test_mistakes_are_one_sentence(hub, checkout, options, message):
    put_model(hub)
    hub.state.put("models/user/empty", "README.md", b"")
    with pytest.raises(HubError, match=message) as caught:
        push_space.main(**options)
    assert "\n" not in str(caught.value) and KEY not in hub.state.repos


def test_no_token(hub, checkout, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(HubError, match="there is no Hugging Face token: log in with"):
        push_space.main("user/page", yes=True)
    assert not hub.requests


def test_front_matter_that_the_hub_would_refuse(hub, checkout):
    readme = checkout[0] / "README.md"
    readme.write_text(
        re.sub("short_description: ", "short_description: " + "x" * 60, readme.read_text())
    )
    with pytest.raises(HubError, match="short_description in README.md has 1.. characters"):
        push_space.main("user/page")


def test_by_hand(hub, tmp_path):
    """The command line; the last line says what is wrong, without a traceback."""
    names = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "train.push_space", "google/page", "--yes"],
        cwd=ROOT,
        env={**os.environ, **names},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.strip().startswith("error: the Hub answered 403")


def allowed(requirements):
    """The distributions that these requirements bring along, in lower case."""
    found, queue = set(), [Requirement(line) for line in requirements]
    while queue:
        requirement = queue.pop()
        name = requirement.name.lower().replace("_", "-")
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        queue += map(Requirement, requires(name) or [])
    return found


def test_a_space_installs_the_locked_versions(hub, checkout):
    push_space.main("user/page", yes=True)
    got = [Requirement(line) for line in tree(hub)["requirements.txt"].decode().splitlines()]
    assert {r.name for r in got} > {"torch", "gradio", "starlette", "numpy", "contourpy"}
    assert all(re.fullmatch(r"==[\w.]+", str(r.specifier)) for r in got)
    assert f"gradio=={pinned('gradio')}" in map(str, got)


def test_the_requirements_have_all_that_is_imported(tmp_path):
    space_folder.stage(tmp_path, None, ())
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    bring = allowed([line for line in lines if not line.startswith("#")])
    distributions = packages_distributions()
    for path in tmp_path.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for name in {n.split(".")[0] for n in names} - sys.stdlib_module_names - OPTIONAL:
                if not (tmp_path / name).exists():
                    found = {d.lower().replace("_", "-") for d in distributions.get(name, [])}
                    assert found & bring, f"{path.relative_to(tmp_path)} imports {name}"


def test_the_pushed_folder_starts_and_draws(hub, tmp_path):
    push_space.main("user/page", yes=True)
    assert {p.split("/")[0] for p in tree(hub)} == {*space_folder.SENT, *WRITTEN}
    folder = tmp_path / "space"
    for name, content in tree(hub).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "GRADIO_TEMP_DIR": str(tmp_path / "files"),
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "SPACE_ID": "user/page",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "PYTHONVERBOSE": "1",  # tells where every module comes from
    }
    log = tmp_path / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "app.py"], cwd=folder, env=environment, stdout=output, stderr=output
        )
        try:
            page = f"http://127.0.0.1:{port}"
            wait_for(page, server, log)
            client = Client(page, verbose=False, download_files=str(tmp_path / "got"))
            files, told = client.predict(hair=12, seed=7, api_name="/generate")
        finally:
            server.terminate()
            server.wait(20)
    file = files[0]["path"] if isinstance(files[0], dict) else files[0]
    with Image.open(file) as image:
        assert (image.mode, image.size) == ("RGBA", (256, 256))
    assert told[0]["values"]["hair"] == 12
    imported = log.read_text(errors="replace")
    for package in ("ui", "avatar_model"):
        assert f"{folder}/{package}/" in imported and f"{ROOT}/{package}/" not in imported


def wait_for(page, server, log):
    for _ in range(600):
        assert server.poll() is None, log.read_text(errors="replace")[-3000:]
        try:
            with urllib.request.urlopen(page, timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            # time.sleep is switched off by the hub fixture
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(0.1)
    raise AssertionError("the page did not come up in a minute")
