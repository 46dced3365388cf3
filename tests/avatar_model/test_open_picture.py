"""The one way in for pictures: which files are read, what of them, and how they come out."""

import io
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from avatar_model import open_picture as module
from avatar_model.crop import load_avatar
from avatar_model.open_picture import MAX_SCANS, PictureError, open_picture, to_rgba

POSTSCRIPT = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{} loop\nshowpage\n%%EOF\n"
)


def picture(mode="RGBA", size=(30, 20)):
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 4), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind, data, crc=None):
    return (
        struct.pack(">L", len(data))
        + kind
        + data
        + struct.pack(">L", crc or zlib.crc32(kind + data))
    )


def png(width, height, depth, colour_type, rows, *chunks):
    header = struct.pack(">2L5B", width, height, depth, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def in_png(*chunks):
    return png(2, 1, 8, 2, [bytes([1, 2, 3, 4, 5, 6])], *chunks)


def exif(*fields, order="<"):
    """Each field is (tag, type, how many, 4 bytes); after them stands a rational of -1/0."""
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}LH", 8, len(fields))
    entries = b"".join(struct.pack(f"{order}HHL", *field[:3]) + field[3] for field in fields)
    return b"Exif\0\0" + start + entries + bytes(4) + struct.pack(f"{order}ll", -1, 0)


def turned(order="<"):
    return (0x0112, 3, 1, struct.pack(f"{order}H2x", 6))


