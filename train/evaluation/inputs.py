"""What an evaluation starts from: model, classifier and pictures that fit together."""

from __future__ import annotations

import numpy as np

from avatar_model import AvatarPipeline
from avatar_model.classifier import AvatarClassifier
from avatar_model.errors import AvatarError
from train.data.dataset import PackedSet, open_dataset
from train.data.errors import DatasetError
from train.data.labels import fit_to
from train.data.splits import HELD_OUT


class EvaluationError(AvatarError):
    """A model, classifier or data set that cannot be evaluated together; the message says why."""


def at_size(size: int, part: PackedSet, data: str) -> PackedSet:
    """The same examples of the data set ``data`` at another size: those alone are read into memory.

    Raises:
        DatasetError: as ``open_dataset``, or an example is missing.
    """
    dataset = open_dataset(data, size, crop=part.crop)
    row = {id_: i for i, id_ in enumerate(dataset.ids)}
    if missing := [id_ for id_ in part.ids if id_ not in row]:
        raise DatasetError(f"{data} has changed while it was packed: there is no {missing[0]} now")
    return dataset.take(np.array([row[id_] for id_ in part.ids], dtype=np.int64))


def fit_to_models(
    pipeline: AvatarPipeline, classifier: AvatarClassifier | None, data: PackedSet
) -> PackedSet:
    """The data set with the model's labels, without values that one never saw, see ``fit_to``.

    Raises:
        EvaluationError: the model or the classifier was trained on other attributes.
    """
    models = {"model": pipeline.vocabulary}
    if classifier:
        models["classifier"] = classifier.vocabulary
    try:
        return fit_to(data, models)
    except DatasetError as error:
        raise EvaluationError(str(error)) from None


def check(
    pipeline: AvatarPipeline,
    classifier: AvatarClassifier | None,
    truth: PackedSet,
    train: PackedSet,
) -> None:
    """Refuse what cannot be compared, with the reason.

    Args:
        truth, train: at the base's size.

    Raises:
        EvaluationError: see the messages.
    """
    if not len(truth):
        raise EvaluationError(
            "this split of the data set is empty: it is too small to hold any combination out"
        )
    if not len(train):
        raise EvaluationError("the data set has no training images")
    for what, stage in zip(("model", "upscaler"), pipeline.stages, strict=False):
        if stage.training.get("held_out") != HELD_OUT:
            raise EvaluationError(
                f"the {what} was trained with other images held out than today ({HELD_OUT}), so "
                "it may have seen what it would be tested on; train it again"
            )
    fit_to_models(pipeline, classifier, truth)
    size, config = truth.images.shape[1], pipeline.network.config
    if config.image_size != size:
        raise EvaluationError(
            f"the model is for {config.image_size}x{config.image_size} pixels, and the data set "
            f"is packed at {size}x{size}"
        )
    if config.crop != truth.crop:
        raise EvaluationError(
            f"the model draws a crop of {config.crop}, and the data set is packed with {truth.crop}"
        )
