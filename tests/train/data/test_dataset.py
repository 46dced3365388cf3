"""The packed cache: right, made once, never half made."""

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avatar_model.attributes import ATTRIBUTES, SIZES
from avatar_model.crop import load_avatar
from train.data import dataset, packing
from train.data.cartoon_set import read_cartoon_set
from train.data.dataset import open_dataset
from train.data.errors import DatasetError
from train.data.splits import SPLITS, split_of

ROOT = Path(__file__).parents[3]


def write_pair(folder: Path, number: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    color = (number, 255 - number, 0, 255)
    Image.new("RGBA", (20, 20), color).save(folder / f"cs{number}.png")
    values = np.random.default_rng(number).integers(0, SIZES)
    lines = zip(ATTRIBUTES, values, strict=True)
    text = "".join(f'"{a.name}", {value}, {a.num_values}\n' for a, value in lines)
    (folder / f"cs{number}.csv").write_text(text)


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path) -> Path:
    for number in range(100):
        write_pair(tmp_path / "set", number)
    return tmp_path / "set"


def no_leftovers(cache: Path) -> bool:
    return not list(cache.glob(".*"))


@pytest.mark.parametrize("kind", ["folder", "tar", "tgz"])
def test_packs_every_kind_alike(folder, cache, tmp_path, kind):
    source = folder
    if kind != "folder":
        source = tmp_path / f"a.{kind}"
        with tarfile.open(source, "w:gz" if kind == "tgz" else "w") as tar:
            tar.add(folder, arcname="set")
    data = open_dataset(str(source), image_size=16, cache_dir=cache)
    assert data.ids == [f"cs{i}" for i in range(100)] and len(data) == 100
    assert data.images.shape == (100, 16, 16, 4) and data.images.dtype == np.uint8
    for number in (0, 57, 99):
        with Image.open(folder / f"cs{number}.png") as image:
            assert np.array_equal(data.images[number], load_avatar(image, 16))
    assert data.attributes.dtype == np.uint8
    assert np.array_equal(data.attributes, read_cartoon_set(folder).attributes)
    assert no_leftovers(cache)


def test_packed_once(folder, cache, monkeypatch):
    first = open_dataset(str(folder), 16, cache)
    monkeypatch.setattr(dataset, "read_cartoon_set", lambda path: pytest.fail("read again"))
    second = open_dataset(str(folder), 16, cache)
    assert np.array_equal(first.images, second.images) and first.ids == second.ids
    assert isinstance(second.images, np.memmap) and not second.images.flags.writeable
    assert first.vocabulary == second.vocabulary


def test_packed_again_when_anything_changes(folder, cache):
    before = open_dataset(str(folder), 16, cache)
    assert open_dataset(str(folder), 8, cache).images.shape == (100, 8, 8, 4)
    Image.new("RGBA", (20, 20), "white").save(folder / "cs5.png")
    os.utime(folder / "cs5.png", (2e9, 2e9))
    changed = open_dataset(str(folder), 16, cache)
    assert np.array_equal(np.flatnonzero((changed.images != before.images).any((1, 2, 3))), [5])
    (folder.parent / "options.json").write_text('{"eye_lid": ["open", "half"]}')
    assert open_dataset(str(folder), 16, cache).vocabulary.labels["eye_lid"] == ("open", "half")
    assert len(list(cache.iterdir())) == 4


def rewrite(path: Path, content: bytes, how: str) -> None:
    """Other content of the same size and time: written over, put in its place, or a link to it."""
    before = path.stat()
    assert len(content) == before.st_size
    if how == "in place":
        path.write_bytes(content)
    else:
        other = path.with_name("other")
        other.write_bytes(content)
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        if how == "moved there":
            other.replace(path)
        else:
            path.unlink()
            path.symlink_to("other")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize("how", ["in place", "moved there", "a link"])
