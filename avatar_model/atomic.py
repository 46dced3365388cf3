"""Files that appear whole or not at all, whoever reads meanwhile and whenever the process dies."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = ".building-"
"""How the names of files and folders start that are still being written; readers ignore them."""


def temporary_beside(path: Path) -> Path:
    """A name in the same folder that nobody else uses, not even to write the same file."""
    return path.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")


@contextmanager
def moved_into_place(path: Path) -> Iterator[Path]:
    """A temporary name to write to; at the end it becomes ``path``, or goes if that failed."""
    temporary = temporary_beside(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part."""
    with moved_into_place(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
