"""All measurements of one evaluation, as one dictionary for ``report.json``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from avatar_model import AvatarPipeline
from avatar_model.attributes import NAMES
from avatar_model.classifier import AvatarClassifier, Reading
from avatar_model.errors import AvatarError
from train.data.packed import HELD_OUT, PackedSet
from train.evaluation.attribute_accuracy import attribute_accuracy
from train.evaluation.compared import compare, resized_psnr, summarize_seeds
from train.evaluation.distribution import compare_distributions
from train.evaluation.embedding import shape_and_colour
from train.evaluation.generate import BATCH, generate_avatars, generate_batches
from train.evaluation.memorisation import Memorisation, memorisation
from train.evaluation.memorisation import summarize as summarize_memorisation
from train.evaluation.paired import PairedErrors
from train.evaluation.palette import measure_palette
from train.evaluation.partial import partial_conditions

FLOOR_IMAGES = 2048
PARTIAL_IMAGES = 256
SEED_DISTANCE = 1_000_000
"""Between seeds, so that no avatar of one has the noise of another's."""


class EvaluationError(AvatarError):
    """A model, classifier or data set that cannot be evaluated together; the message says why."""


@dataclass(frozen=True)
class Drawn:
    """What was measured, image by image, for the pictures of the report; all of the first seed.

    Attributes:
        images: uint8 [N, H, W, 4], the avatars at full size.
        small: uint8 [N, h, w, 4], what the base drew; the same array if the model has one stage.
        errors: at full size.
        memory: at the base's.
    """

    images: np.ndarray
    small: np.ndarray
    errors: PairedErrors
    memory: Memorisation


def measure(
    pipeline: AvatarPipeline,
    classifier: AvatarClassifier | None,
    truth: PackedSet,
    train: PackedSet,
    seeds: tuple[int, ...] = (0, 1, 2),
    say: Callable[[str], None] = lambda _: None,
    larger: Mapping[int, np.ndarray] | None = None,
) -> tuple[dict[str, Any], Drawn]:
    """Draw every combination of ``truth`` with every seed and measure all there is to measure.

    Full size is the largest that the model draws. Training images are looked at, and copies
    looked for, at the base's size alone: at full size they would fill gigabytes.

    Args:
        pipeline, classifier: of the same vocabulary as the data, see :func:`check`.
        truth: held-out images at the base's size; each combination is drawn and compared.
        train: what the model was trained on, at the base's size.
        say: told what is being done.
        larger: by size, the images of ``truth``, uint8 [N, H, W, 4]: at full size, if that is not
            the base's, and at any further one at which to give the PSNR.

    Returns:
        for JSON: ``size``, ``paired`` and ``colours`` at full size; ``base``, the same three of
        the base's pictures, and ``enlarged``, both only of a model with an upscaler;
        ``attributes``, ``distribution``, ``partial`` and ``memorisation``. What cannot be
        measured, with too few images or without a classifier, is ``{"refused": why}``.
    """
    sizes, crop, attributes = pipeline.sizes, pipeline.network.config.crop, truth.attributes

    def see(images: np.ndarray) -> Reading:
        return classifier(classifier.view(images, crop))

    read = (lambda images: see(images).values) if classifier else None
    say(f"drawing {len(truth)} combinations with {len(seeds)} seeds")
    starts = [SEED_DISTANCE * seed for seed in seeds]
    small = [generate_avatars(pipeline, attributes, s, size=sizes[0])[0] for s in starts]
    palette = measure_palette(train)
    images, whole, report = small[0], truth, {"size": sizes[-1]}
    by_base = [compare(_batches(i), truth, palette, None if larger else read) for i in small]
    by_seed = by_base
    if larger:
        say(f"drawing them again at {sizes[-1]} pixels")
        whole, palette = replace(truth, images=larger[sizes[-1]]), palette.at(sizes[-1])
        images, _ = generate_avatars(pipeline, attributes, starts[0])
        by_seed = [compare(_batches(images), whole, palette, read)]
        for start in starts[1:]:
            drawn = (batch for batch, _ in generate_batches(pipeline, attributes, start))
            by_seed.append(compare(drawn, whole, palette, read))
        report["base"] = {"size": sizes[0], **summarize_seeds(by_base, attributes)}
        report["enlarged"] = _enlarged(images, small[0], truth.images, larger)
    report |= summarize_seeds(by_seed, attributes)

    say("reading attributes")
    lots = np.random.default_rng(0).permutation(len(train))[:FLOOR_IMAGES]
    crowds = (truth.images, small[0], train.images[lots])
    shape = _or_refused(compare_distributions, *map(shape_and_colour, crowds))
    if classifier is None:
        accuracy = attr = partial = {"refused": "no classifier was given"}
    else:
        visible = classifier.visible(attributes)
        in_real = np.concatenate([read(batch) for batch in _batches(whole.images)])
        in_drawn = np.stack([seed.values for seed in by_seed])
        accuracy = attribute_accuracy(attributes, visible, in_drawn, in_real)
        accuracy["view"] = _view(classifier, sizes[-1], crop)
        attr = _or_refused(compare_distributions, *(see(crowd).features for crowd in crowds))
        say("leaving attributes open")
        partial = partial_conditions(pipeline, classifier, attributes[:PARTIAL_IMAGES])
        partial["ceiling"] = float((in_real == attributes)[visible].mean())

    say("looking for copies of training images")
    memory = memorisation(small[0], truth.images, train.images)
    report |= {
        "attributes": accuracy,
        "distribution": {"attr": attr, "shape": shape},
        "partial": partial,
        "memorisation": summarize_memorisation(memory),
    }
    return report, Drawn(images, small[0], by_seed[0].errors, memory)


