"""A folder, and an archive made of it by any common program, give the same pairs."""

import os
import random
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.train.data.test_cartoon_set import archive, write_pair
from train.data import folder as folder_module
from train.data.cartoon_set import read_cartoon_set
from train.data.dataset import open_dataset
from train.data.errors import DatasetError


def contents(source: Path) -> dict[str, tuple[list[int], bytes]]:
    """Id -> attributes and pixels."""
    examples = read_cartoon_set(source)
    pixels = {row: picture().convert("RGBA").tobytes() for row, picture in examples.pictures()}
    assert sorted(pixels) == list(range(len(examples.ids)))
    rows = examples.attributes.tolist()
    return {id_: (rows[row], pixels[row]) for row, id_ in enumerate(examples.ids)}


def move(path: Path, to: Path) -> None:
    """Move a file or folder and leave a link."""
    to.parent.mkdir(parents=True, exist_ok=True)
    path.rename(to)
    path.symlink_to(os.path.relpath(to, path.parent))


@pytest.fixture(scope="module")
def linked(tmp_path_factory) -> Path:
    """The 100k layout, with every kind of link into the folder itself."""
    top = tmp_path_factory.mktemp("linked") / "set"
    for number in (10, 1, 11, 2, 12, 3, 13, 4, 5):
        write_pair(top / str(number % 10), number)
    move(top / "1", top / "store" / "deep" / "er" / "one")  # a folder
    move(top / "2" / "cs2.png", top / "store" / "blob-2")  # a file
    move(top / "2" / "cs12.csv", top / "store" / "blob-12")
    move(top / "store" / "blob-2", top / "store" / "blob-3")  # a link to a link
    for name in ("cs3.png", "cs3.csv"):
        os.link(top / "3" / name, top / "store" / f"blob-{name}x")  # hard links
        os.link(top / "3" / name, top / "0" / name)  # the same pair, by another name
    (top / "4").rename(top / "ä")
    with (top / "5" / "cs5.png").open("r+b") as file:
        file.truncate(1 << 20)  # a file with a hole
    return top


def test_links_are_followed(linked):
    examples = read_cartoon_set(linked)
    assert not examples.rejects
    assert examples.ids == [f"cs{n}" for n in (1, 2, 3, 4, 5, 10, 11, 12, 13)]


