"""Opens a data set by its name: the images and attributes as arrays, packed at the first time.

The cache entry's name depends on the source, the image size, the version of the preprocessing, and
of every file of the source (of the archive) on its name, size, inode, and the times of its last
change, as it says and as the system knows. Programs can set the first of the two times back, not
the second, so whatever is changed is packed again. Windows does not tell the second: there a file
that is changed in place, and whose size and time are then as before, is not noticed. An entry is
never changed, and no later run decodes a PNG.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from avatar_model.attributes import NAMES, Vocabulary
from avatar_model.crop import DEFAULT_CROP
from train.data.cartoon_set import options_beside, read_cartoon_set
from train.data.download import ARCHIVES, download
from train.data.errors import DatasetError
from train.data.examples import Examples
from train.data.folder import state_of, walk
from train.data.packing import PREPROCESSING_VERSION, build
from train.data.rejects import rejects_file
from train.data.splits import SPLITS, split_of
from train.data.stand_in_faces.stand_in_set import RENDERING_VERSION, stand_in_examples

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

        Settings are chosen on validation; what is reported comes from test. The split is decided
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
        in_split = split_of(self.attributes) == SPLITS.index(name)
        return np.flatnonzero(in_split & np.all(trained, axis=0))

    def identity(self) -> str:
        """A short hash of who is in it, the same wherever the data set lies and however large."""
        digest = hashlib.blake2b("\n".join(self.ids).encode(), digest_size=8)
        digest.update(self.attributes.tobytes())
        return digest.hexdigest()

    def take(self, rows: np.ndarray) -> PackedSet:
        """Only these rows, copied into memory."""
        ids = [self.ids[row] for row in rows]
        return replace(self, images=self.images[rows], attributes=self.attributes[rows], ids=ids)


def open_dataset(
    source: str,
    image_size: int = 64,
    cache_dir: str | Path | None = None,
    crop: int = DEFAULT_CROP,
) -> PackedSet:
    """Open a data set, packing it first if that has not been done yet.

    Args:
        source: a folder or archive of Cartoon Set; ``cartoonset10k`` or ``cartoonset100k`` to
            download it; ``drawn:N`` for N stand-in faces, rendered by a program.
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
            root.mkdir(parents=True, exist_ok=True)  # before anything is read
            build(entry, read(), source, image_size, crop)
        except OSError as error:
            raise DatasetError(
                f"cannot pack {source} into {root} (AVATAR_CACHE chooses another folder): {error}"
            ) from error
    return _load(entry)


def _find(source: str) -> tuple[Callable[[], Examples], list[Any]]:
    """How to read a source, and a description that changes whenever its content does, for JSON."""
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


def _state(path: Path) -> list[Any]:
    """What changes whenever a file of the data set does, its names included."""
    beside = options_beside(path)
    state = [state_of(beside.stat())] if beside.is_file() else []
    if not path.is_dir():
        return [*state, state_of(path.stat())]
    return [*state, *((member.name, member.problem, *of) for member, of in walk(path))]


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
