"""Whether the values of a data set are those that a model knows."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from avatar_model.attributes import ATTRIBUTES, NAMES, Vocabulary
from train.data.archive import OPTIONS_NAME
from train.data.dataset import PackedSet
from train.data.errors import DatasetError

_log = logging.getLogger(__name__)


def fit_to(
    data: PackedSet, models: Mapping[str, Vocabulary], refusal: str = "trained on other attributes"
) -> PackedSet:
    """A data set with the labels of models, and without what one of them never saw.

    Values are matched by attribute and number; how many an attribute has is the same everywhere.
    Where a model or the data set, such as Google's own files, has no labels, the others' count.
    Where two have some, they must be the same but for upper and lower case. An image with a value
    that a model never saw is in no split of the result; what is taken for granted or left out is
    logged as a warning.

    Args:
        models: "model" -> its vocabulary.
        refusal: what to say of a model with other labels of the attribute ``{name}``.

    Raises:
        DatasetError: labels differ, or a model knows no value of an attribute that occurs.
    """
    labels = {a.name: _agreed(a.name, {"": data.vocabulary, **models}, refusal) for a in ATTRIBUTES}
    borrowed = [name for name in NAMES if data.vocabulary.is_numbered(name)]
    borrowed = [name for name in borrowed if labels[name] != data.vocabulary.labels[name]]
    if borrowed:
        few = "" if len(borrowed) == len(NAMES) else f" of {', '.join(borrowed)}"
        _log.warning(
            "the data set has no labels%s (options.json): value N of an attribute is taken for "
            "value N of the %s",
            *(few, next(iter(models))),
        )
    counts, unknown, left_out = {}, [], np.zeros(len(data), dtype=bool)
    for a, column in zip(ATTRIBUTES, data.attributes.T, strict=True):
        had = np.array(data.vocabulary.counts[a.name])
        known = np.all([np.array(v.counts[a.name]) > 0 for v in models.values()], axis=0)
        counts[a.name] = tuple(np.where(known, had, 0).tolist())
        if not any(counts[a.name]):
            raise DatasetError(
                f"the {' and the '.join(models)} never saw any value of {a.name} that occurs in "
                "the data set"
            )
        unknown += [f"{a.name} {value}" for value in np.flatnonzero(~known & (had > 0))]
        left_out |= ~known[column] & (had[column] > 0)
    if unknown:
        _log.warning(
            "%d of the %d images have a value that the %s never saw (%s) and are left out",
            *(left_out.sum(), len(data), " or the ".join(models), ", ".join(unknown)),
        )
    return replace(data, vocabulary=Vocabulary(labels, counts))


def _agreed(name: str, vocabularies: Mapping[str, Vocabulary], refusal: str) -> tuple[str, ...]:
    """The labels of an attribute: a model's, else the data set's, which is called ""."""
    labelled = {who: v.labels[name] for who, v in vocabularies.items() if not v.is_numbered(name)}
    if not labelled:
        return vocabularies[""].labels[name]
    first, labels = next(iter(labelled.items()))
    where = f"for the {first}" if first else "in this data set"
    for who, theirs in labelled.items():
        pairs = list(enumerate(zip(theirs, labels, strict=True)))
        differ = [(i, a, b) for i, (a, b) in pairs if a.casefold() != b.casefold()]
        if differ:
            value, their, our = differ[0]
            raise DatasetError(
                f"the {who} was {refusal.format(name=name)}: {name} {value} is {their!r} for it "
                f"and {our!r} {where} ({len(differ)} of the {len(labels)} labels of {name} "
                f"differ); if both mean the same, give the data set an {OPTIONS_NAME} with the "
                f"labels of the {who}, see docs/data.md"
            )
    return labelled[next((who for who in labelled if who), first)]
