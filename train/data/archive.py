"""The files of a ``.tar`` or ``.tgz`` that is never unpacked, as unpacking it would give them.

Texts are read at once, pictures later, one by one.
"""

from __future__ import annotations

import re
import tarfile
import unicodedata
import zlib
from collections import deque
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import Any, NamedTuple, Union

from PIL import Image

from avatar_model.open_picture import open_picture
from train.data.errors import DatasetError
from train.data.examples import Picture
from train.data.tar_file import StrictTarFile

try:
    from lzma import LZMAError
except ImportError:  # a Python may be built without it
    LZMAError = EOFError  # type: ignore[misc, assignment]

OPTIONS_NAME = "options.json"
FOREIGN_FOLDER = re.compile(r"__MACOSX|PaxHeaders?(\.\d+)?")
"""What other systems' files about files lie in, under the names of those files."""

_COMPRESSIONS = {rb"\x1f\x8b": "gzip", rb"BZh.1AY&SY": "bz2", rb"\xfd7zXZ\0": "lzma"}
"""How such a file begins -> Python's module for it."""
_OTHER_ARCHIVES = {
    rb"PK\x03\x04": "zip",
    rb"7z\xbc\xaf\x27\x1c": "7z",
    rb"Rar!\x1a\x07": "rar",
    rb"\x28\xb5\x2f\xfd": "zstd",
}
_BAD_ARCHIVE = (
    *(tarfile.TarError, EOFError, OSError, ValueError, OverflowError, MemoryError),
    *(zlib.error, LZMAError),
)
_MAX_LINKS = 40
"""How many symbolic links lead on from one to the next; more go in a circle. As in Linux."""


class Member(NamedTuple):
    """A file below the folder or in the archive.

    Attributes:
        name: its path there, with ``/``.
        text: its content, if it is a CSV or ``options.json``.
        problem: why it cannot be read, or "". It may then be a folder, too.
        identity: equal for names of the same file.
        offset, size: of its bytes in the uncompressed archive.
        sparse: if only parts are stored: (offset in the file, size) of each.
    """

    name: str
    text: bytes | None = None
    problem: str = ""
    identity: tuple[int, ...] = ()
    offset: int = 0
    size: int = 0
    sparse: tuple[tuple[int, int], ...] = ()


def kind(name: str) -> str:
    """``.png`` or ``.csv`` of a pair, ``options.json``, or "": a file of something else."""
    last = name.rpartition("/")[2].lower()
    if last == OPTIONS_NAME:
        return last
    return last[-4:] if last.startswith("cs") and last.endswith((".png", ".csv")) else ""


def is_text(name: str) -> bool:
    """Whether ``Member.text`` has the content of such a file."""
    return kind(name) in (".csv", OPTIONS_NAME)


def pictures(source: Path, images: list[Member]) -> Iterator[tuple[int, Picture]]:
    """(row, picture) of every row of a folder or archive; that is read from front to back.

    Raises:
        DatasetError: the archive has been changed or removed meanwhile.
    """
    if source.is_dir():
        for row, image in enumerate(images):
            yield row, partial(_decode, source / image.name)
        return
    for row, content in _contents(source, images):
        yield row, partial(_decode, BytesIO(content))


def archive_members(source: Path) -> Iterator[Member]:
    """The files that unpacking an archive would give.

    As with ``tar``, a later file replaces an earlier one of the same name. Links lead to what they
    lead to when unpacked, if that is in the archive, and each folder counts once, under the first
    of its names. Archives written one after the other (``cat``) are read as one.

    Raises:
        DatasetError: not an archive, or one that is damaged or has no end.
    """
    unread = []
    for member in _files(_tree(source)):
        if is_text(member.name) and member.text is None and not member.problem:
            unread.append(member)  # it is a link to a file with another kind of name
        else:
            yield member
    for row, content in _contents(source, unread):
        yield unread[row]._replace(text=content)


_Node = Union["_Tree", Member, str]
"""In a folder: a folder, a file, or where a link leads."""
_Tree = dict[str, _Node]


def _tree(source: Path) -> _Tree:
    """The folders, files and links of an archive."""
    root: _Tree = {}
    with _open(source) as stream:
        try:
            archive = StrictTarFile.open(fileobj=stream, mode="r:", ignore_zeros=True)
        except _BAD_ARCHIVE:
            raise DatasetError(
                f"{source} is neither a folder nor a complete .tar, .tgz or .tar.gz archive"
            ) from None
        try:
            for info in archive:
                _insert(root, archive, info)
        except _BAD_ARCHIVE as error:
            raise DatasetError(
                f"{source} is damaged or incomplete ({error}); download or copy it again"
            ) from None
    return root


