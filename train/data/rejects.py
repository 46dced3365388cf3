"""Pairs that cannot be used: a few are listed and skipped, many or whole folders stop the run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from avatar_model.atomic import moved_into_place
from train.data.errors import DatasetError

MAX_REJECTED = 0.01
"""The share of unusable pairs that is skipped with a warning; more stops the run."""


class Reject(NamedTuple):
    """One pair that cannot be used: its id, the file at fault, and why; a folder has no id."""

    id: str
    file: str
    reason: str


def rejects_file(entry: Path) -> Path:
    """Where the rejects of a packed data set are listed: beside its folder."""
    return entry.with_name(f"{entry.name}.rejects.csv")


def check_rejects(listing: Path, rejects: list[Reject], num_good: int, source: str) -> None:
    """Write all rejects to ``listing``, as CSV: id, file, reason; nothing if there are none.

    Raises:
        DatasetError: they are more than ``MAX_REJECTED`` of all pairs, or a folder is among them,
            whose pairs nobody can count; the message has the first.
    """
    if not rejects:
        return
    with (
        moved_into_place(listing) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        csv.writer(file).writerows([Reject._fields, *rejects])
    folders = [reject for reject in rejects if not reject.id]
    bad, total = len(rejects) - len(folders), num_good + len(rejects) - len(folders)
    if folders:
        what = (
            f"{len(folders)} of the folders and links in {source} cannot be read, and nobody knows "
            "how many pairs they have."
        )
    elif bad > MAX_REJECTED * total:
        what = (
            f"{bad} of the {total} pairs of {source} cannot be used; at most {MAX_REJECTED:.0%} "
            "may be skipped."
        )
    else:
        return
    first = "".join(f"\n  {reject.file}: {reject.reason}" for reject in (folders or rejects)[:5])
    raise DatasetError(f"{what}{first}\n{listing} lists all of them")
