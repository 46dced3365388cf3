"""Downloading with the real client, from a Hub that runs here."""

import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from train.download import download
from train.packed import open_dataset
from train.rejects import DatasetError

CONTENT = bytes(range(256)) * 100_000  # 26 MB: the client writes 10 MB at a time
PATH = "/datasets/cgarciae/cartoonset/resolve/main/data/cartoonset10k.tgz"


class Hub(ThreadingHTTPServer):
    """Serves one file; hangs up after half of it as many times as ``hang_up`` says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hang_up = 0
        self.missing = False
        self.ranges: list[str | None] = []
        self.endpoint = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def _headers(self, start: int) -> bool:
        if self.server.missing or self.path != PATH:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("X-Repo-Commit", "0123456789abcdef0123456789abcdef01234567")
        self.send_header("ETag", f'"{hashlib.sha256(CONTENT).hexdigest()}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        return True

    def do_HEAD(self) -> None:
        self._headers(0)

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        if not self._headers(start):
            return
        self.server.ranges.append(asked)
        if self.server.hang_up:
            self.server.hang_up -= 1
            self.wfile.write(CONTENT[start : start + len(CONTENT) // 2])
            self.close_connection = True
        else:
            self.wfile.write(CONTENT[start:])


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Hub() as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        yield server
        server.shutdown()


def test_downloads_once(hub, tmp_path):
    path = download("cartoonset10k", hub.endpoint, tmp_path)
    assert path.read_bytes() == CONTENT
    assert download("cartoonset10k", hub.endpoint, tmp_path) == path
    assert hub.ranges == [None]


def test_a_dropped_connection_is_resumed(hub, tmp_path):
    hub.hang_up = 1
    assert download("cartoonset10k", hub.endpoint, tmp_path).read_bytes() == CONTENT
    assert hub.ranges == [None, "bytes=10485760-"]


def test_no_network_but_downloaded_before(hub, tmp_path):
    path = download("cartoonset10k", hub.endpoint, tmp_path)
    hub.shutdown()
    hub.server_close()
    assert download("cartoonset10k", hub.endpoint, tmp_path) == path


def by_hand(error: DatasetError) -> bool:
    message = str(error)
    assert message.startswith("cartoonset10k could not be downloaded from the Hugging Face Hub (")
    assert "cartoonset10k.tgz by hand from https://google.github.io/cartoonset/download" in message
    return "\n" not in message


def test_dead_port(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between the client's own retries
    hub.shutdown()
    hub.server_close()
    with pytest.raises(DatasetError) as caught:
        download("cartoonset10k", hub.endpoint, tmp_path)
    assert by_hand(caught.value)


def test_not_on_the_hub(hub, tmp_path):
    hub.missing = True
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
    monkeypatch.setattr("train.packed.download", lambda name: tmp_path / f"{name}.tgz")
    with pytest.raises(DatasetError, match=r"cartoonset10k.tgz is neither"):
        open_dataset("cartoonset10k", cache_dir=tmp_path)
