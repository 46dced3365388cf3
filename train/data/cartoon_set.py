"""Reads Cartoon Set as people have it: a folder, or a ``.tar`` / ``.tgz`` that is never unpacked.

A data set is pairs of ``csX.png`` and ``csX.csv`` in one folder (as in the 10k set) or in
subfolders (``0`` .. ``9`` in the 100k set), under any top-level name. A CSV has one line per
attribute: ``"eye_angle", 2, 3`` is its name, its value and how many values it has. An
``options.json`` among the files, or beside the folder or archive, says what the values are called.
Files whose names do not start with ``cs`` belong to something else and are ignored.

Labels are read and checked here, at once; pictures are decoded later, one by one.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import struct
import tarfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from PIL import Image

from avatar_model.attributes import ATTRIBUTES, NAMES, Vocabulary, VocabularyError, attribute
from train.data.rejects import DatasetError, Reject

OPTIONS_NAME = "options.json"
MAX_SUBFOLDERS = 2
"""How deep to look, so that a mistyped ``/`` does not search the whole disk."""

BAD_PICTURE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
BAD_PICTURE += (Image.DecompressionBombError,)
"""What decoding a damaged or unsuitable PNG raises."""

_BAD_ARCHIVE = (tarfile.TarError, EOFError, zlib.error, OSError)


Picture = Callable[[], Image.Image]
"""Decodes one picture when called, in any thread; raises one of ``BAD_PICTURE``."""


@dataclass(frozen=True)
class Examples:
    """Checked labels, and pictures still to be decoded.

    Attributes:
        ids: [N], ``cs123``; unique, in numeric order.
        files: [N], the picture of each example as messages name it.
        attributes: uint8 [N, 18], in ``ATTRIBUTES`` order.
        vocabulary: the labels; its counts are not those of the data.
        pictures: called once, yields (row, picture) for every row, in the order of the source.
        about: what this data set is, in a sentence.
        rejects: the pairs that were left out.
    """

    ids: list[str]
    files: list[str]
    attributes: np.ndarray
    vocabulary: Vocabulary
    pictures: Callable[[], Iterator[tuple[int, Picture]]]
    about: str
    rejects: list[Reject] = field(default_factory=list)


class _Span(NamedTuple):
    """Where a file's bytes lie: ``size`` bytes (-1: all) from ``offset`` of ``path``."""

    path: Path
    offset: int = 0
    size: int = -1

    def read(self) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


def read_cartoon_set(source: Path) -> Examples:
    """Find all pairs of a folder or archive and check their labels.

    Raises:
        DatasetError: nothing at ``source``, not an archive, a damaged archive, nothing in it, or
            an ``options.json`` that does not fit.
    """
    if not source.exists():
        raise DatasetError(f"there is no file or folder {source}")
    options: tuple[str, bytes] | None = None
    beside = options_beside(source)
    if beside.is_file():
        options = (str(beside), beside.read_bytes())

    # (folder, id) -> suffix -> the files of that name
    pairs: dict[tuple[str, str], dict[str, list]] = defaultdict(lambda: defaultdict(list))
    for name, span, content in _members(source):
        path = PurePosixPath(name)
        if path.name == OPTIONS_NAME:
            options = (f"{source}/{name}", content)
        elif path.name.lower().startswith("cs") and path.suffix.lower() in (".png", ".csv"):
            pairs[str(path.parent), path.stem][path.suffix.lower()].append((name, span, content))
    if not pairs:
        raise DatasetError(
            f"there are no pairs of csNUMBER.png and csNUMBER.csv in {source} "
            f"or up to {MAX_SUBFOLDERS} folders below it"
        )
    vocabulary = _vocabulary(*options) if options else Vocabulary.numbered()

    good: dict[str, tuple[str, _Span, list[int]]] = {}
    rejects = []
    for (_, id_), pair in sorted(pairs.items()):
        try:
            for suffix, other in ((".png", ".csv"), (".csv", ".png")):
                if suffix not in pair:
                    raise _BadPairError(pair[other][0][0], f"there is no {id_}{suffix} beside it")
                if len(pair[suffix]) > 1:
                    raise _BadPairError(pair[suffix][1][0], f"{id_}{suffix} occurs more than once")
            [(png_name, span, _)], [(csv_name, _, content)] = pair[".png"], pair[".csv"]
            if id_ in good:
                raise _BadPairError(
                    png_name, f"{id_} occurs more than once, also as {good[id_][0]}"
                )
            try:
                good[id_] = (png_name, span, parse_csv(content))
            except ValueError as error:
                raise _BadPairError(csv_name, str(error)) from None
        except _BadPairError as bad:
            rejects.append(Reject(id_, *bad.args))

    ids = sorted(good, key=lambda id_: (len(id_), id_))
    spans = [good[id_][1] for id_ in ids]
    return Examples(
        ids=ids,
        files=[good[id_][0] for id_ in ids],
        attributes=np.array([good[id_][2] for id_ in ids], dtype=np.uint8).reshape(
            len(ids), len(NAMES)
        ),
        vocabulary=vocabulary,
        pictures=partial(_pictures, spans, _is_gzip(source)),
        about=f"Cartoon Set files from {source.name}",
        rejects=rejects,
    )


class _BadPairError(Exception):
    """(file, reason) of a pair that cannot be used."""


