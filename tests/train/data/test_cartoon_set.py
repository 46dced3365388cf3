"""Reading what users have, and saying what is wrong with it."""

import gzip
import json
import random
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from avatar_model.attributes import ATTRIBUTES, NAMES, SIZES
from train.data.cartoon_set import parse_csv, read_cartoon_set
from train.data.errors import DatasetError
from train.data.examples import BAD_PICTURE

SHARED = Path("/work/shared/data/cartoonset9k.tar")


def values(seed: int) -> list[int]:
    return np.random.default_rng(seed).integers(0, SIZES).tolist()


def csv_text(row: list[int]) -> str:
    return "".join(
        f'"{a.name}", {value}, {a.num_values}\n' for a, value in zip(ATTRIBUTES, row, strict=True)
    )


def write_pair(folder: Path, number: int) -> None:
    """A pair whose picture is a plain colour that tells the number."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGBA", (20, 20), (number, 0, 0, 255)).save(folder / f"cs{number}.png")
    (folder / f"cs{number}.csv").write_text(csv_text(values(number)))


def archive(folder: Path, name: str, top: str) -> Path:
    path = folder.parent / name
    with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as tar:
        tar.add(folder, arcname=top)
    return path


@pytest.fixture
def flat(tmp_path) -> Path:
    """Four pairs in one folder, among files of others."""
    folder = tmp_path / "data" / "cartoonset4"
    for number in (9, 10, 11, 100):
        write_pair(folder, number)
    (folder / "evidence.csv").write_text("id,hair\n")
    (folder / "README.md").write_text("")
    (folder / "._cs9.png").write_bytes(b"\0")
    return folder


@pytest.fixture
def nested(tmp_path) -> Path:
    """The same pairs in subfolders, as in the 100k set."""
    folder = tmp_path / "data" / "cartoonset4-nested"
    for number in (9, 10, 11, 100):
        write_pair(folder / str(number % 10), number)
    return folder


def check(source: Path) -> None:
    examples = read_cartoon_set(source)
    assert not examples.rejects
    assert examples.ids == ["cs9", "cs10", "cs11", "cs100"]
    assert examples.attributes.dtype == np.uint8
    assert examples.attributes.tolist() == [values(n) for n in (9, 10, 11, 100)]
    colors = {row: picture().getpixel((0, 0))[0] for row, picture in examples.pictures()}
    assert colors == {0: 9, 1: 10, 2: 11, 3: 100}


@pytest.mark.parametrize("layout", ["flat", "nested"])
@pytest.mark.parametrize("name", [None, "a.tar", "a.tgz", "a.tar.gz"])
@pytest.mark.parametrize("top", ["cartoonset10k", "./x/y", "."])
def test_layouts(layout, name, top, request):
    folder = request.getfixturevalue(layout)
    check(archive(folder, name, top) if name else folder)


def test_parent_folder_and_symlinked_archive(flat, tmp_path):
    check(flat.parent)
    blob = archive(flat, "a.tgz", "x").rename(tmp_path / "0a1b2c")  # as in the Hub's cache
    (tmp_path / "link.tgz").symlink_to(blob)
    check(tmp_path / "link.tgz")


def test_no_labels_are_numbered(flat):
    assert read_cartoon_set(flat).vocabulary.labels["eye_lid"] == ("eye lid 0", "eye lid 1")


@pytest.mark.parametrize("place", ["inside", "inside archive", "beside", "beside archive"])
def test_labels(flat, place):
    folder = flat.parent if place.startswith("beside") else flat
    (folder / "options.json").write_text('{"eye_lid": ["open", "half"]}')
    source = archive(flat, "a.tgz", "x") if "archive" in place else flat
    vocabulary = read_cartoon_set(source).vocabulary
    assert vocabulary.labels["eye_lid"] == ("open", "half")
    assert vocabulary.labels["eye_angle"][0] == "eye angle 0"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("\ud800".encode("utf-16", "surrogatepass"), "not valid JSON"),
        ("[]", "must be an object"),
        ('{"eye_lid": "open"}', "labels of eye_lid must be a list"),
        ('{"eye_lid": ["open", 1]}', "labels of eye_lid must be a list"),
        ('{"eye_lid": ["open"]}', "eye_lid has 1 labels; it needs 2"),
        ('{"eye_lit": ["open", "half"]}', "did you mean 'eye_lid'"),
        (r'{"eye_lid": ["open", "half \ud800"]}', "a label must be one line of 1 to 64 characters"),
    ],
)
def test_malformed_options(flat, content, message):
    path = flat / "options.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DatasetError, match=message) as caught:
        read_cartoon_set(flat)
    assert str(caught.value).startswith(str(path))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


LINE = f'"hair", {values(10)[NAMES.index("hair")]}, 111'


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ('"hare", 3, 111', "unknown attribute 'hare'; did you mean 'hair'?"),
        ("", "it lacks hair"),
        ('"hair", 111, 111', "hair 111 is out of range; it has values 0..110"),
        ('"hair", -1, 111', "hair -1 is out of range; it has values 0..110"),
        ('"hair", 3, 110', "hair has 110 values here; it must be 111"),
        ('"hair", 3, 111\n"hair", 4, 111', "hair occurs twice"),
        ('"hair", 3', "line 10 is 'hair,3'; it must be a name, a value and the number of values"),
        ('"hair", 3.5, 111', "line 10 is 'hair,3.5,111'; it must be a name, a value and the"),
    ],
)
def test_bad_csv(flat, new, reason):
    edit(flat / "cs10.csv", LINE, new)
    examples = read_cartoon_set(flat)
    assert examples.ids == ["cs9", "cs11", "cs100"]
    [reject] = examples.rejects
    assert (reject.id, reject.file) == ("cs10", "cs10.csv")
    assert reject.reason.startswith(reason)


def test_csv_that_is_not_text(flat):
    (flat / "cs10.csv").write_bytes(b"\xff\xfe\0")
    assert "not a text file" in read_cartoon_set(flat).rejects[0].reason


def test_csv_of_other_systems():
    text = csv_text(values(1))
    for variant in (text.replace("\n", "\r\n"), "\ufeff" + text, text + "\n\n", text.strip()):
        assert parse_csv(variant.encode()) == values(1)
    assert parse_csv(text.replace('"', "").replace(" ", "").encode()) == values(1)


@pytest.mark.parametrize("blank", ["   ", "\t", "\u00a0", '" "', ",,", " , ,", "\f", "\r"])
def test_a_blank_line_is_no_line(blank):
    text = csv_text(values(1))
    middle = text.index('"hair",')
    for variant in (
        f"{blank}\n{text}",
        f"\ufeff{blank}\r\n{text}",
        f"{text[:middle]}{blank}\n{text[middle:]}",
        f"{text}{blank}",
    ):
        assert parse_csv(variant.encode()) == values(1)


def test_what_surrounds_a_value_is_no_part_of_it():
    text = csv_text(values(1))
    for variant in (
        text.replace("\n", " \n"),
        text.replace("\n", ",,\n"),
        text.replace('"', ' "\t'),
        text.replace('"', '\t"'),
        text.replace(", ", ',"').replace('"\n', "\n").replace(',"', " ,"),
        "".join(",".join(f'"{c}"' for c in line.split(",")) + "\n" for line in bare(text)),
    ):
        assert parse_csv(variant.encode()) == values(1), variant[:40]


def bare(text: str) -> list[str]:
    return text.replace('"', "").splitlines()


@given(st.binary() | st.text('"hair,01 \n').map(str.encode))
def test_any_other_content_is_a_value_error(content):
    with pytest.raises(ValueError):
        parse_csv(content)


def test_missing_halves_and_duplicates(nested):
    (nested / "9" / "cs9.csv").unlink()
    (nested / "0" / "cs10.png").unlink()
    write_pair(nested / "7", 11)
    (nested / "0" / "cs100.PNG").write_bytes(b"")
    examples = read_cartoon_set(nested)
    assert examples.ids == ["cs11"] and examples.files == ["1/cs11.png"]
    assert sorted(examples.rejects) == [
        ("cs10", "0/cs10.csv", "there is no cs10.png beside it"),
        ("cs100", examples.rejects[1].file, "cs100.png occurs more than once"),
        ("cs11", "7/cs11.png", "cs11 occurs more than once, also as 1/cs11.png"),
        ("cs9", "9/cs9.png", "there is no cs9.csv beside it"),
    ]


def test_damaged_png_raises_only_what_is_expected(flat):
    """Truncated anywhere, or with any byte changed."""
    good, rng, failed = (flat / "cs10.png").read_bytes(), random.Random(0), 0
    examples = read_cartoon_set(flat)
    picture = dict(examples.pictures())[examples.ids.index("cs10")]
    for i in range(400):
        cut = rng.randrange(len(good))
        bad = good[:cut] if i % 2 else good[:cut] + rng.randbytes(1) + good[cut + 1 :]
        (flat / "cs10.png").write_bytes(bad)
        try:
            picture()
        except BAD_PICTURE:
            failed += 1
    assert failed > 200


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no file or folder"),
        (lambda path: path.mkdir(), "there are no pairs of csNUMBER.png and csNUMBER.csv"),
        (lambda path: path.write_bytes(b""), "is neither a folder nor a complete .tar"),
        (lambda path: path.write_text("hello" * 1000), "is neither a folder nor a complete .tar"),
        (
            lambda path: path.write_bytes(b"\x1f\x8bhello"),
            "is neither a folder nor a complete .tar",
        ),
        (lambda path: tarfile.open(path, "w").close(), "there are no pairs"),
    ],
    ids=["nothing", "empty folder", "empty file", "text", "not gzip", "empty archive"],
)
def test_nothing_to_read(tmp_path, make, message):
    path = tmp_path / "set.tar"
    make(path)
    with pytest.raises(DatasetError, match=message) as caught:
        read_cartoon_set(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["a.tar", "a.tgz"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_incomplete_archive(flat, name, share):
    path = archive(flat, name, "x")
    content = path.read_bytes()
    if name == "a.tar":  # without the padding at the end, which is the larger part of a small file
        with tarfile.open(path) as tar:
            content = content[: tar.getmembers()[-1].offset_data + 600]
    for cut in {int(len(content) * share), int(len(content) * share) // 512 * 512}:
        path.write_bytes(content[:cut])
        with pytest.raises(DatasetError, match="complete") as caught:
            read_cartoon_set(path)
        assert str(path) in str(caught.value)


def test_archive_damaged_in_the_middle(flat):
    path = archive(flat, "a.tar", "x")
    with tarfile.open(path) as tar:
        header = tar.getmembers()[4].offset
    content = bytearray(path.read_bytes())
    content[header : header + 20] = b"?" * 20
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="damaged"):
        read_cartoon_set(path)


@pytest.mark.skipif(not SHARED.exists(), reason="the real pictures are not here")
def test_real_files(tmp_path):
    folder = tmp_path / "cartoonset"
    folder.mkdir()
    with tarfile.open(SHARED) as tar:
        for member, _ in zip((m for m in tar if m.isfile()), range(8), strict=False):
            with (
                tar.extractfile(member) as file,
                (folder / Path(member.name).name).open("wb") as to,
            ):
                shutil.copyfileobj(file, to)
    options = json.loads((SHARED.parent / "options.json").read_text())
    (folder / "options.json").write_text(json.dumps(options))
    examples = read_cartoon_set(folder)
    assert len(examples.ids) == 4 and not examples.rejects
    assert list(examples.vocabulary.labels["eye_lid"]) == options["eye_lid"]
    for _, picture in examples.pictures():
        alpha = np.array(picture().convert("RGBA"))[..., 3]
        assert alpha.shape == (500, 500) and alpha[0, 0] == 0 and alpha[250, 250] == 255


def test_stream_of_a_compressed_archive_is_not_rewound(flat, monkeypatch):
    """Going back in a gzip file means decompressing it again from the start."""
    path = archive(flat, "a.tgz", "x")
    seek = gzip.GzipFile.seek

    def forward(stream: gzip.GzipFile, offset: int, whence: int = 0) -> int:
        before = seek(stream, 0, 1)
        after = seek(stream, offset, whence)
        assert after >= before
        return after

    monkeypatch.setattr(gzip.GzipFile, "seek", forward)
    check(path)
