"""The recipe in a file that other programs have saved again; their forms are made here by hand."""

import gzip
import io
import json
import struct
import time
import zlib
from html import escape

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from avatar_model.attributes import NAMES
from ui.files.picture_file import MAX_FILE, RECIPE_KEY, FileOptions, encode, read_recipe

RECIPE = {name: i for i, name in enumerate(NAMES)} | {"sampler": "ddim", "seed": 4294967295}
PLAIN = json.dumps(RECIPE, separators=(",", ":"))
NAMED = f'{{"{RECIPE_KEY}":{PLAIN}}}'
PICTURE = Image.new("RGB", (8, 8), "red")


def saved(kind, **options):
    file = io.BytesIO()
    PICTURE.save(file, kind, **options)
    return file.getvalue()


def chunk(kind, data):
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def in_png(kind, data, *, last=False):
    """Right behind the header, or behind the pixels."""
    plain = saved("PNG")
    at = -12 if last else 33
    return plain[:at] + chunk(kind, data) + plain[at:]


def itxt(keyword, text, packed):
    text = zlib.compress(text.encode()) if packed else text.encode()
    return keyword.encode() + bytes([0, packed, 0]) + b"en\0translated\0" + text


def hexed(name, data):
    """As ImageMagick keeps EXIF in a text."""
    digits = data.hex()
    lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
    return (
        f"Raw profile type {name}".encode() + b"\0",
        f"\n{name}\n{len(data):8}\n{lines}\n".encode(),
    )


def exif(tag, kind, value, order, prefix=b"Exif\0\0"):
    head = {"<": b"II*\0", ">": b"MM\0*"}[order]
    field = struct.pack(f"{order}HHLL", tag, kind, len(value), 26)
    return prefix + head + struct.pack(f"{order}LH", 8, 1) + field + bytes(4) + value


def exif_forms():
    for order, utf16 in (("<", "utf-16-le"), (">", "utf-16-be")):
        for text in (PLAIN, NAMED):
            yield exif(0x010E, 2, text.encode() + b"\0", order)
            yield exif(0x9286, 7, b"ASCII\0\0\0" + text.encode(), order, b"")
            yield exif(0x9286, 7, b"UNICODE\0" + text.encode(utf16), order)
            yield exif(0x9C9C, 1, text.encode("utf-16-le") + bytes(2), order)


def xmp_forms():
    for text in (PLAIN, NAMED):
        for value in (escape(text), escape(text, quote=False), text.replace('"', "&#x22;")):
            yield f"<x:xmpmeta xmlns:x='adobe:ns:meta/'><dc:description>{value}</dc:description>"
        yield f'<x:xmpmeta><rdf:Description dc:description="{escape(text)}"/>'


PNG_FORMS = {
    **{
        f"{name} {keyword} {'behind' if last else 'before'}": in_png(kind, data, last=last)
        for last in (False, True)
        for keyword, text in ((RECIPE_KEY, PLAIN), ("Comment", PLAIN), ("Description", NAMED))
        for name, kind, data in (
            ("tEXt", b"tEXt", f"{keyword}\0{text}".encode()),
            ("zTXt", b"zTXt", f"{keyword}\0\0".encode() + zlib.compress(text.encode())),
            ("iTXt", b"iTXt", itxt(keyword, text, False)),
            ("packed iTXt", b"iTXt", itxt(keyword, text, True)),
        )
    },
    "spread out": in_png(b"tEXt", f"{RECIPE_KEY}\0{json.dumps(RECIPE, indent=2)}".encode()),
    "packed spread out": in_png(b"iTXt", itxt("Any", json.dumps(RECIPE, indent=2), True)),
    "nested": in_png(b"tEXt", b"Comment\0" + json.dumps({RECIPE_KEY: PLAIN}).encode()),
    "in another object": in_png(b"tEXt", b"a\0" + json.dumps({"a": {"b": [RECIPE]}}).encode()),
    "UTF-16": in_png(b"tEXt", b"Comment\0" + PLAIN.encode("utf-16")),
}


