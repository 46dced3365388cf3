"""Short links: all of a recipe in 24 characters, which mean the same for ever.

A code is one number in mixed radix in 15 bytes, and 3 bytes of its hash, in base64url. The order
and the ranges of all that is in it are frozen here, whatever the program offers.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from avatar_model import ANY, ATTRIBUTES

VERSION = 1
WORDS = {
    "guidance_method": ("classic", "condition", "projected"),
    "sampler": ("ddim", "ddpm", "dpm++"),
}
"""A new one is appended."""
RANGES = {
    **{a.name: range(ANY, a.num_values) for a in ATTRIBUTES},
    "seed": range(2**32),
    "guidance_scale": range(10_001),  # thousandths
    "guidance_method": range(8),
    "num_inference_steps": range(1, 51),
    "sampler": range(8),
    "num_images": range(1, 17),
}
NUMBER_BYTES, CHECK_BYTES = 15, 3


def encode(values: Mapping[str, Any]) -> str | None:
    """The code of ``Recipe.values()``; None if something in it has no place in a code."""
    whole = {**dict.fromkeys(RANGES, ANY), "num_images": 1, **values}
    whole["guidance_scale"] = round(whole["guidance_scale"] * 1000)
    for name, words in WORDS.items():
        whole[name] = words.index(whole[name]) if whole[name] in words else ANY
    fits = all(whole[name] in allowed for name, allowed in RANGES.items())
    if not fits or whole["guidance_scale"] / 1000 != values["guidance_scale"]:
        return None
    number = VERSION
    for name, allowed in RANGES.items():
        number = number * len(allowed) + allowed.index(whole[name])
    content = number.to_bytes(NUMBER_BYTES, "big")
    return base64.urlsafe_b64encode(content + _check(content)).decode()


def decode(code: Any) -> dict[str, Any]:
    """Names to values of all 18 looks, ``ANY`` where left open, and of all settings.

    They are as the file format has them; whether a model knows them is for ``Recipe.parse`` to say.

    Raises:
        ValueError: one sentence: mistyped, cut off, or of a version that is not known here.
    """
    content = b""
    if isinstance(code, str) and re.fullmatch("[A-Za-z0-9_-]{24}", code):
        content = base64.urlsafe_b64decode(code)
    if content[NUMBER_BYTES:] != _check(content[:NUMBER_BYTES]):
        raise ValueError(f"a is no short link, or one that is mistyped or cut off: {code!r:.80}")
    number, values = int.from_bytes(content[:NUMBER_BYTES], "big"), {}
    for name, allowed in reversed(RANGES.items()):
        number, digit = divmod(number, len(allowed))
        values[name] = allowed[digit]
    if number != VERSION or any(values[n] >= len(words) for n, words in WORDS.items()):
        raise ValueError(f"a={code} is a short link of a newer version of this page")
    named = {name: words[values[name]] for name, words in WORDS.items()}
    return values | named | {"guidance_scale": values["guidance_scale"] / 1000}


def _check(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=CHECK_BYTES, person=b"avatar-link").digest()