AFTER = struct.pack("<L", 8 + 2 + 2 * 12 + 4)  # where the rational stands behind two fields
BAD_EXIF = {
    "a resolution of -1/0": exif(turned(), (0x011A, 10, 1, AFTER)),
    "a resolution in ASCII": exif(turned(), (0x011A, 2, 4, b"abc\0")),
    "a unit of -2": exif(turned(), (0x0128, 8, 1, struct.pack("<h2x", -2))),
    "a field outside": exif(turned(), (0x010E, 2, 2**31, b"\xff" * 4)),
    "an unknown type": exif(turned(), (0x010E, 999, 1, bytes(4))),
    "the other byte order": exif(turned(">"), (0x0128, 8, 1, b"\xff\xfe\0\0"), order=">"),
    "an orientation in 32 bit": exif((0x0112, 4, 1, struct.pack("<L", 6))),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("name", BAD_EXIF)
def test_only_the_orientation_of_exif_is_read(kind, name):
    image = picture("RGB")
    options = {"lossless": True} if kind == "WEBP" else {}
    upright = open_picture(saved(image, kind, **options))
    found = open_picture(saved(image, kind, exif=BAD_EXIF[name], **options))
    assert found.size == (20, 30)
    assert found.tobytes() == upright.transpose(Image.Transpose.ROTATE_270).tobytes()
    assert to_rgba(found).size == (20, 30), "it must not be turned twice"


@pytest.mark.parametrize("name", BAD_EXIF)
def test_an_image_that_pillow_has_opened_is_turned_as_well(name):
    content = saved(picture("RGB"), "JPEG", exif=BAD_EXIF[name])
    with Image.open(io.BytesIO(content)) as image:
        assert to_rgba(image).tobytes() == open_picture(content).tobytes()


@pytest.mark.parametrize("number", [0, 1, *range(2, 9), 9, 65535])
def test_every_orientation_is_as_pillow_has_it(number):
    tags = Image.Exif()
    tags[0x0112] = number
    content = saved(picture(), "PNG", exif=tags)
    with Image.open(io.BytesIO(content)) as image:
        expected = ImageOps.exif_transpose(image)
    assert open_picture(content).tobytes() == expected.tobytes()


@pytest.mark.parametrize("cut", [0, 3, 8, 9, 12, 15])
def test_exif_that_is_cut_short_is_no_orientation(cut):
    content = saved(picture(), "PNG", exif=b"Exif\0\0" + BAD_EXIF["a unit of -2"][6 : 6 + cut])
    assert open_picture(content).size == (30, 20)


@pytest.mark.parametrize(
    ("kind", "modes"),
    [
        ("PNG", ["1", "L", "LA", "P", "RGB", "RGBA"]),
        ("WEBP", ["L", "RGB", "RGBA"]),
        ("JPEG", ["L", "RGB", "CMYK", "YCbCr"]),
        ("GIF", ["1", "L", "P", "RGB", "RGBA"]),
    ],
)
def test_what_was_read_right_comes_out_to_the_bit(kind, modes):
    for mode in modes:
        for options in ({}, {"progressive": True}, {"interlace": 0}):
            content = saved(picture(mode), kind, **options)
            with Image.open(io.BytesIO(content)) as image:
                expected = image.convert("RGBA")
            found = open_picture(content)
            assert found.mode == "RGBA" and found.tobytes() == expected.tobytes(), (mode, options)


def two(*values):
    return struct.pack(f">{len(values)}H", *values)


@pytest.mark.parametrize(
    ("content", "pixels"),
    [
        (png(2, 1, 16, 0, [two(300, 65535)]), [(1, 1, 1, 255), (255, 255, 255, 255)]),
        (png(2, 1, 16, 0, [two(0, 200)]), [(0, 0, 0, 255), (1, 1, 1, 255)]),
        (
            png(2, 1, 16, 0, [two(300, 65535)], chunk(b"tRNS", two(65535))),
            [(1, 1, 1, 255), (255, 255, 255, 0)],
        ),
        (png(1, 1, 16, 4, [two(0x1234, 0x8000)]), [(18, 18, 18, 128)]),
        (
            png(2, 1, 16, 2, [two(256, 512, 768, 65535, 0, 0)], chunk(b"tRNS", two(256, 512, 768))),
            [(1, 2, 3, 0), (255, 0, 0, 255)],
        ),
        (png(2, 1, 8, 0, [bytes([9, 8])], chunk(b"tRNS", two(9))), [(9, 9, 9, 0), (8, 8, 8, 255)]),
        (
            png(2, 1, 4, 0, [bytes([0x5F])], chunk(b"tRNS", two(5))),
            [(85, 85, 85, 0), (255, 255, 255, 255)],
        ),
        (
            png(2, 1, 2, 0, [bytes([0b01110000])], chunk(b"tRNS", two(3))),
            [(85, 85, 85, 255), (255, 255, 255, 0)],
        ),
        (
            png(2, 1, 1, 0, [bytes([0b01000000])], chunk(b"tRNS", two(1))),
            [(0, 0, 0, 255), (255, 255, 255, 0)],
        ),
        (
            png(
                *(2, 1, 8, 3, [bytes([0, 1])]),
                *(chunk(b"PLTE", bytes(range(6))), chunk(b"tRNS", bytes([128]))),
            ),
            [(0, 1, 2, 128), (3, 4, 5, 255)],
        ),
    ],
    ids=[
        *("grey 16", "dark grey 16", "grey 16 with a clear level", "grey 16 with alpha"),
        *("RGB 16 with a clear colour", "grey 8 with a clear level", "grey 4 with a clear level"),
        *("grey 2 with a clear level", "grey 1 with a clear level", "palette with alpha"),
    ],
)
def test_every_kind_of_png_pixel(content, pixels):
    assert [*map(tuple, np.asarray(open_picture(content))[0].tolist())] == pixels


@pytest.mark.parametrize("kind", ["PNG", "I;16", "I", "F"])
def test_grey_of_16_bit_is_trained_on_as_what_it_shows(kind):
    grey = picture("L", (50, 50))
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    if kind == "PNG":
        deep = open_picture(saved(deep, "PNG"), ["PNG"])
    elif kind != "I;16":
        deep = Image.fromarray(np.asarray(deep).astype({"I": np.int32, "F": np.float32}[kind]))
    assert np.array_equal(load_avatar(deep), load_avatar(grey))


def marker(code, data):
    return bytes([0xFF, code]) + struct.pack(">H", len(data) + 2) + data


def jpeg(*markers):
    plain = saved(picture("RGB"), "JPEG")
    return plain[:2] + b"".join(markers) + plain[2:]


def webp(*chunks, size=None):
    image = saved(picture(), "WEBP", lossless=True, exif=b"Exif\0\0II*\0")  # with a VP8X
    parts = image[12:] + b"".join(kind + struct.pack("<L", n) + data for kind, n, data in chunks)
    return b"RIFF" + struct.pack("<L", size or len(parts) + 4) + b"WEBP" + parts


@pytest.mark.parametrize(
    "content",
    [
        in_png(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2_000_000)))),
        in_png(chunk(b"zTXt", b"a\0\7x"), chunk(b"iTXt", b"\xff"), chunk(b"tEXt", b"a\0b", crc=1)),
        in_png(
            chunk(b"iCCP", b"a\0\1"), chunk(b"pHYs", b""), chunk(b"gAMA", b""), chunk(b"cHRM", b"")
        ),
        in_png(chunk(b"acTL", b""), chunk(b"fcTL", bytes(26)), chunk(b"fdAT", b"")),
        in_png()[:-4],
        in_png() + b"more",
        jpeg(
            marker(0xE0, b"JFIF\0"), marker(0xEE, b"Adobe"), marker(0xED, b"Photoshop 3.0\0008BIM")
        ),
        jpeg(marker(0xE2, b"MPF\0"), marker(0xE2, b"ICC_PROFILE\0"), marker(0xFE, b"")),
        jpeg(marker(0xE2, b"MPF\0II*\0\x08\0\0\0\1\0\1\xb0\4\0\1\0\0\0\2\0\0\0\0\0\0\0")),
        jpeg(*[marker(0xE1, b"Exif\0\0" * 9000)] * 3),
        jpeg(*[marker(0xE0, b"JFXX\0" * 13_000)] * 4),
        jpeg() + b"\xff\xda" * 200,  # a telephone's film behind its picture
        webp() + bytes(600_000),
        webp((b"XMP ", 3, b"<x\0\0"), (b"ICCP", 2, b"ab")),
        webp((b"EXIF", 999_999, b"cut")),
        webp(size=2**31),
    ],
)
def test_metadata_that_is_not_needed_does_not_stop_a_picture(content):
    found = open_picture(content)
    assert found.size in ((2, 1), (30, 20)) and np.asarray(found).std() > 0


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]


