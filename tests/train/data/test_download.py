"""Downloading with the real client, from a Hub that runs here."""

import time

import pytest

from tests.train.hub.hub_server import running_hub
from train.data.download import download
from train.data.packed import open_dataset
from train.data.rejects import DatasetError

CONTENT = bytes(range(256)) * 100_000  # 26 MB: the client writes 10 MB at a time
REPO = "datasets/cgarciae/cartoonset"


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running_hub() as server:
        server.state.put(REPO, "data/cartoonset10k.tgz", CONTENT)
        yield server


def test_downloads_once(hub, tmp_path):
    path = download("cartoonset10k", hub.endpoint, tmp_path)
    assert path.read_bytes() == CONTENT
    assert download("cartoonset10k", hub.endpoint, tmp_path) == path
    assert hub.ranges == [None]


def test_a_dropped_connection_is_resumed(hub, tmp_path):
    hub.hang_up("GET /datasets")
    assert download("cartoonset10k", hub.endpoint, tmp_path).read_bytes() == CONTENT
    assert hub.ranges == [None, "bytes=10485760-"]


def test_no_network_but_downloaded_before(hub, tmp_path):
    path = download("cartoonset10k", hub.endpoint, tmp_path)
    hub.stop()
    assert download("cartoonset10k", hub.endpoint, tmp_path) == path


def by_hand(error: DatasetError) -> bool:
    message = str(error)
    assert message.startswith("cartoonset10k could not be downloaded from the Hugging Face Hub (")
    assert "cartoonset10k.tgz by hand from https://google.github.io/cartoonset/download" in message
    return "\n" not in message


def test_dead_port(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between the client's own retries
    hub.stop()
    with pytest.raises(DatasetError) as caught:
        download("cartoonset10k", hub.endpoint, tmp_path)
    assert by_hand(caught.value)


def test_not_on_the_hub(hub, tmp_path):
    hub.state.repos[REPO].commits[-1].files.clear()
    with pytest.raises(DatasetError) as caught:
        download("cartoonset10k", hub.endpoint, tmp_path)
    assert by_hand(caught.value) and "404" in str(caught.value)


def test_nowhere_to_put_it(hub, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DatasetError) as caught:
        download("cartoonset10k", hub.endpoint, tmp_path / "file")
    assert by_hand(caught.value)


def test_open_dataset_takes_the_name(monkeypatch, tmp_path):
    (tmp_path / "cartoonset10k.tgz").write_bytes(CONTENT[:100])
    monkeypatch.setattr("train.data.packed.download", lambda name: tmp_path / f"{name}.tgz")
    with pytest.raises(DatasetError, match=r"cartoonset10k.tgz is neither"):
        open_dataset("cartoonset10k", cache_dir=tmp_path)
