"""What is said to those for whom there is no room."""

from __future__ import annotations

from avatar_model.errors import AvatarError

STOPPING = "this page is being stopped; please try again in a minute"


class BusyError(AvatarError):
    """Too much waits, or for too long; says so in a sentence."""