FORMATS = {"gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT, "ustar": tarfile.USTAR_FORMAT}


@pytest.mark.parametrize("how", FORMATS)
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_packed_by_python(linked, tmp_path, how, mode):
    with tarfile.open(tmp_path / "a", mode, format=FORMATS[how]) as tar:
        tar.add(linked, arcname="../set" if how == "pax" else ".")
    assert contents(tmp_path / "a") == contents(linked)


@pytest.mark.parametrize("how", FORMATS)
def test_long_names(tmp_path, how):
    write_pair(tmp_path / ("a-long-name-" * 10) / "é", 1)
    with tarfile.open(tmp_path / "a.tar", "w", format=FORMATS[how]) as tar:
        tar.add(
            tmp_path, arcname="x", filter=lambda info: info if "a.tar" not in info.name else None
        )
    assert list(contents(tmp_path / "a.tar")) == ["cs1"]


@pytest.mark.parametrize(
    "command",
    [
        *("tar -c", "tar -ch", "tar -cz", "tar -cj", "tar -cJ", "tar -cS", "tar -c --format=v7"),
        *("tar -c --format=ustar", "tar -c --format=posix", "tar -c --format=oldgnu -S"),
        *(f"tar -cS --format=posix --sparse-version={v}" for v in ("0.0", "0.1", "1.0")),
        *("tar -ch --format=posix", "tar -c --hard-dereference", "tar -c --sort=name -b 1"),
        *("bsdtar -c", "bsdtar -cz", "bsdtar -c --format=gnutar", "bsdtar -c --format=ustar"),
        "busybox tar -c",
    ],
)
def test_packed_by_programs(linked, tmp_path, command):
    program, *options = command.split()
    if not shutil.which(program):
        pytest.skip(f"there is no {program}")
    made = subprocess.run([program, *options, "-f", tmp_path / "a", "-C", linked.parent, "set"])
    assert made.returncode == 0
    if command == "tar -c --hard-dereference":  # two copies of a pair are two pairs of one name
        [reject] = read_cartoon_set(tmp_path / "a").rejects
        assert reject.reason.startswith("cs3 occurs more than once, also as ")
    elif "busybox" not in command:
        assert not read_cartoon_set(tmp_path / "a").rejects
    assert contents(tmp_path / "a") == contents(linked)


def test_what_a_link_leads_out_of_is_named(linked, tmp_path):
    """A folder has it; a plain tar does not, and tar -h does."""
    for number in (1, 2, 3, 4):
        write_pair(tmp_path / "set" / str(number), number)
    move(tmp_path / "set" / "3", tmp_path / "elsewhere" / "3")
    move(tmp_path / "set" / "4" / "cs4.png", tmp_path / "elsewhere" / "cs4.png")
    whole = contents(tmp_path / "set")
    assert list(whole) == ["cs1", "cs2", "cs3", "cs4"]
    plain = archive(tmp_path / "set", "plain.tgz", "set")
    examples = read_cartoon_set(plain)
    assert examples.ids == ["cs1", "cs2"]
    lost = "it is a link to ../{}elsewhere/{}, which is not in the archive; pack with tar -h"
    assert sorted(examples.rejects) == [
        ("", "set/3", lost.format("", "3")),
        ("cs4", "set/4/cs4.png", lost.format("../", "cs4.png")),
    ]
    with pytest.raises(
        DatasetError, match=r"1 of the folders and links in .*\n  set/3: it is a link"
    ) as no:
        open_dataset(str(plain), 8, tmp_path / "cache")
    assert str(plain) in str(no.value) and ".rejects.csv lists all" in str(no.value)
    with tarfile.open(tmp_path / "all.tar", "w", dereference=True) as tar:
        tar.add(tmp_path / "set", arcname="set")
    assert contents(tmp_path / "all.tar") == whole


def test_circles_and_broken_links(tmp_path):
    for number in (1, 2):
        write_pair(tmp_path / "set" / str(number), number)
    for name, to in {
        "up": "..",
        "root": "/",
        "self": ".",
        "1/here": "../1",
        "2/there": "../1",
        "round": "about",
        "about": "round",
        "README.md": "nowhere.md",
        "2/cs9.png": "nowhere",
    }.items():
        (tmp_path / "set" / name).symlink_to(to)
    (tmp_path / "set" / "2" / "cs9.csv").write_text("")
    os.mkfifo(tmp_path / "set" / "2" / "cs8.csv")
    for source in (tmp_path / "set", archive(tmp_path / "set", "a.tar", "x/set")):
        examples = read_cartoon_set(source)
        assert examples.ids == ["cs1", "cs2"]
        assert [reject.id for reject in sorted(examples.rejects)] == ["", "", "cs8", "cs9"]
        assert sorted(Path(reject.file).name for reject in examples.rejects) == [
            *("about", "cs8.csv", "cs9.png", "round")
        ]


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    write_pair(tmp_path / "set" / "0", 1)
    write_pair(tmp_path / "set" / "1", 2)
    real = os.scandir

    def refuse(path):
        if Path(path).name == "1":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(folder_module.os, "scandir", refuse)
    examples = read_cartoon_set(tmp_path / "set")
    assert examples.ids == ["cs1"]
    reason = "this folder cannot be read: Permission denied"
    assert examples.rejects == [("", "1/", reason)]
    with pytest.raises(DatasetError, match=f"cannot read {tmp_path / 'set' / '1'}: Permission"):
        read_cartoon_set(tmp_path / "set" / "1")


def test_a_text_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    for number in (1, 2):
        write_pair(tmp_path / "set", number)
    (tmp_path / "set" / "cs1.csv").unlink()
    (tmp_path / "set" / "cs1.csv").mkdir()  # root may read everything else
    monkeypatch.setattr(folder_module.stat, "S_ISDIR", lambda mode: False)
    monkeypatch.setattr(folder_module.stat, "S_ISREG", lambda mode: True)
    [reject] = read_cartoon_set(tmp_path / "set").rejects
    assert reject == ("cs1", "cs1.csv", "it cannot be read: Is a directory")


def test_a_mistyped_folder_is_not_searched_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_module, "MAX_FOLDERS", 20)
    for number in range(21):
        (tmp_path / f"{number}").mkdir()
    with pytest.raises(DatasetError, match="more than 20 folders; give that of the data set"):
        read_cartoon_set(tmp_path)


def test_what_other_systems_leave_is_no_pair(tmp_path):
    write_pair(tmp_path / "set", 1)
    for folder in ("__MACOSX", "PaxHeader", "PaxHeaders.123"):
        write_pair(tmp_path / "set" / folder, 1)
    (tmp_path / "set" / "cs1.png").rename(tmp_path / "set" / "CS1.PNG")
    for source in (tmp_path / "set", archive(tmp_path / "set", "a.tar", "set")):
        examples = read_cartoon_set(source)
        assert examples.ids == ["cs1"] and not examples.rejects


def test_a_later_file_replaces_an_earlier_one(tmp_path):
    """As when an archive that tar -r added to is unpacked; a hard link keeps what it was."""
    write_pair(tmp_path / "set", 1)
    os.link(tmp_path / "set" / "cs1.png", tmp_path / "set" / "cs2.png")
    shutil.copy(tmp_path / "set" / "cs1.csv", tmp_path / "set" / "cs2.csv")
    path = archive(tmp_path / "set", "a.tar", "set")
    (tmp_path / "set" / "cs2.png").unlink()
    write_pair(tmp_path / "set", 7)
    with tarfile.open(path, "a") as tar:
        tar.add(tmp_path / "set" / "cs7.png", "./set/cs1.png")
    found = contents(path)
    assert [pixels[0] for _, pixels in found.values()] == [7, 1]