def _enlarged(
    images: np.ndarray, small: np.ndarray, true_small: np.ndarray, larger: Mapping[int, np.ndarray]
) -> dict[str, dict[str, float]]:
    """By size, what the upscaler is worth there: PSNR of its pictures, and of enlarged ones."""
    return {
        str(size): {
            "drawn": resized_psnr(images, real),
            "base": resized_psnr(small, real),
            "true_small": resized_psnr(true_small, real),
        }
        for size, real in larger.items()
    }


def _view(classifier: AvatarClassifier, size: int, crop: int) -> dict[str, Any]:
    """What the classifier was shown: which part of pictures of which size, and whether enlarged."""
    shown = size * classifier.crop / crop
    return {
        "size": size,
        "crop": crop,
        "classifier_size": classifier.image_size,
        "classifier_crop": classifier.crop,
        "enlarged": shown < classifier.image_size,
    }


def _batches(images: np.ndarray) -> Iterable[np.ndarray]:
    return (images[start : start + BATCH] for start in range(0, len(images), BATCH))


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
    for stage, training in (
        ("model", pipeline.training),
        *([("upscaler", pipeline.upscaler.training)] if pipeline.upscaler else []),
    ):
        if training.get("held_out") != HELD_OUT:
            raise EvaluationError(
                f"the {stage} was trained with other images held out than today ({HELD_OUT}), so "
                "it may have seen what it would be tested on; train it again"
            )
    parties = [("model", pipeline.vocabulary)]
    if classifier:
        parties.append(("classifier", classifier.vocabulary))
    for what, vocabulary in parties:
        for name in NAMES:
            theirs, ours = vocabulary.labels[name], truth.vocabulary.labels[name]
            if theirs != ours:
                value = next(i for i, label in enumerate(theirs) if label != ours[i])
                raise EvaluationError(
                    f"the {what} was trained on other attributes: {name} {value} is "
                    f"{theirs[value]!r} for it and {ours[value]!r} in this data set"
                )
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
    if classifier and classifier.crop > config.crop:
        raise EvaluationError(
            f"the classifier reads a crop of {classifier.crop}, and the model draws only "
            f"{config.crop}; train another: python -m train.classifier --crop {config.crop}"
        )


def _or_refused(measurement: Callable[..., dict[str, Any]], *arrays: np.ndarray) -> dict[str, Any]:
    try:
        return measurement(*arrays)
    except ValueError as error:
        return {"refused": str(error)}
