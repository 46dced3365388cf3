"""The log: a line for every event, whatever is in it, and no flood of equal ones."""

from __future__ import annotations

import logging
import re
import time
from collections import OrderedDict

MOST = 20
SECONDS = 10.0
"""So many of one kind are written in so many seconds; of the others only how many there were."""
KINDS = 200
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that begin a new line or change what a terminal shows."""


class LineFormatter(logging.Formatter):
    """Escapes what would end the line: somebody's path or name must not look like another event."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line, without a traceback."""
        record.message = CONTROL.sub(lambda c: f"\\x{ord(c[0]):02x}", record.message)
        return super().formatMessage(record)


class RateLimit(logging.Filter):
    """Lets the first ``MOST`` of every kind pass in ``SECONDS``, errors and warnings alone.

    A kind is what stands in the source: a logger and a message before anything is put into it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        if record.levelno < logging.WARNING:
            return True
        kind, now = (record.name, str(record.msg)[:200]), time.monotonic()
        since, count = self._seen.pop(kind, (now, 0))
        if now - since > SECONDS:
            if count > MOST:
                record.msg = f"{record.msg} (and {count - MOST} more like the one before)"
            since, count = now, 0
        self._seen[kind] = (since, count + 1)
        if len(self._seen) > KINDS:
            self._seen.popitem(last=False)
        return count < MOST


def harden_log(line: str, date: str) -> None:
    """Have all that is logged written so.

    Args:
        line, date: formats, as for ``logging.basicConfig``.
    """
    for handler in logging.getLogger().handlers:
        handler.setFormatter(LineFormatter(line, date))
        handler.addFilter(RateLimit())
