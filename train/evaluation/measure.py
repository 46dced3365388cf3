"""All measurements of one evaluation, as one dictionary for ``report.json``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from avatar_model import AvatarPipeline
from avatar_model.classifier import AvatarClassifier, Reading
from train.data.dataset import PackedSet
from train.evaluation.attribute_accuracy import attribute_accuracy
from train.evaluation.comparison import (
    Comparison,
    Read,
    compare,
    resized_psnr,
    summarize_seeds,
)
from train.evaluation.distribution import compare_distributions
from train.evaluation.embedding import shape_and_colour
from train.evaluation.generate import batches, generate_avatars, generate_batches
from train.evaluation.memorisation import Memorisation, memorisation
from train.evaluation.memorisation import summarize as summarize_memorisation
from train.evaluation.open_attributes import measure_open_attributes
from train.evaluation.paired import PairedErrors
from train.evaluation.palette import Palette, measure_palette

FLOOR_IMAGES = 2048
PARTIAL_IMAGES = 256
SEED_DISTANCE = 1_000_000
"""Between seeds, so that no avatar of one has the noise of another's."""


@dataclass(frozen=True)
class Generated:
    """What was measured, image by image, for the pictures of the report; all of the first seed.

    Attributes:
        images: uint8 [N, H, W, 4], the avatars at full size.
        small: uint8 [N, h, w, 4], those of the base; the same array if the model has one stage.
        errors: at full size.
        copies: at the base's.
    """

    images: np.ndarray
    small: np.ndarray
    errors: PairedErrors
    copies: Memorisation


def measure(
    pipeline: AvatarPipeline,
    classifier: AvatarClassifier | None,
    truth: PackedSet,
    train: PackedSet,
    seeds: tuple[int, ...] = (0, 1, 2),
    say: Callable[[str], None] = lambda _: None,
    larger: Mapping[int, np.ndarray] | None = None,
) -> tuple[dict[str, Any], Generated]:
    """Generate every combination of ``truth`` with every seed and measure all there is to measure.

    Full size is the largest that the model generates. Training images are looked at, and copies
    looked for, at the base's size alone: at full size they would fill gigabytes.

    Args:
        pipeline, classifier: of the same vocabulary as the data, see ``inputs.check``.
        truth: held-out images at the base's size; each combination is generated and compared.
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
    base_size, size, crop = pipeline.sizes[0], pipeline.sizes[-1], pipeline.network.config.crop
    palette = measure_palette(train)

    def see(images: np.ndarray) -> Reading:
        assert classifier is not None
        return classifier(classifier.view(images, crop))

    read = (lambda images: see(images).values) if classifier else None
    say(f"drawing {len(truth)} combinations with {len(seeds)} seeds")
    in_base = None if larger else read
    small, by_base = _compare_seeds(pipeline, base_size, seeds, truth, palette, in_base)
    images, by_seed, whole = small, by_base, truth
    report: dict[str, Any] = {"size": size}
    if larger:
        say(f"drawing them again at {size} pixels")
        whole, palette = replace(truth, images=larger[size]), palette.at(size)
        images, by_seed = _compare_seeds(pipeline, size, seeds, whole, palette, read)
        report["base"] = {"size": base_size, **summarize_seeds(by_base, truth.attributes)}
        pictures = {"drawn": images, "base": small, "true_small": truth.images}
        report["enlarged"] = {
            str(size): {name: resized_psnr(some, real) for name, some in pictures.items()}
            for size, real in larger.items()
        }
    report |= summarize_seeds(by_seed, truth.attributes)

    say("reading attributes")
    others = np.random.default_rng(0).permutation(len(train))[:FLOOR_IMAGES]
    crowds = (truth.images, small, train.images[others])
    shape = _or_refused(compare_distributions, *map(shape_and_colour, crowds))
    if classifier is None:
        refused: dict[str, Any] = {"refused": "no classifier was given"}
        attr, attributes, partial = refused, refused, refused
    else:
        attr = _or_refused(compare_distributions, *(see(crowd).features for crowd in crowds))
        in_real = np.concatenate([see(batch).values for batch in batches(whole.images)])
        visible = classifier.visible(truth.attributes)
        in_generated = np.stack([seed.values for seed in by_seed])
        attributes = attribute_accuracy(truth.attributes, visible, in_generated, in_real)
        attributes["view"] = _view(classifier, size, crop)
        say("leaving attributes open")
        partial = measure_open_attributes(pipeline, classifier, truth.attributes[:PARTIAL_IMAGES])
        partial["ceiling"] = float((in_real == truth.attributes)[visible].mean())

    say("looking for copies of training images")
    copies = memorisation(small, truth.images, train.images)
    report |= {
        "attributes": attributes,
        "distribution": {"attr": attr, "shape": shape},
        "partial": partial,
        "memorisation": summarize_memorisation(copies),
    }
    return report, Generated(images, small, by_seed[0].errors, copies)


def _compare_seeds(
    pipeline: AvatarPipeline,
    size: int,
    seeds: tuple[int, ...],
    truth: PackedSet,
    palette: Palette,
    read: Read | None,
) -> tuple[np.ndarray, list[Comparison]]:
    """The avatars of the first seed, and what was found in those of each seed."""
    first, *others = (SEED_DISTANCE * seed for seed in seeds)
    images, _ = generate_avatars(pipeline, truth.attributes, first, size=size)
    found = [compare(batches(images), truth, palette, read)]
    for start in others:
        generated = generate_batches(pipeline, truth.attributes, start, size=size)
        found.append(compare((batch for batch, _ in generated), truth, palette, read))
    return images, found


def _view(classifier: AvatarClassifier, size: int, crop: int) -> dict[str, Any]:
    """What the classifier was shown: which part of pictures of which size, and whether enlarged."""
    return {
        "size": size,
        "crop": crop,
        "classifier_size": classifier.image_size,
        "classifier_crop": classifier.crop,
        "enlarged": size * classifier.crop / crop < classifier.image_size,
    }


def _or_refused(measurement: Callable[..., dict[str, Any]], *arrays: np.ndarray) -> dict[str, Any]:
    try:
        return measurement(*arrays)
    except ValueError as error:
        return {"refused": str(error)}
