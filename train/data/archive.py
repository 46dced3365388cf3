"""The files of a data set: those of a folder, or of a ``.tar`` / ``.tgz`` that is never unpacked.

Texts are read at once, pictures later, one by one.
"""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Iterator
from functools import partial
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from train.data.errors import DatasetError
from train.data.examples import Picture

OPTIONS_NAME = "options.json"
MAX_SUBFOLDERS = 2
"""How deep to look, so that a mistyped ``/`` does not search the whole disk."""

_BAD_ARCHIVE = (tarfile.TarError, EOFError, zlib.error, OSError)


class Member(NamedTuple):
    """A file below the folder or in the archive.

    Attributes:
        text: its content, if it is a CSV or ``options.json``.
        offset, size: of its bytes in the uncompressed archive.
    """

    name: str
    text: bytes
    offset: int = 0
    size: int = 0


def members(source: Path) -> Iterator[Member]:
    """All files of a folder or archive.

    Raises:
        DatasetError: not an archive, or a damaged one, or a text that cannot be read.
    """
    return _folder_members(source) if source.is_dir() else _archive_members(source)


def pictures(source: Path, images: list[Member]) -> Iterator[tuple[int, Picture]]:
    """(row, picture) of every row; an archive is read from front to back."""
    if source.is_dir():
        for row, image in enumerate(images):
            yield row, partial(_decode, source / image.name)
        return
    with _open(source) as stream:
        for row, image in sorted(enumerate(images), key=lambda item: item[1].offset):
            stream.seek(image.offset)
            yield row, partial(_decode, BytesIO(stream.read(image.size)))


def walk(folder: Path) -> Iterator[str]:
    """The paths of all files in a folder and up to ``MAX_SUBFOLDERS`` below it."""
    for here, subfolders, names in os.walk(folder):
        if len(Path(here).relative_to(folder).parts) >= MAX_SUBFOLDERS:
            subfolders.clear()
        for name in names:
            yield os.path.join(here, name)  # noqa: PTH118 (a Path for each is slow)


def _folder_members(source: Path) -> Iterator[Member]:
    for path in map(Path, walk(source)):
        try:
            text = path.read_bytes() if _is_text(path.name) else b""
        except OSError as error:
            raise DatasetError(f"cannot read {path}: {error.strerror}") from None
        yield Member(path.relative_to(source).as_posix(), text)


def _archive_members(source: Path) -> Iterator[Member]:
    with _open(source) as stream:
        try:
            archive = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115 (stream is closed)
        except _BAD_ARCHIVE:
            raise DatasetError(
                f"{source} is neither a folder nor a complete .tar, .tgz or .tar.gz archive"
            ) from None
        try:
            for info in archive:
                if info.isfile():
                    file = archive.extractfile(info) if _is_text(info.name) else None
                    text = file.read() if file else b""
                    yield Member(info.name, text, info.offset_data, info.size)
            # An archive ends with two empty blocks, and the loop ends with the first. tarfile
            # takes the middle of a damaged archive for the end, too, and does not say so.
            rest = stream.read()
            if len(rest) < tarfile.BLOCKSIZE or any(rest[: tarfile.BLOCKSIZE]):
                raise tarfile.ReadError("unexpected end of data")
        except _BAD_ARCHIVE as error:
            raise DatasetError(
                f"{source} is damaged or incomplete ({error}); download or copy it again"
            ) from None


def _is_text(name: str) -> bool:
    return name.lower().endswith(".csv") or name.endswith(OPTIONS_NAME)


def _open(archive: Path) -> BufferedIOBase:
    """Uncompressed; told by its content, because a file in the Hub's cache has no suffix."""
    with archive.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return gzip.open(archive) if compressed else archive.open("rb")


def _decode(file: Path | BytesIO) -> Image.Image:
    with Image.open(file, formats=["PNG"]) as image:
        image.load()
        return image