@pytest.mark.parametrize(("mode", "colour"), [("L", 0), ("RGB", 2), ("LA", 4), ("RGBA", 6)])
def test_an_interlaced_png_is_read(mode, colour):
    image = picture(mode)
    pixels = np.asarray(image).reshape(20, 30, -1)
    passes = [pixels[y::dy, x::dx] for x, y, dx, dy in [*ADAM7, (0, 1, 1, 2)]]
    rows = b"".join(b"\0" + row.tobytes() for part in passes for row in part)
    header = struct.pack(">2L5B", 30, 20, 8, colour, 0, 0, 1)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    found = open_picture(b"\x89PNG\r\n\x1a\n" + chunks)
    assert np.array_equal(found, image.convert("RGBA"))


@pytest.mark.parametrize("kind", ["MPO", "GIF", "PNG", "WEBP"])
def test_of_many_pictures_the_first_is_read(kind):
    first, second = Image.new("RGB", (20, 20), "red"), Image.new("RGB", (20, 20), "blue")
    content = saved(first, kind, save_all=True, append_images=[second])
    assert np.asarray(open_picture(content))[5, 5].tolist() == pytest.approx(
        [255, 0, 0, 255], abs=2
    )


@pytest.mark.parametrize("kind", ["PPM", "BMP", "TIFF", "ICO", "ICNS", "TGA", "PCX", "AVIF"])
def test_no_other_format_is_read_whatever_its_name(kind):
    content = saved(picture("RGB", (32, 32)), kind)
    with pytest.raises(PictureError, match="not a picture in PNG, WebP, JPEG or GIF format"):
        open_picture(content)


def test_a_program_is_not_run(monkeypatch):
    """As Ghostscript is, by Pillow, for a picture in PostScript."""
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    for prefix in (b"", b"\xc5\xd0\xd3\xc6"):
        with pytest.raises(PictureError, match="not a picture"):
            open_picture(prefix + POSTSCRIPT)


