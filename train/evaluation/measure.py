"""All measurements of one evaluation, as one dictionary for ``report.json``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from avatar_model import AvatarPipeline
from avatar_model.attributes import NAMES
from avatar_model.classifier import AvatarClassifier

from ..packed import HELD_OUT, PackedSet
from .attribute_accuracy import attribute_accuracy, colour_accuracy
from .distribution import compare_distributions
from .draw import draw_avatars
from .embedding import shape_and_colour
from .memorisation import Memorisation, memorisation
from .memorisation import summarize as summarize_memorisation
from .paired import PairedErrors, paired_errors
from .paired import summarize as summarize_paired
from .palette import measure_palette
from .partial import partial_conditions

REGIONS = {"face": "face_color", "hair": "hair_color", "glasses": "glasses_color"}
"""What a region of the picture is called, and the attribute that gives it its colour."""

FLOOR_IMAGES = 2048
PARTIAL_IMAGES = 256


class EvaluationError(Exception):
    """A model, classifier or data set that cannot be evaluated together; the message says why."""


@dataclass(frozen=True)
class Drawn:
    """What was measured, image by image, for the pictures of the report.

    Attributes:
        images: uint8 [S, N, H, W, 4], the avatars of S seeds.
        errors: of the first seed.
        memory: of the first seed.
    """

    images: np.ndarray
    errors: PairedErrors
    memory: Memorisation


def measure(
    pipeline: AvatarPipeline,
    classifier: AvatarClassifier | None,
    truth: PackedSet,
    train: PackedSet,
    seeds: tuple[int, ...] = (0, 1, 2),
    say: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, Any], Drawn]:
    """Draw every combination of ``truth`` with every seed and measure all there is to measure.

    Args:
        pipeline, classifier: of the same vocabulary as the data, see :func:`check`.
        truth: held-out images; each combination is drawn and compared with its image.
        train: what the model was trained on.
        say: told what is being done.

    Returns:
        for JSON: ``paired``, ``attributes``, ``colours``, ``distribution``, ``partial`` and
        ``memorisation``. What cannot be measured, with too few images or without a classifier, is
        ``{"refused": why}``.
    """
    say(f"drawing {len(truth)} combinations with {len(seeds)} seeds")
    # Far apart, so that no avatar of one seed has the noise of another seed's.
    images = np.stack([draw_avatars(pipeline, truth.attributes, 1_000_000 * s)[0] for s in seeds])

    say("comparing them with the true images")
    palette = measure_palette(train)
    masks = {
        region: palette.regions(name, truth.images, truth.attributes)
        for region, name in REGIONS.items()
    }
    errors = [paired_errors(drawn, truth.images, masks) for drawn in images]
    paired = summarize_paired(_mean_over_seeds(errors))
    paired["psnr_per_seed"] = [float(e.psnr.mean()) for e in errors]

    say("reading attributes and colours")
    colours = {
        name: colour_accuracy(
            truth.attributes[:, NAMES.index(name)],
            np.stack([palette.read(name, drawn, masks[region]) for drawn in images]),
            palette.read(name, truth.images, masks[region]),
        )
        for region, name in REGIONS.items()
    }
    lots = np.random.default_rng(0).permutation(len(train))[:FLOOR_IMAGES]
    compared = (truth.images, images[0], train.images[lots])
    shape = _or_refused(compare_distributions, *map(shape_and_colour, compared))
    if classifier is None:
        attributes = attr = partial = {"refused": "no classifier was given"}
    else:
        visible, in_real = classifier.visible(truth.attributes), classifier(truth.images).values
        in_drawn = np.stack([classifier(drawn).values for drawn in images])
        attributes = attribute_accuracy(truth.attributes, visible, in_drawn, in_real)
        features = (classifier(pictures).features for pictures in compared)
        attr = _or_refused(compare_distributions, *features)
        say("leaving attributes open")
        partial = partial_conditions(pipeline, classifier, truth.attributes[:PARTIAL_IMAGES])
        partial["ceiling"] = float((in_real == truth.attributes)[visible].mean())

    say("looking for copies of training images")
    memory = memorisation(images[0], truth.images, train.images)
    report = {
        "paired": paired,
        "attributes": attributes,
        "colours": colours,
        "distribution": {"attr": attr, "shape": shape},
        "partial": partial,
        "memorisation": summarize_memorisation(memory),
    }
    return report, Drawn(images, errors[0], memory)


def check(
    pipeline: AvatarPipeline,
    classifier: AvatarClassifier | None,
    truth: PackedSet,
    train: PackedSet,
) -> None:
    """Refuse what cannot be compared, with the reason.

    Raises:
        EvaluationError: see the messages.
    """
    if not len(truth):
        raise EvaluationError(
            "this split of the data set is empty: it is too small to hold any combination out"
        )
    if not len(train):
        raise EvaluationError("the data set has no training images")
    if pipeline.training.get("held_out") != HELD_OUT:
        raise EvaluationError(
            f"the model was trained with other images held out than today ({HELD_OUT}), so it may "
            "have seen what it would be tested on; train it again"
        )
    size = truth.images.shape[1]
    parties = [("model", pipeline.vocabulary, pipeline.network.config.image_size)]
    if classifier:
        parties.append(("classifier", classifier.vocabulary, classifier.image_size))
    for what, vocabulary, its_size in parties:
        for name in NAMES:
            theirs, ours = vocabulary.labels[name], truth.vocabulary.labels[name]
            if theirs != ours:
                value = next(i for i, label in enumerate(theirs) if label != ours[i])
                raise EvaluationError(
                    f"the {what} was trained on other attributes: {name} {value} is "
                    f"{theirs[value]!r} for it and {ours[value]!r} in this data set"
                )
        if its_size != size:
            raise EvaluationError(
                f"the {what} is for {its_size}x{its_size} pixels, and the data set is packed at "
                f"{size}x{size}"
            )


def _mean_over_seeds(errors: list[PairedErrors]) -> PairedErrors:
    """Each combination counts once: its errors are the means over the seeds."""
    return PairedErrors(
        psnr=np.mean([e.psnr for e in errors], axis=0),
        ssim=np.mean([e.ssim for e in errors], axis=0),
        alpha_iou=np.mean([e.alpha_iou for e in errors], axis=0),
        colour={r: np.mean([e.colour[r] for e in errors], axis=0) for r in errors[0].colour},
    )


def _or_refused(measurement: Callable[..., dict[str, Any]], *arrays: np.ndarray) -> dict[str, Any]:
    try:
        return measurement(*arrays)
    except ValueError as error:
        return {"refused": str(error)}
