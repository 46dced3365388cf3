"""Files that a visitor may download: kept in Gradio's folder for an hour."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from gradio.utils import get_upload_folder


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
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.close()
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    return str(path.resolve())
