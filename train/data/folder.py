"""The files of a folder and of all folders below it, through symbolic links too."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from train.data.archive import FOREIGN_FOLDER, Member, is_text, kind
from train.data.errors import DatasetError

MAX_FOLDERS = 10_000
"""So that a mistyped ``/`` does not search the whole disk. The 100k set has 10."""


def folder_members(source: Path) -> Iterator[Member]:
    """What ``walk`` finds, with the texts; DatasetError as of ``walk``."""
    for member, _ in walk(source):
        if member.problem or not is_text(member.name):
            yield member
            continue
        try:
            yield member._replace(text=(source / member.name).read_bytes())
        except OSError as error:
            yield member._replace(problem=f"it cannot be read: {error.strerror}")


def walk(source: Path) -> Iterator[tuple[Member, tuple[int, ...]]]:
    """Every file of a data set, and every file or folder that cannot be read.

    A folder counts once, under the first of its names, and a link back to where it is, or to where
    ``source`` is, counts for nothing.

    Yields:
        the file, without its text, and numbers that change whenever its content does: size, inode,
        and the times of its last change, as it says and as the system knows (on Windows: of its
        creation).

    Raises:
        DatasetError: ``source`` cannot be read, or has more than ``MAX_FOLDERS`` folders.
    """
    real = Path(os.path.realpath(source))
    seen, queue = {str(real), *map(str, real.parents)}, deque([""])
    while queue:
        prefix = queue.popleft()
        try:
            entries = sorted(os.scandir(source / prefix), key=lambda entry: entry.name)
        except OSError as error:
            if not prefix:
                raise DatasetError(f"cannot read {source}: {error.strerror}") from None
            yield Member(prefix, problem=f"this folder cannot be read: {error.strerror}"), ()
            continue
        for entry in entries:
            name = prefix + entry.name
            if entry.is_file(follow_symlinks=False) and not kind(name):
                continue
            try:
                found = os.stat(entry.path)  # noqa: PTH116 (a Path for each is slow)
            except OSError as error:
                what = "a broken symbolic link" if entry.is_symlink() else "not to be read"
                yield Member(name, problem=f"it is {what}: {error.strerror}"), ()
                continue
            if stat.S_ISDIR(found.st_mode):
                folder = os.path.realpath(entry.path)
                if folder not in seen and not FOREIGN_FOLDER.fullmatch(entry.name):
                    seen.add(folder)
                    queue.append(f"{name}/")
                if len(seen) > MAX_FOLDERS:
                    raise DatasetError(
                        f"{source} has more than {MAX_FOLDERS:,} folders; give that of the data set"
                    )
            elif kind(name):
                is_file = stat.S_ISREG(found.st_mode)
                yield (
                    Member(
                        name,
                        problem="" if is_file else "it is a device, not a file",
                        identity=(found.st_dev, found.st_ino),
                        size=found.st_size,
                    ),
                    state_of(found),
                )


def state_of(found: os.stat_result) -> tuple[int, ...]:
    """Numbers that change whenever a file does, see ``walk``."""
    return (found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