@pytest.mark.parametrize("what", ["label", "picture", "names of values", "archive"])
def test_packed_again_when_size_and_time_say_that_nothing_has_changed(tmp_path, what, how):
    """As after rsync -t, cp -p, and programs that give all files one time."""
    for number in range(1, 7):
        write_pair(tmp_path / "set", number)
    options = tmp_path / "set" / "options.json"
    options.write_text('{"eye_lid": ["open", "half"]}')
    source = path = tmp_path / "set"
    if what == "archive":
        source = path = tmp_path / "set.tar"

    def pack() -> None:
        with tarfile.open(tmp_path / "set.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            tar.add(tmp_path / "set", arcname="set")

    pack()
    before = open_dataset(str(source), 8, tmp_path / "cache")
    if what in ("label", "archive"):
        path = tmp_path / "set" / "cs3.csv"
        old = before.attributes[2, 0]
        content = path.read_bytes().replace(
            b'"eye_angle", %d' % old, b'"eye_angle", %d' % (2 - old or 1)
        )
    elif what == "picture":
        path = tmp_path / "set" / "cs3.png"
        content = (tmp_path / "set" / "cs4.png").read_bytes()
    else:
        path, content = options, b'{"eye_lid": ["OPEN", "half"]}'
    if what == "archive":
        path.write_bytes(content)
        whole, path = tmp_path / "set.tar", tmp_path / "new.tar"
        kept = whole.rename(tmp_path / "kept")
        pack()
        content = whole.read_bytes()
        kept.replace(whole)
        path = whole
    rewrite(path, content, how)
    after = open_dataset(str(source), 8, tmp_path / "cache")
    changed = {
        "label": (after.attributes != before.attributes).sum() == 1,
        "archive": (after.attributes != before.attributes).sum() == 1,
        "picture": (after.images != before.images).any((1, 2, 3)).sum() == 1,
        "names of values": after.vocabulary.labels["eye_lid"] == ("OPEN", "half"),
    }
    assert changed[what]


def test_files_that_change_places_are_packed_again(tmp_path):
    for number in range(1, 7):
        write_pair(tmp_path / "set", number)
        for suffix in ("png", "csv"):
            os.utime(tmp_path / "set" / f"cs{number}.{suffix}", (1e9, 1e9))
    before = open_dataset(str(tmp_path / "set"), 8, tmp_path / "cache")
    one, two, aside = (tmp_path / "set" / name for name in ("cs1.png", "cs2.png", "aside"))
    one.rename(aside)
    two.rename(one)
    aside.rename(two)
    after = open_dataset(str(tmp_path / "set"), 8, tmp_path / "cache")
    assert np.array_equal(after.images[[1, 0, 2]], before.images[:3])


def test_what_does_not_belong_to_the_set_may_change(folder, cache):
    open_dataset(str(folder), 8, cache)
    (folder / "README.md").write_text("new")
    open_dataset(str(folder), 8, cache)
    assert len(list(cache.iterdir())) == 1


def test_split_is_decided_by_the_combination():
    rows = np.random.default_rng(0).integers(0, SIZES, size=(4000, 18))
    sides = split_of(rows)
    shares = np.bincount(sides, minlength=3) / 4000
    assert np.allclose(shares, [0.06, 0.06, 0.88], atol=0.01)
    assert np.array_equal(split_of(rows[::-1].astype(np.uint8)), sides[::-1])
    for row, side in zip(rows[:200], sides, strict=False):
        digest = hashlib.blake2b(bytes(row.tolist()), digest_size=8).digest()
        share = int.from_bytes(digest, "big") / 2**64
        assert SPLITS[side] == (
            "test" if share < 0.06 else "validation" if share < 0.12 else "train"
        )


def test_counts_are_those_of_the_train_split(cache):
    data = open_dataset("drawn:40", 8, cache)
    train = data.split("train")
    assert np.array_equal(train, np.flatnonzero(split_of(data.attributes) == 2)) and len(train) < 40
    for column, a in enumerate(ATTRIBUTES):
        expected = np.bincount(data.attributes[train, column], minlength=a.num_values)
        assert data.vocabulary.counts[a.name] == tuple(expected)
    with pytest.raises(ValueError, match="'tset'"):
        data.split("tset")


def test_what_no_training_image_has_is_not_asked_for(cache):
    data = open_dataset("drawn:200", 8, cache)
    sides, train = split_of(data.attributes), data.split("train")
    known = [np.unique(column) for column in data.attributes[train].T]
    held_out = np.sort(np.concatenate([data.split("test"), data.split("validation")]))
    for row in np.flatnonzero(sides < 2):
        values = zip(data.attributes[row], known, strict=True)
        assert all(value in trained for value, trained in values) == (row in held_out)
    assert 0 < len(held_out) < (sides < 2).sum()


def test_drawn_says_what_it_is(cache):
    data = open_dataset("drawn:2", 8, cache)
    assert data.vocabulary.labels["glasses"][-1] == "none (drawn)"
    [meta] = cache.glob("*/meta.json")
    meta = json.loads(meta.read_text())
    assert meta["source"] == "drawn:2" and "stand-in" in meta["about"]
    assert meta["examples"] == 2 and meta["rejected"] == 0 and meta["image_size"] == 8


def break_pairs(folder: Path, count: int) -> None:
    png = folder / "cs10.png"
    png.write_bytes(png.read_bytes()[:60])
    if count > 1:
        (folder / "cs20.csv").unlink()


def test_one_percent_is_skipped_and_listed(folder, cache, caplog):
    break_pairs(folder, 1)
    for _ in range(2):  # and said again when it is opened again
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            data = open_dataset(str(folder), 8, cache)
        [warning] = caplog.messages
        [listing] = cache.glob("*.rejects.csv")
        assert warning.startswith(f"1 of 100 pairs of {folder} cannot be used")
        assert str(listing) in warning and "\n" not in warning
    rows = listing.read_text().splitlines()
    assert rows[0] == "id,file,reason" and rows[1].startswith("cs10,cs10.png,")
    assert len(rows) == 2
    assert data.ids == [f"cs{i}" for i in range(100) if i != 10]
    assert len(data.images) == len(data.attributes) == 99
    assert data.images[10, 4, 4].tolist() == [11, 244, 0, 255]
    assert sorted(p.name for p in next(cache.glob("*/")).iterdir()) == [
        *("attributes.npy", "ids.txt", "images.npy", "meta.json")
    ]


@pytest.mark.parametrize("when", ["while labels are read", "while pictures are decoded"])
def test_more_than_one_percent_stops(folder, cache, when):
    break_pairs(folder, 2)
    if when == "while labels are read":
        (folder / "cs30.png").unlink()
    with pytest.raises(DatasetError) as caught:
        open_dataset(str(folder), 8, cache)
    [listing] = cache.glob("*.rejects.csv")
    bad = 2  # in the first case the truncated picture is not even looked at
    message = str(caught.value)
    assert message.startswith(f"{bad} of the 100 pairs of {folder} cannot be used")
    assert "cs20.png: there is no cs20.csv beside it" in message and str(listing) in message
    assert len(listing.read_text().splitlines()) == 1 + bad
    assert [p.name for p in cache.iterdir()] == [listing.name]


def test_a_picture_that_is_not_square_is_named(tmp_path, cache):
    write_pair(tmp_path / "set", 1)
    Image.new("RGBA", (20, 30)).save(tmp_path / "set" / "cs1.png")
    with pytest.raises(DatasetError, match=r"cs1\.png: the picture is 20x30"):
        open_dataset(str(tmp_path / "set"), 8, cache)


@pytest.mark.parametrize("source", ["no/such/place", "drawn:", "drawn:x", "cartoonset10K"])
def test_wrong_source(source, cache):
    with pytest.raises(DatasetError, match=f"no file or folder {source}.*drawn:N"):
        open_dataset(source, cache_dir=cache)


def test_damaged_cache_is_named(cache):
    open_dataset("drawn:2", 8, cache)
    [entry] = cache.iterdir()
    images = entry / "images.npy"
    images.write_bytes(images.read_bytes()[:100])
    with pytest.raises(DatasetError, match="delete that folder") as caught:
        open_dataset("drawn:2", 8, cache)
    assert str(entry) in str(caught.value)


def test_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AVATAR_CACHE", str(tmp_path / "file"))
    # Before the source is read, which takes a minute for a large archive.
    monkeypatch.setattr(dataset, "stand_in_examples", lambda count: pytest.fail("it was read"))
    with pytest.raises(DatasetError, match="AVATAR_CACHE"):
        open_dataset("drawn:2", 8)


def test_no_space_left(cache, monkeypatch):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DatasetError, match="0 MB are free"):
        open_dataset("drawn:2", 8, cache)


