"""One way to write to the Hub: a token that is there, new attempts, and errors as sentences."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import get_session, validate_repo_id

from train.hub.errors import LOG_IN, HubError, explained, scrub

DELAYS = (2.0, 8.0, 30.0, 120.0)
"""Seconds before each new attempt. The client itself never repeats some of its requests."""

SILENCE_SECONDS = 60.0
"""A connection on which nothing happens for so long is given up; the client would wait forever."""

T = TypeVar("T")


def check_repo_id(repo_id: str) -> None:
    """HubError unless ``repo_id`` is like "user/name"; the Hub is not asked."""
    try:
        validate_repo_id(repo_id)
        good = repo_id.count("/") == 1
    except HFValidationError:
        good = False
    if not good:
        raise HubError(
            f"{scrub(repr(repo_id))} is not a repository of the Hub: it has to be like user/name, "
            "of letters, digits and single '-', '_' or '.' inside"
        )


def check_target(repo_id: str) -> None:
    """Find out without the network what would make every upload fail.

    Raises:
        HubError: ``repo_id`` is not like "user/name", or there is no usable token.
    """
    check_repo_id(repo_id)
    _token()


def insist(
    send: Callable[[HfApi], T],
    endpoint: str | None = None,
    delays: Sequence[float] = DELAYS,
    wait: Callable[[float], object] = time.sleep,
) -> T:
    """What ``send(api)`` returns; it is called again when it fails in a way that may pass.

    Args:
        send: safe to call again after it failed halfway.
        endpoint: address of the Hub; by default what ``huggingface_hub`` uses (``HF_ENDPOINT``).
        delays: seconds before each repetition.
        wait: called with those seconds; what is true ends the repetitions.

    Raises:
        HubError: it did not work, or there is no usable token.
    """
    for delay in (*delays, None):
        try:
            return attempt(send, endpoint, _token())
        except HubError as error:
            if not error.temporary or delay is None or wait(delay):
                raise
    raise AssertionError("the last attempt returns or raises")


def attempt(send: Callable[[HfApi], T], endpoint: str | None = None, token: str = "") -> T:
    """What ``send(api)`` returns, called once; HubError for whatever it raises.

    Args:
        token: without one, the one you logged in with is used if there is one.
    """
    try:
        get_session().timeout = SILENCE_SECONDS
        return send(HfApi(endpoint=endpoint, token=token or None))
    except Exception as error:  # OSError, RuntimeError, ValueError, httpx's and Xet's own
        # "from None": a traceback must not show the original, which may quote the token.
        raise explained(error, token) from None


def say_and_sleep(seconds: float) -> None:
    """``wait`` for a person who looks on."""
    print(f"that did not work; trying again in {seconds:.0f} s", flush=True)
    time.sleep(seconds)


def _token() -> str:
    try:
        token = get_token()
    except Exception as error:  # of a login that has to be renewed over the network
        raise explained(error) from None
    if not token:
        raise HubError(f"there is no Hugging Face token: {LOG_IN}")
    if not re.fullmatch(r"[!-~]+", token):  # httpx would quote it in its error
        raise HubError(f"the Hugging Face token has characters that no token has: {LOG_IN}")
    return token
