"""The one way in for pictures: the bytes of a file, or any Pillow image, as upright 8-bit RGBA.

A file may come from anybody. It is told by its first bytes and goes to the decoder of that format
alone, once its size is known to be small; and the decoder sees only what a picture is made of:
texts, profiles and further frames are not needed, may be damaged, and may unfold to any size.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from .errors import AvatarError

MAX_PIXELS = 24_000_000
"""More than any screen shows; decoding a WebP of this size takes 0.5 GB."""
MAX_PARTS = 2**16
"""Chunks of a PNG, segments before the pixels of a JPEG, extensions before those of a GIF."""
MAX_TABLES = 2**16
"""Bytes of the tables before the pixels of a JPEG, which has use for 3,000."""
MAX_SCANS = 100
"""Passes over all pixels of a progressive JPEG; encoders make about 10."""

_ORIENTATION = 0x0112  # EXIF 2.32, table 4
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PictureError(AvatarError, ValueError):
    """A picture that cannot be read, or is too large."""


def open_picture(content: bytes, formats: Sequence[str] | None = None) -> Image.Image:
    """The picture in a file; of an animation, its first frame.

    Args:
        content: of the file. Its name says nothing.
        formats: which of ``FORMATS`` may be read; None is all.

    Returns:
        mode RGBA, turned as its EXIF orientation says.

    Raises:
        PictureError: no such picture, more than ``MAX_PIXELS``, or damaged.
    """
    formats = tuple(FORMATS) if formats is None else formats
    for name in formats:
        if FORMATS[name].magic.match(content):
            break
    else:
        kinds = " or ".join(filter(None, [", ".join(formats[:-1]), formats[-1]]))
        raise PictureError(f"this file is not a picture in {kinds} format")
    try:
        bare, exif = FORMATS[name].bare(content)
        with FORMATS[name].decoder(io.BytesIO(bare)) as image:
            check_size(*image.size)
            image.info = _needed_info(image, bare)
            image.getexif()[_ORIENTATION] = _orientation(exif)
            image.load()
            return to_rgba(image)
    except PictureError:
        raise
    except MemoryError:
        raise PictureError("this picture cannot be read now: memory is short") from None
    except Exception as error:  # Pillow's decoders raise a dozen kinds
        raise PictureError("this picture cannot be read: it is damaged or cut short") from error


def to_rgba(image: Image.Image) -> Image.Image:
    """Any Pillow image as it is seen: mode RGBA, turned as its EXIF orientation says.

    Raises:
        PictureError: it has more than ``MAX_PIXELS``.
    """
    check_size(*image.size)
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # whatever else is wrong with its EXIF
        turn = None
    if image.mode == "RGBA" and turn is None and not isinstance(image, ImageFile.ImageFile):
        return image  # a file's image would keep its decoder and all that this has in memory
    numbers = image.mode.startswith(("I", "F"))
    seen = _eight_bits(image) if numbers else image.convert("RGBA")
    seen.info = {}  # else it would be turned again
    return seen if turn is None else seen.transpose(turn)


def check_size(width: int, height: int) -> None:
    """PictureError for more than ``MAX_PIXELS``, or none at all."""
    if not 0 < width * height <= MAX_PIXELS:
        raise PictureError(
            f"the picture has {width} x {height} pixels; "
            f"{MAX_PIXELS // 1_000_000} million are the most that is read"
        )


def _eight_bits(image: Image.Image) -> Image.Image:
    """A grey picture of 16 bit or of numbers, which Pillow would cut off at 255, as RGBA."""
    levels = np.asarray(image)
    scale = 257 if image.mode.startswith("I;16") or levels.max() > 255 else 1
    grey = np.nan_to_num(levels / np.float32(scale)).clip(0, 255).round().astype(np.uint8)
    seen = Image.fromarray(grey).convert("RGBA")
    key = image.info.get("transparency")
    if isinstance(key, int):
        seen.putalpha(Image.fromarray((levels != key) * np.uint8(255)))
    return seen


def _needed_info(image: Image.Image, content: bytes) -> dict[Any, Any]:
    """How rows are interlaced, and the transparent colour on the scale of the decoded pixels."""
    needed = {name: image.info[name] for name in ("interlace",) if name in image.info}
    key, depth = image.info.get("transparency"), content[24]
    if key is None:
        return needed
    if image.format == "PNG" and image.mode == "L":  # of 2, 4 or 8 bit
        key = key * 255 // (2**depth - 1)
    elif image.format == "PNG" and image.mode == "RGB" and depth == 16:
        key = tuple(level >> 8 for level in key)
    return {**needed, "transparency": key}


def _orientation(exif: bytes) -> int:
    """1..8; 1, upright, if it cannot be told. Nothing else in the EXIF is looked at."""
    tiff = exif[6:] if exif.startswith(b"Exif\0\0") else exif
    order = "<" if tiff.startswith(b"II") else ">"
    try:
        (first,) = struct.unpack_from(f"{order}L", tiff, 4)
        (fields,) = struct.unpack_from(f"{order}H", tiff, first)
        for at in range(first + 2, first + 2 + 12 * fields, 12):
            tag, kind = struct.unpack_from(f"{order}HH", tiff, at)
            if tag == _ORIENTATION:
                (orientation,) = struct.unpack_from(order + _INTEGERS[kind], tiff, at + 8)
                return int(orientation)
    except (KeyError, struct.error):
        pass
    return 1


_INTEGERS = {1: "B", 3: "H", 4: "L", 6: "b", 8: "h", 9: "l"}  # TIFF 6.0, section 2


def _bare_png(content: bytes) -> tuple[bytes, bytes]:
    """The chunks without which there is no picture, and the EXIF."""
    kept, exif, start = [content[:8]], b"", 8
    for _ in range(MAX_PARTS):
        kind = content[start + 4 : start + 8]
        end = start + 12 + int.from_bytes(content[start : start + 4], "big")
        if kind == b"eXIf":
            exif = content[start + 8 : end - 4]
        elif kind == b"tRNS" or kind[:1].isupper():
            kept.append(content[start:end])
        if kind == b"IEND" or end >= len(content):
            return b"".join(kept), exif
        start = end
    raise _too_many_parts()


def _tells_colours(kind: int, body: bytes) -> bool:
    """Whether this segment of another program's says what the channels are: JFIF's, Adobe's."""
    return len(body) >= 12 and (kind, body[:5]) in ((0xE0, b"JFIF\0"), (0xEE, b"Adobe"))


