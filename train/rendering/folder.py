"""The folder of a rendered data set: what is in it, what is missing, and what it was started with.

    out/
        options.json        what the values are called
        render.json         the settings; a folder with others is refused
        0/ .. 9/            csI.png and csI.csv, in folder I % 10, as in the 100k set

A file is written under a name that readers ignore and moved into place, the picture last: what
has a picture and a CSV is whole, even after a kill.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from avatar_model import Vocabulary
from avatar_model.atomic import TEMPORARY, moved_into_place, write_atomically
from avatar_model.errors import AvatarError
from train.data.archive import OPTIONS_NAME
from train.data.cartoon_set import format_csv

SETTINGS_NAME = "render.json"
NUM_FOLDERS = 10
ABANDONED_SECONDS = 60
"""Writing a file takes milliseconds: what is so old and not in place was left over by a kill."""


class RenderError(AvatarError):
    """A data set that cannot be rendered as asked; the message says why and what to do."""


class RenderFolder:
    """Reads and writes one folder; several processes may, each its own pairs.

    Args:
        path: need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(
        self, settings: Mapping[str, Any], vocabulary: Vocabulary, unsaid: Mapping[str, Any]
    ) -> None:
        """Make the folder, or check that it was started with the same settings.

        Args:
            settings: everything that decides what a picture is, in JSON's types.
            unsaid: some of them, with what they were in a folder that does not tell them.

        Raises:
            RenderError: it holds something else, or other settings.
            OSError: it cannot be written.
        """
        mine = json.loads(json.dumps(settings))
        try:
            before = json.loads((self.path / SETTINGS_NAME).read_text("utf-8"))
        except FileNotFoundError:
            self._refuse_strangers()
        except ValueError as error:
            raise RenderError(f"{self.path / SETTINGS_NAME} cannot be read: {error}") from None
        else:
            self._refuse_others({**unsaid, **before}, mine)
            return
        for number in range(NUM_FOLDERS):
            (self.path / str(number)).mkdir(parents=True, exist_ok=True)
        # Processes that start together all write these, the same.
        write_atomically(self.path / OPTIONS_NAME, json.dumps(vocabulary.labels, indent=1))
        # Last: a folder with settings has everything else.
        write_atomically(self.path / SETTINGS_NAME, json.dumps(mine, indent=1) + "\n")

    def present(self) -> set[int]:
        """The numbers of all whole pairs; what a kill left over is removed."""
        found: set[int] = set()
        for number in range(NUM_FOLDERS):
            folder = self.path / str(number)
            # Names only: two million files are listed in seconds.
            names = set(os.listdir(folder))  # noqa: PTH208 (a Path for each is slow)
            for name in [name for name in names if name.startswith(TEMPORARY)]:
                with contextlib.suppress(FileNotFoundError):  # moved into place meanwhile
                    if (folder / name).stat().st_mtime < time.time() - ABANDONED_SECONDS:
                        (folder / name).unlink()
            stems = (name[2:-4] for name in names if name.startswith("cs") and name.endswith("png"))
            found |= {int(stem) for stem in stems if f"cs{stem}.csv" in names}
        return found

    def write(self, index: int, picture: Image.Image, values: Sequence[int]) -> None:
        """One pair. Raises OSError, and leaves nothing half-written that counts."""
        stem = self.path / str(index % NUM_FOLDERS) / f"cs{index}"
        write_atomically(stem.with_suffix(".csv"), format_csv(values))
        with moved_into_place(stem.with_suffix(".png")) as temporary:
            # Level 1 of 9 takes half the time of Pillow's default, for a seventh more bytes.
            picture.save(temporary, "PNG", compress_level=1)

    def _refuse_strangers(self) -> None:
        """A folder without settings may only have what a start leaves that was killed at once."""
        ours = {OPTIONS_NAME, SETTINGS_NAME, *map(str, range(NUM_FOLDERS))}
        for entry in self.path.iterdir() if self.path.exists() else ():
            known = entry.name in ours or entry.name.startswith(TEMPORARY)
            if known and not (entry.is_dir() and any(entry.iterdir())):
                continue
            if not (self.path / SETTINGS_NAME).exists():  # else another process was faster
                raise RenderError(
                    f"{self.path} holds something else ({entry.name}); choose another --out folder"
                )

    def _refuse_others(self, before: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
        for name, value in mine.items():
            if before.get(name) != value:
                raise RenderError(
                    f"{self.path} was started with {name} = {before.get(name)!r}, not {value!r}; "
                    "choose another --out folder, or the old value to go on"
                )
