"""Decodes every picture of a data set once, into a cache entry.

An entry is a folder: ``images.npy``, ``attributes.npy``, ``ids.txt`` and ``meta.json``. It is built
under a temporary name and moved into place.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from avatar_model.atomic import TEMPORARY, temporary_beside
from avatar_model.attributes import ATTRIBUTES, Vocabulary
from avatar_model.crop import load_avatar
from train.data.errors import DatasetError
from train.data.examples import BAD_PICTURE, Examples, Picture
from train.data.rejects import Reject, check_rejects, rejects_file
from train.data.splits import SPLITS, split_of

PREPROCESSING_VERSION = 4
"""Raise it when `open_picture`, `load_avatar`, the splits or the layout of a cache entry change."""

CHUNK = 512
"""Pictures whose bytes are in memory at once."""
_ABANDONED_SECONDS = 24 * 3600


def build(entry: Path, examples: Examples, source: str, image_size: int, crop: int) -> None:
    """Decode all pictures into a temporary folder and rename it to ``entry``.

    Raises:
        DatasetError: too many pairs cannot be used, or too few are left to train on.
        OSError: it cannot be written.
    """
    _remove_abandoned(entry.parent)
    check_rejects(rejects_file(entry), examples.rejects, len(examples.ids), source)
    check_space(entry.parent, len(examples.ids) * image_size * image_size * 4)
    building = temporary_beside(entry)
    building.mkdir()
    try:
        bad = _pack_images(building / "images.npy", examples, source, image_size, crop)
        good = [row for row in range(len(examples.ids)) if row not in bad]
        rejects = examples.rejects + [bad[row] for row in sorted(bad)]
        check_rejects(rejects_file(entry), rejects, len(good), source)
        if bad:
            _keep_rows(building / "images.npy", good)
        attributes = examples.attributes[good]
        np.save(building / "attributes.npy", attributes)
        ids = "\n".join(examples.ids[row] for row in good)
        (building / "ids.txt").write_text(ids, "utf-8", newline="\n")
        meta = {
            "source": source,
            "about": examples.about,
            "image_size": image_size,
            "crop": crop,
            "preprocessing_version": PREPROCESSING_VERSION,
            "examples": len(good),
            "rejected": len(rejects),
            "vocabulary": _counted(examples.vocabulary, attributes, source).to_dict(),
        }
        (building / "meta.json").write_text(json.dumps(meta, indent=1), "utf-8", newline="\n")
        try:
            building.rename(entry)
        except OSError:
            if not entry.exists():  # else another process was faster, with the same content
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)


def check_space(root: Path, needed: int) -> None:
    """OSError unless so many bytes are free.

    Running out of space in a memory-mapped file would kill the process without a message.
    """
    free = shutil.disk_usage(root).free
    if free < needed:
        raise OSError(f"it needs {needed / 1e6:,.0f} MB and {free / 1e6:,.0f} MB are free")


def _pack_images(
    path: Path, examples: Examples, source: str, image_size: int, crop: int
) -> dict[int, Reject]:
    """Write ``images.npy`` for all rows; returns the rows whose picture is bad."""
    shape = (len(examples.ids), image_size, image_size, 4)
    images = np.lib.format.open_memmap(path, "w+", dtype=np.uint8, shape=shape)

    def pack(job: tuple[int, Picture]) -> tuple[int, str]:
        row, picture = job
        try:
            images[row] = load_avatar(picture(), image_size, crop)
        except BAD_PICTURE as error:
            return row, str(error) or type(error).__name__
        return row, ""

    bad = {}
    jobs = examples.pictures()
    bar = tqdm(total=len(examples.ids), desc=f"packing {source}", unit=" images")
    # Threads, because Pillow releases the interpreter lock while it decodes and resizes.
    with bar, ThreadPoolExecutor() as pool:
        chunk = list(islice(jobs, CHUNK))
        while chunk:
            packing = pool.map(pack, chunk)
            chunk = list(islice(jobs, CHUNK))  # read while those before are being packed
            for row, reason in packing:
                bar.update()
                if reason:
                    bad[row] = Reject(examples.ids[row], examples.files[row], reason)
    images.flush()
    return bad


def _keep_rows(path: Path, rows: list[int]) -> None:
    """Rewrite an array file with only some of its rows, without holding it in memory."""
    whole = path.with_suffix(".whole")
    path.rename(whole)
    old = np.load(whole, mmap_mode="r")
    new = np.lib.format.open_memmap(path, "w+", dtype=old.dtype, shape=(len(rows), *old.shape[1:]))
    for to, row in enumerate(rows):
        new[to] = old[row]
    new.flush()
    del old  # Windows removes no file that is still mapped
    whole.unlink()


def _counted(vocabulary: Vocabulary, attributes: np.ndarray, source: str) -> Vocabulary:
    """The vocabulary with the number of times each value occurs in the train split."""
    train = attributes[split_of(attributes) == SPLITS.index("train")]
    if not len(train):
        raise DatasetError(
            f"{source} is too small: none of its {len(attributes)} pairs is trained on"
        )
    columns = zip(ATTRIBUTES, train.T, strict=True)
    counts = {a.name: tuple(np.bincount(c, minlength=a.num_values).tolist()) for a, c in columns}
    return Vocabulary(vocabulary.labels, counts)


def _remove_abandoned(root: Path) -> None:
    """Delete what builds that were killed have left behind."""
    for path in root.glob(f"{TEMPORARY}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