def _files(root: _Tree) -> Iterator[Member]:
    """All files, and links that lead nowhere, from the top down."""
    seen, queue = {id(root)}, deque([("", root)])
    while queue:
        prefix, folder = queue.popleft()
        for name, node in folder.items():
            path = prefix + name
            found = _resolve(root, path) if isinstance(node, str) else node
            if isinstance(found, Member):
                yield found._replace(name=path)
            elif found is None:
                missing = f"it is a link to {node}, which is not in the archive; pack with tar -h"
                yield Member(path, problem=missing)
            elif id(found) not in seen:
                seen.add(id(found))
                queue.append((f"{path}/", found))


def _insert(root: _Tree, archive: tarfile.TarFile, info: tarfile.TarInfo) -> None:
    """Put what a header of the archive tells into the tree."""
    folders = _inside(info.name)
    if not folders or any(map(FOREIGN_FOLDER.fullmatch, folders[:-1])):
        return
    name, here = folders.pop(), root
    for folder in folders:
        inside = here.get(folder)
        if not isinstance(inside, dict):
            inside = here[folder] = {}
        here = inside
    if info.isdir():
        if not isinstance(here.get(name), dict):
            here[name] = {}
    elif info.isreg():
        file = archive.extractfile(info) if is_text(name) else None
        parts: Any = info.sparse or ()
        here[name] = Member(
            name,
            text=file.read() if file else None,
            identity=(info.offset_data,),
            offset=info.offset_data,
            size=info.size,
            sparse=tuple(parts),
        )
    elif info.issym():
        here[name] = info.linkname
    elif info.islnk():
        # Of the file that has the name now: a later one of that name is another file.
        target = "/" + "/".join(_inside(info.linkname))
        here[name] = _resolve(root, target) or target
    elif info.isdev():
        here[name] = Member(name, problem="it is a device, not a file")


def _resolve(root: _Tree, path: str) -> _Tree | Member | None:
    """What there is at a path, through all links; None if nothing is."""
    here, todo, links = [root], _parts(path)[::-1], 0
    while todo:
        name = todo.pop()
        if name == "..":
            if len(here) > 1:
                here.pop()
            elif set(todo) - {".."}:
                return None  # a neighbour of what was packed
            continue
        node = here[-1].get(name)
        if isinstance(node, str) and links < _MAX_LINKS:
            links += 1
            here = [root] if node.startswith("/") else here
            todo += _parts(node)[::-1]
        elif isinstance(node, dict):
            here.append(node)
        else:
            return node if isinstance(node, Member) and not todo else None
    return here[-1]


def _parts(path: str) -> list[str]:
    """The names in a path; macOS writes accents in another way than others."""
    path = path if path.isascii() else unicodedata.normalize("NFC", path)
    return [part for part in path.split("/") if part not in ("", ".")]


def _inside(name: str) -> list[str]:
    """The names in the path of a member, without any ``..``, as ``tar`` unpacks it."""
    names: list[str] = []
    for part in _parts(name):
        if part != "..":
            names.append(part)
        elif names:
            names.pop()
    return names


def _contents(source: Path, members: list[Member]) -> Iterator[tuple[int, bytes]]:
    """(row, bytes) of files in an archive, from its front to its back."""
    content, at = b"", -1
    try:
        with _open(source) as stream:
            for row, member in sorted(enumerate(members), key=lambda item: item[1].offset):
                if member.offset != at:  # else it is another name of the same file
                    content, at = _content(stream, member), member.offset
                yield row, content
    except _BAD_ARCHIVE as error:
        raise DatasetError(f"{source} has changed while it was packed ({error})") from None


def _content(stream: BufferedIOBase, member: Member) -> bytes:
    """The bytes of one file."""
    stream.seek(member.offset)
    if not member.sparse:
        return stream.read(member.size)
    content = bytearray(member.size)
    for start, size in member.sparse:
        content[start : start + size] = stream.read(size)
    return bytes(content)


def _open(archive: Path) -> BufferedIOBase:
    """Uncompressed; told by its content, because a file in the Hub's cache has no suffix."""
    try:
        if not archive.is_file():
            raise DatasetError(f"{archive} is neither a folder nor a file")
        with archive.open("rb") as file:
            start = file.read(16)
        for magic, name in _OTHER_ARCHIVES.items():
            if re.match(magic, start):
                raise DatasetError(
                    f"{archive} is a {name} archive; a data set is a folder, a .tar or a .tgz, so "
                    "unpack it and give the folder"
                )
        for magic, name in _COMPRESSIONS.items():
            if re.match(magic, start):
                opened: BufferedIOBase = import_module(name).open(archive)
                return opened
        return archive.open("rb")
    except ImportError as error:  # a Python may be built without some
        raise DatasetError(f"this Python cannot uncompress {archive}: {error}") from None
    except OSError as error:
        raise DatasetError(f"cannot read {archive}: {error.strerror or error}") from None


def _decode(file: Path | BytesIO) -> Image.Image:
    return open_picture(file.read_bytes() if isinstance(file, Path) else file.getvalue(), ["PNG"])
