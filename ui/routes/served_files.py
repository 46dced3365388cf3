"""Files that a visitor may download: kept in Gradio's folder for an hour."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gradio.utils import get_upload_folder

from avatar_model.atomic import moved_into_place


def serve(content: bytes, name: str) -> str:
    """Put a file where Gradio serves it from; returns its path.

    Equal content has one place, and two requests may come there at once: nobody may find half a
    file, as with Gradio's own ``save_bytes_to_cache``, which writes over what is being read.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    folder = Path(get_upload_folder()) / hashlib.sha256(content).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with moved_into_place(path) as temporary:
        temporary.touch(0o600)  # nobody else on this machine needs to read it
        temporary.write_bytes(content)
    return str(path.resolve())
