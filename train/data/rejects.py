"""Pairs that cannot be used: a few are listed and skipped, many stop the run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from avatar_model.atomic import moved_into_place
from train.data.errors import DatasetError

MAX_REJECTED = 0.01
"""The share of unusable pairs that is skipped with a warning; more stops the run."""


class Reject(NamedTuple):
    """One pair that cannot be used: its id, the file at fault, and why."""

    id: str
    file: str
    reason: str


def rejects_file(entry: Path) -> Path:
    """Where the rejects of a packed data set are listed: beside its folder."""
    return entry.with_name(f"{entry.name}.rejects.csv")


def check_rejects(listing: Path, rejects: list[Reject], num_good: int, source: str) -> None:
    """Write all rejects to ``listing``, as CSV: id, file, reason; nothing if there are none.

    Raises:
        DatasetError: they are more than ``MAX_REJECTED`` of all pairs; the message has the first.
    """
    if not rejects:
        return
    with (
        moved_into_place(listing) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file).writerows([Reject._fields, *rejects])
    total = num_good + len(rejects)
    if len(rejects) > MAX_REJECTED * total:
        first = "".join(f"\n  {reject.file}: {reject.reason}" for reject in rejects[:5])
        raise DatasetError(
            f"{len(rejects)} of the {total} pairs of {source} cannot be used; at most "
            f"{MAX_REJECTED:.0%} may be skipped.{first}\n{listing} lists all of them"
        )