@pytest.mark.parametrize("form", PNG_FORMS)
def test_every_text_of_a_png(form):
    assert read_recipe(PNG_FORMS[form]) == RECIPE


def test_a_compressed_text_of_pillow():
    info = PngInfo()
    info.add_itxt(RECIPE_KEY, PLAIN, zip=True)
    assert read_recipe(saved("PNG", pnginfo=info)) == RECIPE


def test_every_form_of_exif_and_xmp_in_every_format():
    for data in exif_forms():
        keyword, text = hexed("exif", data)
        files = [
            *(saved("JPEG", exif=data), saved("WEBP", exif=data)),
            *(in_png(b"eXIf", data), in_png(b"eXIf", data, last=True)),
            *(
                in_png(b"tEXt", keyword + text),
                in_png(b"zTXt", keyword + b"\0" + zlib.compress(text)),
            ),
        ]
        assert [read_recipe(file) for file in files] == [RECIPE] * len(files), data
    for packet in xmp_forms():
        for data in (packet.encode(), packet.encode("utf-16"), packet.encode("utf-8-sig")):
            keyword, text = hexed("xmp", data)
            jpeg, gif = saved("JPEG", xmp=data), saved("GIF")
            files = [
                *(jpeg, saved("WEBP", xmp=data), in_png(b"tEXt", keyword + text)),
                in_png(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(data)),
                gif[:-1] + b"!\xff\x0bXMP DataXMP" + data + b"\0;",
            ]
            assert [read_recipe(file) for file in files] == [RECIPE] * len(files), data


@pytest.mark.parametrize("text", [PLAIN, NAMED])
def test_comments(text):
    jpeg, gif = saved("JPEG", comment=text), saved("GIF", comment=text)
    assert read_recipe(jpeg) == read_recipe(gif) == RECIPE
    block = b"".join(
        bytes([len(t)]) + t for i in range(0, len(text), 100) if (t := text[i : i + 100].encode())
    )
    assert read_recipe(saved("GIF")[:-1] + b"!\xfe" + block + b"\0;") == RECIPE
    assert read_recipe(jpeg[:-2] + b"\xff\xfe\0\2" + jpeg[-2:]) == RECIPE


def svg(inside, start="<svg", metadata="<metadata>"):
    return f"{start} xmlns='http://www.w3.org/2000/svg'>{metadata}{inside}</metadata><path/></svg>"


CDATA = f"<![CDATA[{NAMED}]]>"
NUMBERS = "".join(f"&#{ord(c)};" for c in NAMED)
SVGS = {
    "as it is": svg(NAMED),
    "quotes escaped": svg(escape(NAMED)),
    "quotes as numbers": svg(NAMED.replace('"', "&#34;")),
    "all as numbers": svg(NUMBERS),
    "CDATA": svg(CDATA),
    "pretty": svg(f"\n    {json.dumps({RECIPE_KEY: RECIPE}, indent=4)}\n  "),
    "older": svg(escape(PLAIN, quote=False), metadata=f'<metadata id="{RECIPE_KEY}">'),
    "older, single quotes": svg(escape(PLAIN), metadata=f"<metadata\n a='b' id = '{RECIPE_KEY}' >"),
    "older, prefixed": svg(escape(PLAIN), metadata=f'<metadata id="file_svg__{RECIPE_KEY}">'),
    "older, without its id": svg(escape(PLAIN), metadata="<metadata>"),
    "older, with another": svg(CDATA.replace(NAMED, PLAIN), metadata='<metadata id="a">'),
    "prolog": "<?xml version='1.0'?>\n<!DOCTYPE svg [<!ENTITY a 'b'>]>\n" + svg(escape(NAMED)),
    "namespace": svg(NAMED, "<svg:svg").replace("metadata", "svg:metadata"),
    "Inkscape": svg(f"<rdf:RDF>{'x' * 999}</rdf:RDF>{escape(PLAIN)}", "<!-- a --><svg"),
}


