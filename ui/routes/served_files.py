"""Files that a visitor may download: kept in Gradio's folder for an hour, if there is room."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from gradio.utils import get_upload_folder

from avatar_model.atomic import TEMPORARY, moved_into_place

KEEP_SECONDS = 3600
MAX_BYTES = 256 * 2**20
"""Of all files; the oldest go first."""
SWEEP_SECONDS = 60
SWEEP_BYTES = MAX_BYTES // 8
"""Written since the last sweep, after which the next one does not wait for its time."""

logger = logging.getLogger(__name__)
_written = 0
"""Bytes since the start, under the lock of ``_more``."""
_more = threading.Condition()


def private_folder() -> str:
    """A folder of this user alone, in ``GRADIO_TEMP_DIR`` or else the system's for such files.

    All in it is ours to delete; other programs with Gradio have theirs beside it.
    """
    parent = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())
    folder = parent / f"avatar-maker-{os.getuid() if hasattr(os, 'getuid') else 0}"
    with suppress(OSError):  # the first file says what is wrong
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
            return tempfile.mkdtemp(prefix="avatar-maker-")
    return str(folder)


def serve(content: bytes, name: str) -> str:
    """Put a file where Gradio serves it from; returns its path.

    Equal content has one place, and two requests may come there at once: nobody may find half a
    file, as with Gradio's own ``save_bytes_to_cache``, which writes over what is being read.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    global _written
    folder = _folder() / hashlib.sha256(content).hexdigest()
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    with moved_into_place(path) as temporary:
        temporary.touch(0o600)  # nobody else on this machine needs to read it
        temporary.write_bytes(content)
    with _more:
        _written += len(content)
        _more.notify_all()
    return str(path.resolve())


def sweep(folder: Path, keep_seconds: float = KEEP_SECONDS, max_bytes: int = MAX_BYTES) -> None:
    """Delete what is older than ``keep_seconds``, and of the rest the oldest, down to a sum.

    Whatever has gone meanwhile, or cannot be deleted, is passed over.
    """
    files, now = [], time.time()
    for parent, _, names in os.walk(folder):
        for path in (Path(parent) / name for name in names):
            with suppress(OSError):
                stat = path.lstat()
                being_written = (
                    path.name.startswith(TEMPORARY) and now - stat.st_mtime < SWEEP_SECONDS
                )
                if not being_written:
                    files.append((stat.st_mtime, stat.st_size, path))
    total = 0
    for changed, size, path in sorted(files, reverse=True):  # the newest first
        total += size
        if total > max_bytes or now - changed > keep_seconds:
            with suppress(OSError):
                path.unlink()
    for parent, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):  # there is something in it
            # Not one that was made just now, in which a file is about to be.
            if Path(parent) != folder and now - Path(parent).stat().st_mtime > SWEEP_SECONDS:
                Path(parent).rmdir()


def keep_sweeping(max_bytes: int = MAX_BYTES) -> None:
    """Sweep now, and from now on as long as the process lives."""

    def work() -> None:
        while True:
            _sweep_and_wait(max_bytes)

    threading.Thread(target=work, name="sweep", daemon=True).start()


def _sweep_and_wait(max_bytes: int) -> None:
    swept = _written  # before it looks: what comes meanwhile is for the next sweep
    try:
        sweep(_folder(), max_bytes=max_bytes)
    except Exception:  # nothing may end this thread: the disk would fill
        logger.exception("event=no_sweep")
    with _more:
        _more.wait_for(lambda: _written - swept > SWEEP_BYTES, SWEEP_SECONDS)


def _folder() -> Path:
    return Path(get_upload_folder())
