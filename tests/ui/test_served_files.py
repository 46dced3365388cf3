"""Files for visitors, written while others read them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ui.routes.served_files import serve

CONTENT = b"avatar" * 100_000


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


def test_nobody_finds_half_a_file():
    def write_and_read(_):
        return Path(serve(CONTENT, "avatar.png")).read_bytes() == CONTENT

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(write_and_read, range(400)))


def test_equal_content_has_one_place_and_nothing_else_stays(folder):
    paths = {serve(CONTENT, "avatar.png") for _ in range(3)}
    assert len(paths) == 1 and serve(b"other", "avatar.png") not in paths
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 2


def test_nobody_else_on_the_machine_may_read_it():
    assert Path(serve(CONTENT, "avatar.png")).stat().st_mode & 0o077 == 0


def test_a_full_disk_leaves_nothing_behind(folder, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        serve(CONTENT, "avatar.png")
    assert not [path for path in folder.rglob("*") if path.is_file()]