@pytest.mark.parametrize("end", [1, 200, 512, 700, 1024, 20 * 512])
def test_any_end_is_an_end(tmp_path, end):
    """One block of zeros, as GNU tar reads; more; or one that is cut."""
    write_pair(tmp_path / "set", 1)
    path = archive(tmp_path / "set", "a.tar", "set")
    content = path.read_bytes().rstrip(b"\0")
    content += b"\0" * (-len(content) % 512)
    path.write_bytes(content + b"\0" * end)
    assert list(contents(path)) == ["cs1"]


def test_no_end_may_be_half_a_download(tmp_path):
    write_pair(tmp_path / "set", 1)
    path = archive(tmp_path / "set", "a.tar", "set")
    content = path.read_bytes().rstrip(b"\0")
    path.write_bytes(content + b"\0" * (-len(content) % 512))
    with pytest.raises(DatasetError, match=r"damaged or incomplete \(it has no end\)"):
        read_cartoon_set(path)


@pytest.mark.parametrize("name", ["a.tar", "a.tgz"])
def test_archives_one_after_the_other(tmp_path, name):
    """As ``cat`` makes them, and programs that compress in parallel; a hole is not their border."""
    for number in (1, 2):
        write_pair(tmp_path / str(number), number)
    one, two = (archive(tmp_path / n, f"{n}{name}", n).read_bytes() for n in "12")
    (tmp_path / name).write_bytes(one + two)
    assert list(contents(tmp_path / name)) == ["cs1", "cs2"]
    (tmp_path / name).write_bytes(one + two[: len(two) // 3])
    with pytest.raises(DatasetError, match="damaged or incomplete"):
        read_cartoon_set(tmp_path / name)
    if name == "a.tar":
        header = one.index(b"1/cs1.png")
        (tmp_path / name).write_bytes(one[:header] + bytes(512) + one[header + 512 :])
        with pytest.raises(DatasetError, match="damaged or incomplete"):
            read_cartoon_set(tmp_path / name)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_an_archive_with_any_damage_is_refused_or_whole(linked, tmp_path, mode):
    """Cut anywhere, or with some bytes changed."""
    rng, path = random.Random(0), tmp_path / "a"
    with tarfile.open(path, mode) as tar:
        tar.add(linked / "0", arcname="0")
    good, refused = path.read_bytes(), 0
    for i in range(24):
        at = rng.randrange(len(good))
        path.write_bytes(good[:at] + (b"" if i % 2 else rng.randbytes(9) + good[at + 9 :]))
        try:
            examples = read_cartoon_set(path)
        except DatasetError as error:
            refused += str(path) in str(error) and "\n" not in str(error)
        else:
            assert mode == "w" and len(examples.ids) + len(examples.rejects) >= 2
    assert refused > 5


@pytest.mark.parametrize(
    ("start", "what"), [(b"PK\3\4", "zip"), (b"7z\xbc\xaf\x27\x1c", "7z"), (b"(\xb5/\xfd", "zstd")]
)
def test_other_archives_are_named(tmp_path, start, what):
    (tmp_path / "set").write_bytes(start + bytes(1000))
    with pytest.raises(DatasetError, match=f"set is a {what} archive; .* so unpack it"):
        read_cartoon_set(tmp_path / "set")


def test_a_name_that_is_no_text_is_an_id_of_one_line(tmp_path):
    for number in range(1, 7):
        write_pair(tmp_path / "set", number)
    for suffix in (".png", ".csv"):
        name = tmp_path / "set" / f"cs\n\udcff{suffix}"
        (tmp_path / "set" / f"cs1{suffix}").rename(name)
    for source in (tmp_path / "set", archive(tmp_path / "set", "a.tar", "set")):
        assert open_dataset(str(source), 8, tmp_path / "cache").ids[-1] == r"cs\n\udcff"


def test_the_uppermost_options_count(tmp_path):
    write_pair(tmp_path / "set" / "0", 1)
    (tmp_path / "options.json").write_text('{"eye_lid": ["beside", "b"]}')
    assert labels(tmp_path / "set") == "beside"
    (tmp_path / "set" / "0" / "OPTIONS.JSON").write_text('{"eye_lid": ["deep", "b"]}')
    assert labels(tmp_path / "set") == "deep"
    (tmp_path / "set" / "options.json").write_text('{"eye_lid": ["top", "b"]}')
    assert labels(tmp_path / "set") == labels(archive(tmp_path / "set", "a.tar", ".")) == "top"
    assert labels(tmp_path / "set" / "0" / "..") == "top"


def labels(source: Path) -> str:
    return read_cartoon_set(source).vocabulary.labels["eye_lid"][0]