_SEGMENT = re.compile(rb"\xff([\xc0-\xcf\xda-\xef\xfe])", re.DOTALL)
"""Those that have a length."""


def _bare_jpeg(content: bytes) -> tuple[bytes, bytes]:
    """The tables and the pixels, with what tells the colour space; and the EXIF."""
    kept, exif, end = [b"\xff\xd8"], b"", 2
    for _ in range(MAX_PARTS):
        segment = _SEGMENT.search(content, end)
        if segment is None:
            raise PictureError("this JPEG has no pixels")
        (length,) = struct.unpack_from(">H", content, segment.end())
        kind, end = segment[1][0], segment.end() + length
        body = content[segment.end() + 2 : end]
        if kind == 0xDA:  # from here on there are pixels
            if sum(map(len, kept)) > MAX_TABLES:
                raise _too_many_parts()
            scans = content[segment.start() : _end_of_scans(content, segment.start())]
            return b"".join([*kept, scans]), exif
        if kind == 0xE1 and body.startswith(b"Exif\0\0"):
            exif = exif or body
        elif kind < 0xE0 or _tells_colours(kind, body):
            kept.append(content[segment.start() : end])
    raise _too_many_parts()


_SCAN_OR_END = re.compile(rb"\xff([\xc0-\xcf\xd9-\xef\xfe])", re.DOTALL)


def _end_of_scans(content: bytes, start: int) -> int:
    """Where the pixels of a JPEG end that begin at ``start``; behind them may be anything."""
    scans, end = 0, start
    for _ in range(MAX_PARTS):
        found = _SCAN_OR_END.search(content, end)
        if found is None or found.end() + 2 > len(content):
            return len(content)
        if found[1] == b"\xd9":
            return found.end()
        scans += found[1] == b"\xda"
        if scans > MAX_SCANS:
            raise PictureError(f"this JPEG has more than {MAX_SCANS} scans")
        end = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
    raise _too_many_parts()


def _bare_gif(content: bytes) -> tuple[bytes, bytes]:
    """The first frame, and no EXIF."""
    end = 13 + _palette_size(content[10])
    header, control = content[:end], b""
    for _ in range(MAX_PARTS):
        start, kind = end, content[end]
        if kind == ord(","):
            screen = struct.unpack_from("<2H", content, 6)
            left, top, width, height = struct.unpack_from("<4H", content, start + 1)
            check_size(max(screen[0], left + width), max(screen[1], top + height))
            return header + control + content[start:], b""
        end += 1
        if kind == ord("!"):
            end += 1
            while size := content[end]:
                end += 1 + size
            end += 1
            if content[start + 1] == 0xF9:  # which colour is transparent
                control = content[start:end]
    raise _too_many_parts()


def _palette_size(flags: int) -> int:
    """Bytes of the palette that a GIF's header or frame announces."""
    return 3 << (flags & 7) + 1 if flags & 128 else 0


def _bare_webp(content: bytes) -> tuple[bytes, bytes]:
    """The chunks of the first frame, if its decoder, which takes memory at once, may see them."""
    kind = content[12:16]
    if kind == b"VP8X":
        sides = [1 + int.from_bytes(content[at : at + 3], "little") for at in (24, 27)]
    elif kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        sides = [1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)]
    else:
        sides = [side & 0x3FFF for side in struct.unpack_from("<2H", content, 26)]
    check_size(*sides)
    content = content[: 8 + int.from_bytes(content[4:8], "little")]  # behind it may be anything
    kept: dict[bytes, bytes] = {}
    exif, end = b"", 12
    for _ in range(MAX_PARTS):
        start, kind = end, content[end : end + 4]
        size = int.from_bytes(content[start + 4 : start + 8], "little")
        end = start + 8 + size + size % 2
        if kind == b"EXIF":
            exif = content[start + 8 : start + 8 + size]
        elif kind in (b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L"):
            kept.setdefault(kind, content[start:end])
        if end >= len(content):
            chunks = b"WEBP" + b"".join(kept.values())
            return b"RIFF" + struct.pack("<L", len(chunks)) + chunks, exif
    raise _too_many_parts()


def _too_many_parts() -> PictureError:
    return PictureError("this picture cannot be read: its file has too many parts")


class _Format(NamedTuple):
    """How a format is told, what its decoder gets to see, and the decoder."""

    magic: re.Pattern[bytes]
    bare: Callable[[bytes], tuple[bytes, bytes]]
    decoder: Callable[[io.BytesIO], ImageFile.ImageFile]


FORMATS = {
    "PNG": _Format(re.compile(rb"\x89PNG\r\n\x1a\n"), _bare_png, PngImageFile),
    "WebP": _Format(re.compile(rb"RIFF.{4}WEBPVP8[ LX]", re.DOTALL), _bare_webp, WebPImageFile),
    "JPEG": _Format(re.compile(rb"\xff\xd8\xff"), _bare_jpeg, JpegImageFile),
    "GIF": _Format(re.compile(rb"GIF8[79]a"), _bare_gif, GifImageFile),
}
"""The formats that are read."""