@pytest.mark.parametrize("form", SVGS)
def test_an_svg_that_was_written_again(form):
    text = SVGS[form]
    encodings = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1")
    files = [text.encode(name) for name in encodings]
    files += [gzip.compress(file) for file in files]
    assert [read_recipe(file) for file in files] == [RECIPE] * len(files)


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 7, "steps": 20, "sampler": "euler"},
        {"seed": "Felix", "hair": ["long01"], "glasses": ["v1"], "backgroundColor": ["fff"]},
        {"seed": 5, "glasses": 1, "eye_color": 2},
        {"seed": 7, "guidance_scale": 2.5, "num_inference_steps": 20, "prompt": "hair, glasses"},
        {"hair": 3, "glasses": "yes"},
        {"hair": {"seed": 7}},
    ],
)
def test_an_object_of_another_program_is_no_recipe(other):
    assert read_recipe(in_png(b"tEXt", b"parameters\0" + json.dumps(other).encode())) is None


def test_a_style_sheet_is_no_recipe():
    style = f"<style>#{RECIPE_KEY}{{fill:red}}.seed{{fill:blue}}</style>"
    assert read_recipe(svg(NAMED).replace("<path/>", style).encode()) == RECIPE
    assert read_recipe(svg("").replace("<path/>", style).encode()) is None


def _bombs():
    text = zlib.compress(b'{"seed"' * 10_000_000)
    yield in_png(b"zTXt", b"a\0\0" + text)
    yield in_png(b"iTXt", b"a\0\1\0\0\0" + text, last=True)
    yield b"\x89PNG" + chunk(b"zTXt", b"a\0\0" + text) * 100
    yield gzip.compress(b"<svg>" + b"&#123;" * 10_000_000)
    yield b"GIF89a" + b"!\xfe\xff" + b"aaaaaaaaaaaaaaa" * (MAX_FILE // 16)
    yield f"{RECIPE_KEY}{{&#34;".encode() * 200_000
    yield b"<svg>" + b"&#123;" * 1_000_000
    yield b'{"seed":[' * 500_000
    yield RECIPE_KEY.encode() + b'{"a":' * 5000
    yield b"iTXt" * 1_000_000
    yield b"Raw profile type " * 500_000


def test_nothing_unfolds_to_much_or_takes_long():
    for bomb in _bombs():
        start = time.perf_counter()
        assert read_recipe(bomb) is None
        assert time.perf_counter() - start < 5, bomb[:40]


def test_any_damage_is_no_error():
    random = np.random.default_rng(0)
    keyword, text = hexed("exif", next(exif_forms()))
    files = [
        PNG_FORMS["packed spread out"],
        in_png(b"zTXt", keyword + b"\0" + zlib.compress(text)),
        gzip.compress(SVGS["CDATA"].encode("utf-16")),
        saved("GIF", comment=NAMED),
    ]
    for content in files:
        for _ in range(50):
            damaged = bytearray(content)
            damaged[random.integers(len(content))] ^= 1 << random.integers(8)
            read_recipe(bytes(damaged))
            read_recipe(content[: random.integers(len(content))])


def test_of_two_the_named_one_counts():
    other = json.dumps(RECIPE | {"seed": 1})
    info = PngInfo()
    info.add_text("Comment", other)
    info.add_text(RECIPE_KEY, PLAIN)
    assert read_recipe(saved("PNG", pnginfo=info)) == RECIPE


def test_an_avatar_keeps_what_it_is_made_of():
    """Through Pillow, which knows the texts behind the pixels only once it has read those."""
    content = encode(Image.new("RGBA", (64, 64)), FileOptions(size=64), RECIPE)
    at = content.index(b"tEXt") - 4
    end = at + 12 + int.from_bytes(content[at : at + 4], "big")
    moved = content[:at] + content[end:-12] + content[at:end] + content[-12:]
    with Image.open(io.BytesIO(moved)) as image:
        assert RECIPE_KEY not in image.info
    assert read_recipe(moved) == RECIPE
