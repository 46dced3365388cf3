"""Reads Cartoon Set as people have it: pairs of a picture and its attributes.

A data set is pairs of ``csX.png`` and ``csX.csv`` in one folder (as in the 10k set) or in
subfolders (``0`` .. ``9`` in the 100k set), under any top-level name. A CSV has one line per
attribute: ``"eye_angle", 2, 3`` is its name, its value and how many values it has. An
``options.json`` among the files, the one in the fewest folders, or else beside the folder or
archive, says what the values are called. Files whose names do not start with ``cs`` belong to
something else and are ignored. ``docs/data.md`` is for people.
"""

from __future__ import annotations

import csv
import json
import os
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from avatar_model.attributes import ATTRIBUTES, NAMES, Vocabulary, VocabularyError, attribute
from train.data.archive import OPTIONS_NAME, Member, archive_members, kind, pictures
from train.data.errors import DatasetError
from train.data.examples import Examples
from train.data.folder import folder_members
from train.data.rejects import Reject


def read_cartoon_set(source: Path) -> Examples:
    """Find all pairs of a folder or archive and check their labels.

    Raises:
        DatasetError: nothing at ``source``, not an archive, a damaged archive, nothing in it, or
            an ``options.json`` that does not fit.
    """
    if not source.exists():
        raise DatasetError(f"there is no file or folder {source}")
    options = []
    # (folder, id) -> suffix -> the files of that name
    pairs: dict[tuple[str, str], dict[str, list[Member]]] = defaultdict(lambda: defaultdict(list))
    rejects = []
    for member in folder_members(source) if source.is_dir() else archive_members(source):
        path, what = PurePosixPath(member.name), kind(member.name)
        if what == OPTIONS_NAME:
            options.append(member)
        elif what:
            pairs[str(path.parent), _id(path.stem)][what].append(member)
        elif member.problem and not path.suffix:  # as of folders; other files matter to nobody
            rejects.append(Reject("", member.name, member.problem))
    if not pairs:
        raise DatasetError(
            f"there are no pairs of csNUMBER.png and csNUMBER.csv in {source} or the folders below"
            + "".join(f"; {reject.file}: {reject.reason}" for reject in rejects[:1])
        )
    vocabulary = _vocabulary(source, options)

    good: dict[str, tuple[Member, list[int]]] = {}
    for (_, id_), pair in sorted(pairs.items()):
        try:
            picture, values = _read_pair(id_, pair)
            if id_ in good:
                first = good[id_]
                if (first[0].identity, first[1]) == (picture.identity, values):
                    continue  # the same files by other names
                reason = f"{id_} occurs more than once, also as {good[id_][0].name}"
                raise _BadPairError(picture.name, reason)
            good[id_] = picture, values
        except _BadPairError as bad:
            rejects.append(Reject(id_, *bad.args))

    ids = sorted(good, key=lambda id_: (len(id_), id_))
    images = [good[id_][0] for id_ in ids]
    attributes = np.array([good[id_][1] for id_ in ids], dtype=np.uint8)
    return Examples(
        ids=ids,
        files=[image.name for image in images],
        attributes=attributes.reshape(len(ids), len(NAMES)),
        vocabulary=vocabulary,
        pictures=partial(pictures, source, images),
        about=f"Cartoon Set files from {source.name}",
        rejects=rejects,
    )


class _BadPairError(Exception):
    """(file, reason) of a pair that cannot be used."""


def _read_pair(id_: str, pair: dict[str, list[Member]]) -> tuple[Member, list[int]]:
    """The picture of a pair and its 18 values."""
    for suffix, other in ((".png", ".csv"), (".csv", ".png")):
        if suffix not in pair:
            raise _BadPairError(pair[other][0].name, f"there is no {id_}{suffix} beside it")
        if len(pair[suffix]) > 1:
            raise _BadPairError(pair[suffix][1].name, f"{id_}{suffix} occurs more than once")
        if pair[suffix][0].problem:
            raise _BadPairError(pair[suffix][0].name, pair[suffix][0].problem)
    [picture], [labels] = pair[".png"], pair[".csv"]
    try:
        return picture, parse_csv(labels.text or b"")
    except ValueError as error:
        raise _BadPairError(labels.name, str(error)) from None


def _id(stem: str) -> str:
    """A name without its suffix as one line of text, the same in upper and lower case."""
    return stem.lower() if stem.isprintable() else ascii(stem.lower())[1:-1]


def options_beside(source: Path) -> Path:
    """Where an ``options.json`` beside a folder or archive would be; ``source`` may be ``..``."""
    return Path(os.path.abspath(source)).parent / OPTIONS_NAME  # noqa: PTH100 (links stay)


def parse_csv(content: bytes) -> list[int]:
    """The 18 values of one CSV file, in ``ATTRIBUTES`` order.

    Raises:
        ValueError: the message says what is wrong in the file, without its name.
    """
    try:
        lines = list(csv.reader(content.decode("utf-8-sig").splitlines(), skipinitialspace=True))
    except (UnicodeDecodeError, csv.Error):
        raise ValueError("it is not a text file of comma-separated values") from None
    values: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip().strip('"').strip() for cell in line]
        while cells and not cells[-1]:  # as spreadsheets write them
            cells.pop()
        if not cells:
            continue
        try:
            name, value, num_values = cells[0], *map(int, cells[1:])
        except ValueError:
            raise ValueError(
                f"line {number} is {','.join(line)[:80]!r}; it must be a name, a value and the "
                "number of values"
            ) from None
        known = attribute(name)
        if name in values:
            raise ValueError(f"{name} occurs twice")
        if num_values != known.num_values:
            raise ValueError(f"{name} has {num_values} values here; it must be {known.num_values}")
        if not 0 <= value < num_values:
            raise ValueError(f"{name} {value} is out of range; it has values 0..{num_values - 1}")
        values[name] = value
    missing = [name for name in NAMES if name not in values]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    return [values[name] for name in NAMES]


def format_csv(values: Iterable[int]) -> str:
    """The content of a CSV file with these 18 values, in ``ATTRIBUTES`` order."""
    lines = zip(ATTRIBUTES, values, strict=True)
    return "".join(f'"{a.name}", {value}, {a.num_values}\n' for a, value in lines)


def _vocabulary(source: Path, found: list[Member]) -> Vocabulary:
    """The labels of the uppermost ``options.json`` that was found, or of the one beside.

    Raises:
        DatasetError: it cannot be read, or does not fit.
    """
    if found:
        member = min(found, key=lambda member: (member.name.count("/"), member.name))
        where, content = f"{source}/{member.name}", member.text or b""
        if member.problem:
            raise DatasetError(f"{where}: {member.problem}")
    elif options_beside(source).is_file():
        where = str(options_beside(source))
        try:
            content = options_beside(source).read_bytes()
        except OSError as error:
            raise DatasetError(f"cannot read {where}: {error.strerror}") from None
    else:
        return Vocabulary.numbered()
    try:
        options = json.loads(content)
    except ValueError as error:  # also for text that is not UTF-8
        raise DatasetError(f"{where} is not valid JSON: {error}") from None
    if not isinstance(options, dict):
        raise DatasetError(f"{where} must be an object: attribute names and their lists of labels")
    for name, labels in options.items():
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise DatasetError(f"{where}: the labels of {name} must be a list of strings")
    try:
        return Vocabulary.from_options(options)
    except VocabularyError as error:
        raise DatasetError(f"{where} does not fit: {error}") from None
