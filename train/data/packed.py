"""Packs a data set once into a memory-mapped cache, so that no later run decodes a PNG.

One cache entry is a folder: ``images.npy``, ``attributes.npy``, ``ids.txt`` and ``meta.json``. Its
name depends on the source and its state, the image size and the version of the preprocessing, so
an entry is never stale and never changed: it is built in a temporary folder and moved into place.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from avatar_model.attributes import ATTRIBUTES, NAMES, Vocabulary
from avatar_model.images import DEFAULT_CROP, load_avatar
from train.data.cartoon_set import (
    BAD_PICTURE,
    Examples,
    Picture,
    options_beside,
    read_cartoon_set,
    walk,
)
from train.data.download import ARCHIVES, download
from train.data.rejects import (
    TEMPORARY,
    DatasetError,
    Reject,
    check_rejects,
    rejects_file,
    temporary_beside,
)
from train.data.stand_in_faces.dataset import RENDERING_VERSION, stand_in_examples

PREPROCESSING_VERSION = 3
"""Raise it when `load_avatar`, the splits or the layout of a cache entry change."""

SPLITS = ("test", "validation", "train")
HELD_OUT_FRACTION = 0.06
"""Of each of test and validation: at least 512 of 9,000 combinations in either."""
HELD_OUT = f"{HELD_OUT_FRACTION:.0%} test, {HELD_OUT_FRACTION:.0%} validation, by combination"
"""Stands in every checkpoint, so that no model is tested on what another split trained it on."""
_ABANDONED_SECONDS = 24 * 3600

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PackedSet:
    """A data set as arrays.

    Attributes:
        images: uint8 [N, H, W, 4], premultiplied RGBA, memory-mapped and read-only.
        attributes: uint8 [N, 18], in ``ATTRIBUTES`` order.
        ids: [N], such as ``cs123``.
        vocabulary: labels, and how often each value occurs in the train split.
        crop: what of a 500x500 picture was kept, see ``load_avatar``.
        folder: the cache entry.
    """

    images: np.ndarray
    attributes: np.ndarray
    ids: list[str]
    vocabulary: Vocabulary
    crop: int = DEFAULT_CROP
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def split(self, name: str) -> np.ndarray:
        """The rows of ``"train"`` (88 %), ``"validation"`` or ``"test"`` (6 % each), ascending.

        Settings are chosen on validation; what is reported comes from test. The side is decided
        by the attribute combination alone, so a combination held out here is held out in every
        data set, whatever its order, size, source or image size. In small data sets some held-out
        combinations have a value that no training image has; no model of it can be asked for
        those, so they are in no split.

        Returns:
            int64 [M].
        """
        if name not in SPLITS:
            raise ValueError(f"there is no split {name!r}; choose {', '.join(SPLITS)}")
        columns = zip(NAMES, self.attributes.T, strict=True)
        trained = [np.array(self.vocabulary.counts[n])[values] > 0 for n, values in columns]
        return np.flatnonzero(
            (split_of(self.attributes) == SPLITS.index(name)) & np.all(trained, axis=0)
        )

    def take(self, rows: np.ndarray) -> PackedSet:
        """Only these rows, copied into memory."""
        ids = [self.ids[row] for row in rows]
        return replace(self, images=self.images[rows], attributes=self.attributes[rows], ids=ids)


def split_of(attributes: np.ndarray) -> np.ndarray:
    """The side of every combination (integers [N, 18]), as an index of ``SPLITS``: int64 [N].

    The first 8 bytes of the BLAKE2b hash of its 18 values, one byte each, read as a big-endian
    number, decide: the lowest 6 % of the range are test, the next 6 % validation.
    """
    limits = [round(n * HELD_OUT_FRACTION * 2**64) for n in (1, 2)]
    rows = (row.tobytes() for row in np.asarray(attributes, dtype=np.uint8))
    hashes = (int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), "big") for row in rows)
    return np.array([bisect_right(limits, h) for h in hashes], dtype=np.int64)


def open_dataset(
    source: str,
    image_size: int = 64,
    cache_dir: str | Path | None = None,
    crop: int = DEFAULT_CROP,
) -> PackedSet:
    """Open a data set, packing it first if that has not been done yet.

    Args:
        source: a folder or archive of Cartoon Set; ``cartoonset10k`` or ``cartoonset100k`` to
            download it; ``drawn:N`` for N faces drawn by the built-in stand-in generator.
        image_size: side of the packed images, in pixels.
        cache_dir: where packed data sets are kept; by default the environment variable
            ``AVATAR_CACHE``, else ``~/.cache/avatar-model``.
        crop: side of the centre square that is kept, on a 500x500 picture.

    Raises:
        DatasetError: what is wrong with the source, or with more than 1 % of its pairs.
    """
    read, state = _find(source)
    root = Path(cache_dir or os.environ.get("AVATAR_CACHE") or "~/.cache/avatar-model")
    root = root.expanduser()
    key = json.dumps([state, image_size, crop, PREPROCESSING_VERSION]).encode()
    slug = re.sub(r"[^A-Za-z0-9]+", "-", Path(source).name.split(".")[0]).strip("-")
    entry = root / f"{slug}-{image_size}-{hashlib.blake2b(key, digest_size=8).hexdigest()}"
    if not entry.exists():
        try:
            root.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(root)
            _build(entry, read(), source, image_size, crop)
        except OSError as error:
            raise DatasetError(
                f"cannot pack {source} into {root} (AVATAR_CACHE chooses another folder): {error}"
            ) from error
    return _load(entry)


def _find(source: str) -> tuple[Callable[[], Examples], list]:
    """How to read a source, and a description that changes whenever its content does."""
    if match := re.fullmatch(r"drawn:(\d+)", source):
        count = int(match[1])
        return lambda: stand_in_examples(count), [source, RENDERING_VERSION]
    path = download(source) if source in ARCHIVES else Path(source).expanduser()
    if not path.exists():
        raise DatasetError(
            f"there is no file or folder {source}; a data set is a folder, an archive, "
            f"{', '.join(ARCHIVES)} or drawn:N (a number)"
        )
    return lambda: read_cartoon_set(path), [str(path.resolve()), *_state(path)]


def _state(path: Path) -> list[int]:
    """Number of files, their total size in bytes, and the newest change in nanoseconds."""
    files = list(walk(path)) if path.is_dir() else [path]
    if options_beside(path).is_file():
        files.append(options_beside(path))
    stats = [os.stat(file) for file in files]  # noqa: PTH116 (a Path for each is slow)
    newest = max((s.st_mtime_ns for s in stats), default=0)
    return [len(stats), sum(s.st_size for s in stats), newest]


def _load(entry: Path) -> PackedSet:
    try:
        meta = json.loads((entry / "meta.json").read_text("utf-8"))
        packed = PackedSet(
            images=np.load(entry / "images.npy", mmap_mode="r"),
            attributes=np.load(entry / "attributes.npy"),
            ids=(entry / "ids.txt").read_text("utf-8").split("\n"),
            vocabulary=Vocabulary.from_dict(meta["vocabulary"]),
            crop=meta["crop"],
            folder=entry,
        )
        if not len(packed.images) == len(packed.attributes) == len(packed.ids):
            raise ValueError("its arrays have different lengths")
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DatasetError(
            f"the packed data set {entry} is damaged ({error}); delete that folder, and it is "
            "made again"
        ) from error
    if meta["rejected"]:
        _log.warning(
            "%d of %d pairs of %s cannot be used and are left out; %s says why",
            *(meta["rejected"], meta["rejected"] + len(packed)),
            *(meta["source"], rejects_file(entry)),
        )
    return packed


def _build(entry: Path, examples: Examples, source: str, image_size: int, crop: int) -> None:
    """Decode all pictures into a temporary folder and rename it to ``entry``."""
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


def _pack_images(
    path: Path, examples: Examples, source: str, image_size: int, crop: int
) -> dict[int, Reject]:
    """Write ``images.npy`` for all rows; returns the rows whose picture is bad."""
    shape = (len(examples.ids), image_size, image_size, 4)
    images = np.lib.format.open_memmap(path, "w+", dtype=np.uint8, shape=shape)

    def pack(job: tuple[int, Picture]) -> tuple[int, str | None]:
        row, picture = job
        try:
            images[row] = load_avatar(picture(), image_size, crop)
        except BAD_PICTURE as error:
            return row, str(error) or type(error).__name__
        return row, None

    bad = {}
    # Closed at once on an error, so that no thread still writes while the folder is removed.
    with contextlib.closing(_map_in_threads(pack, examples.pictures())) as done:
        for row, reason in tqdm(done, f"packing {source}", len(examples.ids), unit=" images"):
            if reason is not None:
                bad[row] = Reject(examples.ids[row], examples.files[row], reason)
    images.flush()
    return bad


_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


def _map_in_threads(function: Callable[[_Job], _Result], jobs: Iterable[_Job]) -> Iterator[_Result]:
    """``map`` on all cores, in order, holding only a few jobs at a time.

    Threads, because Pillow releases the interpreter lock while it decodes and resizes.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    workers = len(affinity(0)) if affinity else os.cpu_count() or 1
    pending: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for job in jobs:
                pending.append(pool.submit(function, job))
                if len(pending) > 8 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


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


def check_space(root: Path, needed: int) -> None:
    """OSError unless so many bytes are free: running out of space in a memory-mapped file would
    kill the process without a message."""
    free = shutil.disk_usage(root).free
    if free < needed:
        raise OSError(f"it needs {needed / 1e6:,.0f} MB and {free / 1e6:,.0f} MB are free")


def _remove_abandoned(root: Path) -> None:
    """Delete what builds that were killed have left behind."""
    for path in root.glob(f"{TEMPORARY}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