def options_beside(source: Path) -> Path:
    """Where an ``options.json`` beside a folder or archive would be."""
    return source.parent / OPTIONS_NAME


def parse_csv(content: bytes) -> list[int]:
    """The 18 values of one CSV file, in ``ATTRIBUTES`` order.

    Raises:
        ValueError: the message says what is wrong in the file, without its name.
    """
    try:
        lines = list(csv.reader(content.decode("utf-8-sig").splitlines(), skipinitialspace=True))
    except (UnicodeDecodeError, csv.Error):
        raise ValueError("it is not a text file of comma-separated values") from None
    values: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            name, value, num_values = line[0].strip(), *map(int, line[1:])
        except ValueError:
            raise ValueError(
                f"line {number} is {','.join(line)[:80]!r}; it must be a name, a value and the "
                "number of values"
            ) from None
        known = attribute(name)
        if name in values:
            raise ValueError(f"{name} occurs twice")
        if num_values != known.num_values:
            raise ValueError(f"{name} has {num_values} values here; it must be {known.num_values}")
        if not 0 <= value < num_values:
            raise ValueError(f"{name} {value} is out of range; it has values 0..{num_values - 1}")
        values[name] = value
    missing = [name for name in NAMES if name not in values]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    return [values[name] for name in NAMES]


def format_csv(values: Sequence[int]) -> str:
    """The content of a CSV file with these 18 values, in ``ATTRIBUTES`` order."""
    lines = zip(ATTRIBUTES, values, strict=True)
    return "".join(f'"{a.name}", {value}, {a.num_values}\n' for a, value in lines)


def _vocabulary(where: str, content: bytes) -> Vocabulary:
    """The labels of an ``options.json``."""
    try:
        options = json.loads(content)
    except ValueError as error:  # also for text that is not UTF-8
        raise DatasetError(f"{where} is not valid JSON: {error}") from None
    if not isinstance(options, dict):
        raise DatasetError(f"{where} must be an object: attribute names and their lists of labels")
    for name, labels in options.items():
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise DatasetError(f"{where}: the labels of {name} must be a list of strings")
    try:
        return Vocabulary.from_options(options)
    except VocabularyError as error:
        raise DatasetError(f"{where} does not fit: {error}") from None


def _members(source: Path) -> Iterator[tuple[str, _Span, bytes]]:
    """(name below ``source``, place, content) of every file; PNGs are not read yet."""
    return _folder_members(source) if source.is_dir() else _archive_members(source)


def _is_text(name: str) -> bool:
    return name.lower().endswith(".csv") or name.endswith(OPTIONS_NAME)


def walk(folder: Path) -> Iterator[str]:
    """The paths of all files in a folder and up to ``MAX_SUBFOLDERS`` below it."""
    for here, subfolders, names in os.walk(folder):
        if len(Path(here).relative_to(folder).parts) >= MAX_SUBFOLDERS:
            subfolders.clear()
        for name in names:
            yield os.path.join(here, name)  # noqa: PTH118 (a Path for each is slow)


def _folder_members(source: Path) -> Iterator[tuple[str, _Span, bytes]]:
    for path in map(Path, walk(source)):
        span = _Span(path)
        try:
            content = span.read() if _is_text(path.name) else b""
        except OSError as error:
            raise DatasetError(f"cannot read {path}: {error.strerror}") from None
        yield path.relative_to(source).as_posix(), span, content


def _archive_members(source: Path) -> Iterator[tuple[str, _Span, bytes]]:
    with (gzip.open if _is_gzip(source) else open)(source, "rb") as stream:
        try:
            archive = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115 (stream is closed)
        except _BAD_ARCHIVE:
            raise DatasetError(
                f"{source} is neither a folder nor a complete .tar, .tgz or .tar.gz archive"
            ) from None
        try:
            for member in archive:
                if member.isfile():
                    span = _Span(source, member.offset_data, member.size)
                    file = archive.extractfile(member) if _is_text(member.name) else None
                    yield member.name, span, file.read() if file else b""
            # An archive ends with two empty blocks, and the loop ends with the first. tarfile
            # takes the middle of a damaged archive for the end, too, and does not say so.
            rest = stream.read()
            if len(rest) < tarfile.BLOCKSIZE or any(rest[: tarfile.BLOCKSIZE]):
                raise tarfile.ReadError("unexpected end of data")
        except _BAD_ARCHIVE as error:
            raise DatasetError(
                f"{source} is damaged or incomplete ({error}); download or copy it again"
            ) from None


def _is_gzip(source: Path) -> bool:
    """By content, because a file in the Hub's cache has no suffix."""
    return source.is_file() and _Span(source, 0, 2).read() == b"\x1f\x8b"


def _pictures(spans: list[_Span], compressed: bool) -> Iterator[tuple[int, Picture]]:
    """(row, picture) of every row; a compressed archive can only be read from front to back."""
    if not compressed:
        for row, span in enumerate(spans):
            yield row, lambda span=span: _decode(span.read())
        return
    with gzip.open(spans[0].path, "rb") as stream:
        for row in sorted(range(len(spans)), key=lambda row: spans[row].offset):
            stream.seek(spans[row].offset)
            yield row, partial(_decode, stream.read(spans[row].size))


def _decode(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content), formats=["PNG"])
    image.load()
    return image
