"""The vocabulary: the 18 attributes of Cartoon Set, and what their values are called.

How many values an attribute has is a fact of the file format and stands here. What a value *looks
like*, how often it occurs, and whether it occurs at all are facts of one data set; they live in a
:class:`Vocabulary`, which travels inside a checkpoint's ``config.json``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import AvatarError

ANY = -1
"""The value of an attribute that was left open; its slice of the one-hot vector is all zeros."""

ANY_LABEL = "Any"
MAX_LABEL, MAX_COUNT = 64, 10**12
_NO_LABEL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls, ends of lines, what turns the direction of all that follows, halves of characters."""


@dataclass(frozen=True)
class Attribute:
    """One of the 18 attributes: its name in the CSV files, its group on the page, its size."""

    name: str
    group: str
    num_values: int

    @property
    def title(self) -> str:
        """The name as a person reads it: ``eye_color`` -> ``Eye color``."""
        return self.name.replace("_", " ").replace("eye eyebrow", "eyebrow").capitalize()


ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("eye_angle", "Eyes", 3),
    Attribute("eye_lashes", "Eyes", 2),
    Attribute("eye_lid", "Eyes", 2),
    Attribute("chin_length", "Face", 3),
    Attribute("eyebrow_weight", "Eyebrows", 2),
    Attribute("eyebrow_shape", "Eyebrows", 14),
    Attribute("eyebrow_thickness", "Eyebrows", 4),
    Attribute("face_shape", "Face", 7),
    Attribute("facial_hair", "Facial hair", 15),
    Attribute("hair", "Hair", 111),
    Attribute("eye_color", "Eyes", 5),
    Attribute("face_color", "Face", 11),
    Attribute("hair_color", "Hair", 10),
    Attribute("glasses", "Glasses", 12),
    Attribute("glasses_color", "Glasses", 7),
    Attribute("eye_slant", "Eyes", 3),
    Attribute("eyebrow_width", "Eyebrows", 3),
    Attribute("eye_eyebrow_distance", "Eyebrows", 3),
)
"""In the order of Cartoon Set's CSV files."""

GROUPS: tuple[str, ...] = ("Face", "Hair", "Facial hair", "Eyes", "Eyebrows", "Glasses")
"""In the order a person looks at a face."""

NAMES: tuple[str, ...] = tuple(a.name for a in ATTRIBUTES)
SIZES: tuple[int, ...] = tuple(a.num_values for a in ATTRIBUTES)
OFFSETS: tuple[int, ...] = tuple(int(n) for n in np.cumsum((0, *SIZES[:-1])))
"""Where each attribute's slice starts in the one-hot vector."""

ONE_HOT_SIZE: int = sum(SIZES)  # 217


class VocabularyError(AvatarError, ValueError):
    """An attribute name or value that the vocabulary does not have; the message names it."""


