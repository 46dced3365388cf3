"""What can go wrong with the Hub, in one sentence that says what to do and gives no secret away."""

from __future__ import annotations

import json
import re

from huggingface_hub.errors import OfflineModeIsEnabled

from avatar_model.errors import PYTHON, AvatarError

LOG_IN = (
    f"log in with `{PYTHON} -m huggingface_hub.cli.hf auth login`, or set HF_TOKEN to a token with "
    "write access"
)

_ADVICE = {
    401: LOG_IN,
    403: "this login may not write there: check the name, or "
    "make a token with write access at https://huggingface.co/settings/tokens",
    404: "check the name; the repository may have been deleted, or be invisible to this login",
    409: "something else was changing the repository; it may work now",
    412: "somebody else committed at the same moment; it may work now",
    429: "too many uploads in a short time; make checkpoints less often",
}
_TEMPORARY = frozenset({408, 409, 412, 425, 429})
_TOKENS = re.compile(r"Bearer\s+[^\s'\"]+|\bhf_\w{16,}", re.IGNORECASE)
_SIGNATURES = re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\"]+")


class HubError(AvatarError):
    """An upload that did not happen; the message says why and what to do, and holds no token.

    Attributes:
        temporary: whether the same upload may work later.
    """

    def __init__(self, message: str, temporary: bool = False) -> None:
        super().__init__(message)
        self.temporary = temporary


def explained(error: BaseException, token: str = "") -> HubError:
    """The error to raise for whatever the Hub's client raised with ``token``."""
    while not hasattr(error, "response") and error.__cause__:
        error = error.__cause__  # the client wraps the failure of a file in a RuntimeError
    text = getattr(error, "server_message", None) or str(error).strip() or type(error).__name__
    reason = scrub(text, token).partition("\n")[0][:200].rstrip(". ")
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        temporary = status in _TEMPORARY or status >= 500
        advice = _ADVICE.get(status, "it is out of order; try again later" if temporary else "")
        reason = f"the Hub answered {status} ({reason})"
    elif isinstance(error, OfflineModeIsEnabled):
        temporary, advice = False, "unset HF_HUB_OFFLINE"
    elif isinstance(error, OSError) and error.filename:
        temporary, advice = False, "check that file"
    # A gateway's error page where the client expects JSON is the Hub's trouble, not bad input.
    elif isinstance(error, ValueError) and not isinstance(error, json.JSONDecodeError):
        temporary, advice = False, ""
    else:
        temporary, advice = True, "the Hub cannot be reached; check the network and try again"
    return HubError(f"{reason}; {advice}" if advice else reason, temporary)


def scrub(text: str, token: str = "") -> str:
    """``text`` without tokens and signed URLs: errors quote headers, and servers what they got."""
    text = text.replace(token, "<token>") if token else text
    return _SIGNATURES.sub(r"\1", _TOKENS.sub("<token>", text))