def test_concurrent_builds_do_not_disturb_each_other(folder, cache, monkeypatch):
    """Both have seen that there is no cache before either makes one."""
    barrier = threading.Barrier(2)

    def read(path: Path):
        barrier.wait(timeout=20)
        return read_cartoon_set(path)

    monkeypatch.setattr(dataset, "read_cartoon_set", read)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(open_dataset(str(folder), 8, cache)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 and np.array_equal(found[0].images, found[1].images)
    assert len(list(cache.iterdir())) == 1 and no_leftovers(cache)


BUILD_SLOWLY = """
import sys, time
from train.data import dataset, packing
real = packing.load_avatar
packing.load_avatar = lambda *args: time.sleep(0.2) or real(*args)
dataset.open_dataset("drawn:60", 8, sys.argv[1])
"""


def test_a_killed_build_leaves_nothing_that_looks_like_a_cache(cache):
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD_SLOWLY, str(cache)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while not list(cache.glob(".building-*/images.npy")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.kill()
    assert process.wait() == (-signal.SIGKILL if os.name == "posix" else 1)
    [abandoned] = cache.iterdir()
    assert abandoned.name.startswith(".building-")

    data = open_dataset("drawn:2", 8, cache)
    assert len(data) == 2 and data.images.any((1, 2, 3)).all()
    assert abandoned.exists(), "it might still be at work"
    os.utime(abandoned, (0, 0))
    open_dataset("drawn:3", 8, cache)
    assert no_leftovers(cache)


def test_a_failed_build_is_cleaned_up(folder, cache, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(packing, "load_avatar", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_dataset(str(folder), 8, cache)
    assert not list(cache.iterdir())
