"""The base of every error that a person can put right, and how a command ends with one."""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PYTHON = shlex.quote(sys.executable or "python")
"""This environment's Python, for the commands that messages tell to type."""


class AvatarError(Exception):
    """What a person can put right; the message is a sentence that says what is wrong and where."""


@contextmanager
def errors_as_exit() -> Iterator[None]:
    """Within it, an error that a person can put right ends the program: ``error: ...``, status 1.

    Any other is a fault of ours and keeps its traceback.
    """
    try:
        yield
    except BrokenPipeError:  # who listened has gone, as with ``| head``; no harm was done
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except (AvatarError, OSError, ValueError) as error:
        sys.exit(f"error: {_sentence(error)}")
    except KeyboardInterrupt:
        sys.exit("interrupted")


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"{error.filename or 'a file'} cannot be written: {os.strerror(error.errno)}; make "
            "room and start the same command again"
        )
    return str(error)