def attribute(name: str) -> Attribute:
    """The attribute called ``name``; VocabularyError with the nearest name if there is none."""
    try:
        return ATTRIBUTES[NAMES.index(name)]
    except ValueError:
        raise VocabularyError(
            f"unknown attribute {name!r:.80}{did_you_mean(str(name)[:80], NAMES)}"
        ) from None


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """``"; did you mean 'hair'?"``, or the whole list when nothing is near."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; choose from {', '.join(known)}"


def _is_label(text: Any) -> bool:
    """Whether ``text`` can stand on a page, and leaves the text around it as it is."""
    is_line = isinstance(text, str) and bool(text.strip()) and len(text) <= MAX_LABEL
    return is_line and not _NO_LABEL.search(text)


def _numbered_labels(a: Attribute) -> tuple[str, ...]:
    return tuple(f"{a.name.replace('_', ' ')} {value}" for value in range(a.num_values))


def one_hot(values: np.ndarray) -> np.ndarray:
    """Attribute values as the binary vector that Tau reads.

    Args:
        values: integers [N, 18] in ``ATTRIBUTES`` order; ``ANY`` leaves the attribute open.

    Returns:
        float32 [N, 217]: one 1 per given attribute, all zeros in the slice of an open one.
    """
    values = np.asarray(values, dtype=np.int64)
    out = np.zeros((len(values), ONE_HOT_SIZE), dtype=np.float32)
    rows, columns = np.nonzero(values != ANY)
    out[rows, values[rows, columns] + np.asarray(OFFSETS)[columns]] = 1.0
    return out


def to_row(values: Mapping[str, int]) -> np.ndarray:
    """A name -> value mapping as int64 [18]; names left out are ``ANY``."""
    return np.array([values.get(name, ANY) for name in NAMES], dtype=np.int64)


@dataclass(frozen=True)
class Vocabulary:
    """What the values of one data set are called and how often they occur.

    Attributes:
        labels: per attribute name, one readable label per value, unique within the attribute; a
            line of at most ``MAX_LABEL`` characters.
        counts: per attribute name, how often each value occurred in training; a value with count 0
            is neither offered nor sampled nor accepted, because the model has never seen it.
    """

    labels: dict[str, tuple[str, ...]]
    counts: dict[str, tuple[int, ...]]

    def __post_init__(self) -> None:
        for a in ATTRIBUTES:
            labels, counts = self.labels.get(a.name, ()), self.counts.get(a.name, ())
            for what, found in (("labels", len(labels)), ("counts", len(counts))):
                if found != a.num_values:
                    raise VocabularyError(
                        f"{a.name} has {found} {what}; it needs {a.num_values}, one per value"
                    )
            if bad := [label for label in labels if not _is_label(label)]:
                raise VocabularyError(
                    f"{a.name}: a label must be one line of 1 to {MAX_LABEL} characters, not "
                    f"{bad[0]!r:.80}"
                )
            if len({label.casefold() for label in (*labels, ANY_LABEL)}) != len(labels) + 1:
                raise VocabularyError(f"{a.name}: labels must be unique and not {ANY_LABEL!r}")
            if not all(type(n) is int and 0 <= n <= MAX_COUNT for n in counts) or not any(counts):
                raise VocabularyError(
                    f"{a.name}: counts must be whole numbers from 0 to {MAX_COUNT} and not all 0"
                )

    @classmethod
    def numbered(cls, counts: Mapping[str, Sequence[int]] | None = None) -> Vocabulary:
        """The vocabulary of a data set without an ``options.json``: ``hair 57`` and so on."""
        return cls.from_options({}, counts)

    @classmethod
    def from_options(
        cls,
        options: Mapping[str, Sequence[str]],
        counts: Mapping[str, Sequence[int]] | None = None,
    ) -> Vocabulary:
        """From the content of an ``options.json``; an attribute it lacks is numbered.

        Args:
            options: labels by attribute name. A label that occurs twice gets its number appended.
            counts: occurrences by attribute name; without it every value counts once.
        """
        for name in options:
            attribute(name)
        labels, seen = {}, {}
        for a in ATTRIBUTES:
            names = [str(label) for label in options.get(a.name) or _numbered_labels(a)]
            # Labels are found whatever their case, and none may hide "Any".
            folded = [label.casefold() for label in (*names, ANY_LABEL)]
            labels[a.name] = tuple(
                label if folded.count(label.casefold()) == 1 else f"{label} ({i})"
                for i, label in enumerate(names)
            )
            seen[a.name] = tuple(int(n) for n in (counts or {}).get(a.name, (1,) * a.num_values))
        return cls(labels, seen)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; ``Vocabulary.from_dict`` reads them back."""
        return {
            a.name: {"labels": list(self.labels[a.name]), "counts": list(self.counts[a.name])}
            for a in ATTRIBUTES
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Vocabulary:
        """The inverse of :meth:`to_dict`; VocabularyError names what does not fit."""
        for name, entry in data.items():
            attribute(name)
            parts = [entry.get(k) for k in ("labels", "counts")] if isinstance(entry, dict) else []
            if not parts or not all(isinstance(part, list) for part in parts):
                raise VocabularyError(f"{name} must have a list of labels and one of counts")
        if missing := [name for name in NAMES if name not in data]:
            raise VocabularyError(f"the vocabulary lacks {', '.join(missing)}")
        return cls(
            {name: tuple(entry["labels"]) for name, entry in data.items()},
            {name: tuple(entry["counts"]) for name, entry in data.items()},
        )

    def offered(self, name: str) -> list[tuple[str, int]]:
        """(label, value) of every value that occurred in training, in value order."""
        counts = self.counts[attribute(name).name]
        return [(self.labels[name][value], value) for value, count in enumerate(counts) if count]

    def is_numbered(self, name: str) -> bool:
        """Whether nobody has said what the values of an attribute look like: ``hair 57``."""
        return self.labels[name] == _numbered_labels(attribute(name))

    def label(self, name: str, value: int) -> str:
        """What ``value`` is called; ``Any`` for ``ANY``."""
        return ANY_LABEL if value == ANY else self.labels[name][value]

    def parse_value(self, name: str, value: Any) -> int:
        """One value as a person or a program writes it: a number, a label, ``"Any"`` or None.

        Returns:
            the value's number, or ``ANY``.

        Raises:
            VocabularyError: unknown attribute, unknown label, a number out of range, or a value
                that the model never saw in training.
        """
        a = attribute(name)
        if isinstance(value, str):
            number = self._parse_text(name, value)
        elif value is None:
            number = ANY
        elif isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise VocabularyError(f"{name} must be a number, a label or 'Any', not {value!r:.80}")
        elif not float(value).is_integer():
            raise VocabularyError(f"{name} must be a whole number, not {value!r}")
        else:
            number = int(value)
        if number == ANY:
            return ANY
        if not 0 <= number < a.num_values:
            raise VocabularyError(
                f"{name} {number} is out of range; it has values 0..{a.num_values - 1}"
            )
        if not self.counts[name][number]:
            seen = ", ".join(str(v) for _, v in self.offered(name))
            raise VocabularyError(
                f"{name} {number} ({self.labels[name][number]}) never occurred in this model's "
                f"training data; it knows {seen}"
            )
        return number

    def _parse_text(self, name: str, value: str) -> int:
        """A label, "Any", or a number, which may be out of range."""
        text = value.strip().casefold()
        if text == ANY_LABEL.casefold():
            return ANY
        by_label = {label.casefold(): i for i, label in enumerate(self.labels[name])}
        if text in by_label:
            return by_label[text]
        if re.fullmatch(r"-?[0-9]{1,9}", text):
            return int(text)
        known = [label for label, _ in self.offered(name)]
        hint = did_you_mean(value[:80], known) if len(known) <= 15 else ""
        if not hint:
            near = difflib.get_close_matches(value[:80], known, n=3, cutoff=0.4)
            hint = f"; the nearest are {', '.join(map(repr, near))}" if near else ""
        raise VocabularyError(f"{name} has no value {value!r:.80}{hint}")

    def parse(self, values: Mapping[str, Any]) -> dict[str, int]:
        """All 18 attributes of a request; those not named are ``ANY``.

        Raises:
            VocabularyError: as ``parse_value``, or an unknown name.
        """
        for name in values:
            attribute(name)
        return {name: self.parse_value(name, values.get(name)) for name in NAMES}

    def sample(self, values: Mapping[str, int], rng: np.random.Generator) -> dict[str, int]:
        """Replace every ``ANY`` by a value sampled with the frequencies of the training data.

        The attributes of Cartoon Set are independent, so sampling each on its own is exact. Every
        attribute consumes one random number whether it is open or not: fixing one attribute does
        not change what the others become under the same seed.
        """
        sampled = {}
        for name in NAMES:
            cumulative = np.cumsum(self.counts[name])
            index = np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right")
            asked = values.get(name, ANY)
            sampled[name] = int(index if asked == ANY else asked)
        return sampled
