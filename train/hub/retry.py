"""New attempts at what the Hub refused: how many, how long in between, and when not."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from huggingface_hub import HfApi
from huggingface_hub.utils import get_session

from train.hub.errors import HubError, explained
from train.hub.target import login

DELAYS = (2.0, 8.0, 30.0, 120.0)
"""Seconds before each new attempt. The client itself never repeats some of its requests."""

SILENCE_SECONDS = 60.0
"""A connection on which nothing happens for so long is given up; the client would wait forever."""

T = TypeVar("T")


def insist(
    send: Callable[[HfApi], T],
    delays: Sequence[float] = DELAYS,
    wait: Callable[[float], object] = time.sleep,
) -> T:
    """What ``send(api)`` returns; it is called again when it fails in a way that may pass.

    Args:
        send: safe to call again after it failed halfway.
        delays: seconds before each repetition.
        wait: called with those seconds; what is true ends the repetitions.

    Raises:
        HubError: it did not work, or there is no usable token.
    """
    for delay in delays:
        try:
            return attempt(send, login())
        except HubError as error:
            if not error.temporary or wait(delay):
                raise
    return attempt(send, login())


def attempt(send: Callable[[HfApi], T], token: str = "") -> T:
    """What ``send(api)`` returns, called once; HubError for whatever it raises.

    Args:
        token: without one, the one you logged in with is used if there is one.
    """
    try:
        get_session().timeout = SILENCE_SECONDS
        return send(HfApi(token=token or None))
    except Exception as error:  # OSError, RuntimeError, ValueError, httpx's and Xet's own
        # "from None": a traceback must not show the original, which may quote the token.
        raise explained(error, token) from None


def say_and_sleep(seconds: float) -> None:
    """``wait`` for a person who looks on."""
    print(f"that did not work; trying again in {seconds:.0f} s", flush=True)
    time.sleep(seconds)
