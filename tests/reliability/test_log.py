"""The log: one line for every event, whatever is in it, and no flood."""

from __future__ import annotations

import io
import logging
from types import SimpleNamespace

import pytest

from ui.server import log

LINE = "level=%(levelname)s logger=%(name)s %(message)s"


@pytest.fixture
def written(monkeypatch):
    """A logger and what it wrote, as ``harden_log`` has it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    log.harden_log(LINE, "%Y")
    return logging.getLogger("tests.log"), stream


@pytest.mark.parametrize("forged", ["\n", "\r\n", "\x1b[2K", "\u2028", "\x85"])
def test_nobody_writes_a_line_of_their_own(written, forged):
    logger, stream = written
    logger.warning("event=refused path=%s", f"/a{forged}level=INFO logger=ui event=drawn")
    assert len(stream.getvalue().splitlines()) == 1
    assert stream.getvalue().isprintable() or stream.getvalue()[:-1].isprintable()


def test_a_traceback_keeps_its_lines(written):
    logger, stream = written
    try:
        raise ValueError("one\ntwo")
    except ValueError:
        logger.exception("drawing failed")
    assert stream.getvalue().startswith("level=ERROR logger=tests.log drawing failed\nTraceback")


def test_a_flood_is_counted_and_not_written(written, monkeypatch):
    logger, stream = written
    now = [0.0]
    monkeypatch.setattr(log, "time", SimpleNamespace(monotonic=lambda: now[0]))
    for number in range(5000):
        logger.warning("Invalid HTTP request received: %d", number)
        logger.info("event=drawn number=%d", number)
        now[0] += 0.001
    now[0] = 60.0
    logger.warning("Invalid HTTP request received: %d", 5000)
    lines = [line for line in stream.getvalue().splitlines() if "Invalid" in line]
    assert len(lines) == log.MOST + 1
    assert lines[-1].endswith("received: 5000 (and 4980 more like the one before)")