def test_a_data_set_is_png_only():
    with pytest.raises(PictureError, match="^this file is not a picture in PNG format$"):
        open_picture(saved(picture("RGB"), "JPEG"), ["PNG"])


@pytest.mark.parametrize(
    "content",
    [
        png(24_000_001, 1, 8, 0, []),
        saved(picture("RGB"), "JPEG").replace(b"\0\x14\0\x1e\3", b"\xff\xff\xff\xff\3"),
        b"GIF89a" + struct.pack("<2HBBB", 65535, 65535, 0, 0, 0) + b"," + bytes(9),
        b"GIF89a"
        + struct.pack("<2HBBB", 1, 1, 0, 0, 0)
        + struct.pack("<c4H", b",", 0, 0, 65535, 999),
        b"RIFF\0\0\0\0WEBPVP8X" + struct.pack("<LL", 10, 0) + b"\xff\xff\0\xff\xff\0",
        b"RIFF\0\0\0\0WEBPVP8L" + struct.pack("<LBL", 5, 0x2F, 2**28 - 1),
        b"RIFF\0\0\0\0WEBPVP8 " + struct.pack("<L6x2H", 10, 16383, 3000),
    ],
    ids=["PNG", "JPEG", "GIF", "frame of a GIF", "WebP", "lossless WebP", "lossy WebP"],
)
def test_the_size_is_known_before_anything_is_decoded(content, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(PictureError, match="24 million are the most that is read") as caught:
        open_picture(content)
    assert " x " in str(caught.value)


def test_a_jpeg_of_many_scans_is_refused():
    content = saved(picture("RGB"), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    bomb = content[:-2] + content[last:-2] * MAX_SCANS + content[-2:]
    with pytest.raises(PictureError, match="more than 100 scans"):
        open_picture(bomb)


@pytest.mark.parametrize(
    "content",
    [
        in_png(*[chunk(b"teXt", b"")] * module.MAX_PARTS),
        jpeg(marker(0xFE, b"") * module.MAX_PARTS),
        jpeg(marker(0xDB, bytes(65_000)), marker(0xDB, bytes(65_000))),
        b"GIF89a" + bytes(7) + b"!\xfe\0" * module.MAX_PARTS,
        webp(*[(b"XMP ", 0, b"")] * module.MAX_PARTS),
    ],
    ids=["PNG", "JPEG", "tables of a JPEG", "GIF", "WebP"],
)
def test_a_file_of_countless_parts_is_refused(content):
    with pytest.raises(PictureError, match="too many parts"):
        open_picture(content)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_damaged_picture_is_one_sentence(kind):
    rng = np.random.default_rng(0)
    content = saved(picture("RGB"), kind)
    for i in range(150):
        damaged = bytearray(content[: rng.integers(len(content))] if i % 3 == 0 else content)
        for _ in range(i % 4):
            if damaged:
                damaged[rng.integers(len(damaged))] = rng.integers(256)
        try:
            open_picture(bytes(damaged))
        except PictureError as error:
            assert "\n" not in str(error) and str(error).startswith(("this ", "the picture has"))


@pytest.mark.parametrize("error", [RuntimeError("?"), TypeError(), MemoryError(), KeyError(1)])
def test_whatever_a_decoder_raises_is_one_sentence(monkeypatch, error):
    def broken(*_):
        raise error

    content = saved(picture("RGB"), "PNG")
    monkeypatch.setattr(Image.Image, "convert", broken)
    with pytest.raises(PictureError, match="^this picture cannot be read"):
        open_picture(content)


def test_every_picture_that_is_read_has_its_format_named():
    """Without ``formats=`` Pillow tries all its decoders, also those that start programs."""
    root = Path(__file__).parents[2]
    for folder in ("avatar_model", "ui", "train", "benchmarks", "notebooks"):
        for path in (root / folder).rglob("*.*"):
            if path.suffix in (".py", ".ipynb"):
                for line in path.read_text(encoding="utf-8").splitlines():
                    assert "Image.open(" not in line or "formats=" in line, path
