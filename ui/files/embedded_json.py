"""A JSON object in the metadata of a file, wherever and in whichever form a program put it there.

Programs that save a picture again move its texts, rename, compress, escape and re-encode them. So
no format is parsed: all bytes are searched, and what can be unpacked from them, within limits.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from html import unescape
from itertools import chain, islice
from typing import Any

MAX_OBJECT = 16 * 1024
"""Characters of the object; one of ours has about 500."""
MAX_UNPACKED = 1024 * 1024
"""Bytes of one compressed text; the rest is cut off."""
MAX_TEXTS = 32
"""How many texts are unpacked, of a file and in each of them."""
MAX_TRIES = 32
"""How many places in a file are looked at closely."""

_WINDOW = 6 * MAX_OBJECT  # a character may be written as &#123;
_GAP = 300
"""Between name and object: punctuation, the rest of a tag, the rest of a PNG chunk's header."""
_FLAT_OBJECT = re.compile(rb"\{[^{}]{0,%d}\}" % _WINDOW)
# PNG 3rd edition, 11.3.3: length, keyword, method, text; in an iTXt also a language and the keyword
# in it. The length, which nobody needs, begins with 0.
_PNG_TEXT = re.compile(
    rb"\0.{3}(?:zTXt([^\0]{1,79})\0|iTXt([^\0]{1,79})\0\x01\0[^\0]{0,99}\0[^\0]{0,999})\0",
    re.DOTALL,
)
# ImageMagick and others: "Raw profile type exif", again its name, its length, and it in hex.
_HEX_PROFILE = re.compile(rb"Raw profile type [^\n]{1,80}\n\w{1,80}\n *\d{1,9}\n([0-9a-fA-F\s]+)")
_GIF_COMMENT = re.compile(rb"\x21\xfe(?=[\x10-\xff][\t\n\r -~]{8})")  # of readable text
_JSON = json.JSONDecoder(strict=False, parse_constant=int)  # int("NaN") is a ValueError


def find_object(content: bytes, name: str, key: str, others: set[str]) -> dict[str, Any] | None:
    """The first object in a file with this name before it; None if there is none.

    Args:
        content: of any file. It may come from anybody, and what is found too.
        name: such as a keyword before the object, or a key of the object around it.
        key: that it must have.
        others: keys that it must have, too, if it has lost its name; then it has no objects inside.
    """
    places = chain.from_iterable(_places(text, name, key) for text in _texts(content))
    for named, place in islice(places, MAX_TRIES):
        value = _parsed(place)
        if value is not None and key in value and (named or others <= value.keys()):
            return value
    return None


def _places(text: bytes, name: str, key: str) -> Iterator[tuple[bool, bytes]]:
    """Where an object may stand, and whether that is after its name."""
    for found in re.finditer(re.escape(name.encode()), text):
        yield True, text[found.end() : found.end() + _WINDOW]
    for found in _FLAT_OBJECT.finditer(text):
        if key.encode() in found[0]:
            yield False, found[0]


def _parsed(place: bytes) -> dict[str, Any] | None:
    """The object that begins there: plain, with the escapes of XML, or of a JSON string."""
    text = place.decode("utf-8", "replace")
    once = unescape(text)
    for way in (text, once, unescape(once), text.replace('\\"', '"')):
        start = way.find("{", 0, _GAP)
        try:
            value, end = _JSON.raw_decode(way, max(start, 0))
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and end - start <= MAX_OBJECT:
            return value
    return None


def _texts(content: bytes) -> Iterator[bytes]:
    """What can be unpacked from a file, then all of it; without zeros: UTF-16 becomes ASCII."""
    if content.startswith(b"\x1f\x8b"):  # an SVG in gzip
        content = _inflated(content, 31)
    # The file itself is last, because in a GIF there are bytes between those of a text.
    for packed in chain(_png_texts(content), _gif_comments(content), [content]):
        text = packed.replace(b"\0", b"")
        if text.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith(b"<"):  # XML
            yield unescape(text[:MAX_UNPACKED].decode("utf-8", "replace")).encode()
        yield text
        for profile in islice(_HEX_PROFILE.finditer(text), MAX_TEXTS):
            digits = b"".join(profile[1][: 2 * MAX_UNPACKED].split()).decode()
            yield bytes.fromhex(digits[: len(digits) // 2 * 2]).replace(b"\0", b"")


def _png_texts(content: bytes) -> Iterator[bytes]:
    """Compressed texts after their keywords."""
    if content.startswith(b"\x89PNG"):
        for head in islice(_PNG_TEXT.finditer(content), MAX_TEXTS):
            keyword = head[1] or head[2]
            yield keyword + _inflated(content[head.end() : head.end() + MAX_UNPACKED], 15)


def _gif_comments(content: bytes) -> Iterator[bytes]:
    """Comments, which are cut into blocks."""
    if content.startswith(b"GIF8"):
        for head in islice(_GIF_COMMENT.finditer(content), MAX_TEXTS):
            blocks, at = [], head.end()
            while size := content[at : at + 1]:
                blocks.append(content[at + 1 : at + 1 + size[0]])
                at += 1 + size[0]
                if not size[0] or at - head.end() > MAX_UNPACKED:
                    break
            yield b"".join(blocks)


def _inflated(packed: bytes, wbits: int) -> bytes:
    """The first ``MAX_UNPACKED`` bytes; nothing of what is damaged."""
    try:
        return zlib.decompressobj(wbits).decompress(packed, MAX_UNPACKED)
    except zlib.error:
        return b""
