"""Where an upload goes and with which token: checked before anything is sent."""

from __future__ import annotations

import re

from huggingface_hub import get_token
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from train.hub.errors import LOG_IN, HubError, explained, scrub


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
    login()


def login() -> str:
    """The token of this machine's login; HubError if there is none that can be used."""
    try:
        token = get_token()
    except Exception as error:  # of a login that has to be renewed over the network
        raise explained(error) from None
    if not token:
        raise HubError(f"there is no Hugging Face token: {LOG_IN}")
    if not re.fullmatch(r"[!-~]+", token):  # httpx would quote it in its error
        raise HubError(f"the Hugging Face token has characters that no token has: {LOG_IN}")
    return token
