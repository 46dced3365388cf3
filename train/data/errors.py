"""What is wrong with a data set."""

from avatar_model.errors import AvatarError


class DatasetError(AvatarError):
    """A data set that cannot be used; the message says what is wrong, where, and what to do."""
