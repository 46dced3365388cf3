"""The log of a run as a CSV file: one line per log interval."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from avatar_model.atomic import write_atomically


class CsvLog:
    """Appends rows to a CSV file whose first column is the step.

    Args:
        path: of the file, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, row: dict[str, Any]) -> None:
        """Add a line. A file with other columns, of another version, is set aside first."""
        columns = self._columns()
        if columns and columns != list(row):
            self.path.replace(self.path.with_suffix(".before.csv"))
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row.keys(), lineterminator="\n")
            if columns != list(row):
                writer.writeheader()
            writer.writerow(row)

    def cut(self, step: int) -> None:
        """Drop the lines after ``step``, which a resumed run is about to write again.

        Lines that a crash has damaged go as well.
        """
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        lines = text.splitlines(keepends=True)
        kept = [line for line in lines[1:] if _is_until(line, step)]
        if lines and lines[0].startswith("step,") and lines[0].endswith("\n"):
            kept.insert(0, lines[0])
        else:  # nobody knows what the columns were
            kept = []
        if kept != lines:
            write_atomically(self.path, "".join(kept))

    def _columns(self) -> list[str]:
        """What the first line names; nothing if there is none."""
        try:
            with self.path.open(encoding="utf-8", errors="replace") as file:
                first = file.readline().strip()
        except FileNotFoundError:
            return []
        return first.split(",") if first else []


def _is_until(line: str, step: int) -> bool:
    number = line.split(",")[0]
    return line.endswith("\n") and number.isdecimal() and int(number) <= step
