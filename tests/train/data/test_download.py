"""Downloading with the real client, from a Hub that runs here."""

import time

import pytest
from huggingface_hub import constants

from tests.train.hub.hub_server import running_hub
from train.data.dataset import open_dataset
from train.data.download import download
from train.data.errors import DatasetError

CONTENT = bytes(range(256)) * 100_000  # 26 MB: the client writes 10 MB at a time
REPO = "datasets/cgarciae/cartoonset"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", tmp_path)
    with running_hub() as server:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE
        template = template.replace(constants.ENDPOINT, server.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        server.state.put(REPO, "data/cartoonset10k.tgz", CONTENT)
        yield server


def test_downloads_once(hub):
    path = download("cartoonset10k")
    assert path.read_bytes() == CONTENT
    assert download("cartoonset10k") == path
    assert hub.ranges == [None]


def test_a_dropped_connection_is_resumed(hub):
    hub.hang_up("GET /datasets")
    assert download("cartoonset10k").read_bytes() == CONTENT
    assert hub.ranges == [None, "bytes=10485760-"]


def test_no_network_but_downloaded_before(hub):
    path = download("cartoonset10k")
    hub.stop()
    assert download("cartoonset10k") == path


def by_hand(error: DatasetError) -> bool:
    message = str(error)
    assert message.startswith("cartoonset10k could not be downloaded from the Hugging Face Hub (")
    assert "cartoonset10k.tgz by hand from https://google.github.io/cartoonset/download" in message
    return "\n" not in message


def test_dead_port(hub, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between the client's own retries
    hub.stop()
    with pytest.raises(DatasetError) as caught:
        download("cartoonset10k")
    assert by_hand(caught.value)


def test_not_on_the_hub(hub):
    hub.state.repos[REPO].commits[-1].files.clear()
    with pytest.raises(DatasetError) as caught:
        download("cartoonset10k")
    assert by_hand(caught.value) and "404" in str(caught.value)


def test_nowhere_to_put_it(hub, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", tmp_path / "file")
    with pytest.raises(DatasetError) as caught:
        download("cartoonset10k")
    assert by_hand(caught.value)


def test_open_dataset_takes_the_name(monkeypatch, tmp_path):
    (tmp_path / "cartoonset10k.tgz").write_bytes(CONTENT[:100])
    monkeypatch.setattr("train.data.dataset.download", lambda name: tmp_path / f"{name}.tgz")
    with pytest.raises(DatasetError, match=r"cartoonset10k.tgz is neither"):
        open_dataset("cartoonset10k", cache_dir=tmp_path)
