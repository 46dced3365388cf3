"""An avatar from a name: the same name has the same looks and seed for ever, in every program.

How, and the same in twenty lines for others, is in ``docs/api.md``. Only hashes decide, with
weights that are frozen here: no generator of random numbers, no model, nothing that is kept.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Any

from avatar_model import ATTRIBUTES, Vocabulary

VERSIONS = (1,)
"""There may be others one day; a name without a version means 1 for ever."""
MAX_NAME = 200
"""Characters."""

_AS_LIKELY_AS_ALL_OTHERS = {("facial_hair", 14): 14, ("glasses", 11): 11}
"""Every second person of Cartoon Set has no facial hair, and every second no glasses."""
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Unicode's Default_Ignorable_Code_Point, and controls that are no space."""


def looks_and_seed(name: Any, vocabulary: Vocabulary, version: Any = 1) -> dict[str, int]:
    """The 18 attributes and "seed" of the person with this name.

    Each attribute has the value whose hash is the highest of those that the vocabulary offers. So a
    value that a model has never seen moves only the names that had it.

    Args:
        name: text; how it is written does not matter, see ``normalised``.
        version: of the method, one of ``VERSIONS``.

    Raises:
        ValueError: one sentence, without the name in it.
    """
    if isinstance(version, bool) or version not in VERSIONS:
        known = " or ".join(map(str, VERSIONS))
        raise ValueError(f"name_version must be {known}; there is no other")
    key = hashlib.blake2b(normalised(name).encode(), person=b"avatar-name-1").digest()

    def height(attribute: str, value: int) -> bytes:
        tickets = _AS_LIKELY_AS_ALL_OTHERS.get((attribute, value), 1)
        return max(_hash(key, f"{attribute} {value} {ticket}", 8) for ticket in range(tickets))

    looks = {
        a.name: max((v for _, v in vocabulary.offered(a.name)), key=lambda v: height(a.name, v))
        for a in ATTRIBUTES
    }
    return looks | {"seed": int.from_bytes(_hash(key, "seed", 4), "big")}


def normalised(name: Any) -> str:
    """A name as it is hashed: what looks the same to a reader is the same.

    Unicode's NFKC_Casefold (upper and lower case, full width and half width, accents as one
    character or two are alike; what cannot be seen is left out), and one space between words.

    Raises:
        ValueError: no text, too long, or nothing in it.
    """
    if not isinstance(name, str) or len(name) > MAX_NAME:
        raise ValueError(f"name must be text of 1 to {MAX_NAME} characters")
    # Halves of characters, which JSON can bring along, become what browsers make of them.
    whole = name.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    folded = unicodedata.normalize("NFD", _INVISIBLE.sub("", whole))
    for _ in range(2):  # Unicode's compatibility caseless matching, D146
        folded = unicodedata.normalize("NFKC", folded.casefold())
    if not (words := _INVISIBLE.sub("", folded).split()):
        raise ValueError("name must not be empty")
    return " ".join(words)


def _hash(key: bytes, text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode(), key=key, digest_size=size).digest()
