"""Files for visitors, written while others read them."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ui.routes import served_files
from ui.routes.served_files import private_folder, serve, sweep

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


def made(folder, name, size=10, age=0):
    """A file of an age in seconds, in a folder of its own, which is as old."""
    path = folder / name / "avatar.png"
    path.parent.mkdir()
    path.write_bytes(bytes(size))
    for old in (path, path.parent):
        os.utime(old, (time.time() - age,) * 2)
    return path


def test_what_is_old_goes_and_of_the_rest_the_oldest_down_to_a_sum(folder):
    old = made(folder, "old", age=5000)
    older, newer, newest = (made(folder, n, 400, a) for n, a in (("a", 300), ("b", 200), ("c", 0)))
    sweep(folder, keep_seconds=3600, max_bytes=900)
    assert [path.exists() for path in (old, older, newer, newest)] == [False, False, True, True]
    assert not old.parent.exists() or not any(old.parent.iterdir())
    sweep(folder / "nowhere")


def test_files_that_come_and_go_meanwhile_do_not_end_the_sweeping(folder):
    def write(number):
        serve(b"%d" % number * 1000, "avatar.png")
        for path in list(folder.rglob("avatar.png"))[:3]:
            path.unlink(missing_ok=True)

    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(write, number) for number in range(300)]
        while not all(future.done() for future in writing):
            sweep(folder, keep_seconds=0, max_bytes=0)
        for future in writing:
            future.result()


def test_what_was_there_before_the_start_is_swept_and_a_flood_at_once(folder, monkeypatch):
    monkeypatch.setattr(served_files, "SWEEP_BYTES", 10**5)
    before = made(folder, "before", age=10_000)
    for max_bytes in (10**9, 10**8, 10**6):  # as by several pages in a process
        served_files.keep_sweeping(max_bytes)
    wait_until(lambda: not before.exists())
    for number in range(60):
        serve(number.to_bytes(2, "big") * 50_000, "avatar.png")
    wait_until(lambda: len(list(folder.rglob("*.png"))) <= 12)  # of 100 kB each


def wait_until(true):
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # and not keep the thread that sweeps from it


def test_the_folder_is_ours_alone(folder, monkeypatch):
    chosen = Path(private_folder())
    assert chosen.parent == folder and chosen.stat().st_mode & 0o077 == 0
    monkeypatch.setattr(os, "getuid", lambda: 12345)  # somebody else has made it before
    (folder / "avatar-maker-12345").mkdir()
    other = Path(private_folder())
    assert other.name != "avatar-maker-12345" and other.is_dir()
    other.rmdir()
