"""A recipe: all that decides an avatar, checked; links, addresses and files carry it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from avatar_model import ANY, AvatarPipeline
from avatar_model.arguments import MAX_SEED, number, one_of, whole
from avatar_model.attributes import NAMES
from avatar_model.guidance import GUIDANCE_METHODS
from avatar_model.samplers import SAMPLERS
from ui.from_name import looks_and_seed
from ui.short_link import decode

MAX_IMAGES = 16
MAX_STEPS = 50
MAX_GUIDANCE_SCALE = 10
"""Lower than the pipeline's own limits, because all visitors share one sampler."""

SETTINGS = (
    "guidance_scale",
    "guidance_method",
    "num_inference_steps",
    "sampler",
    "seed",
    "num_images",
)
SHORTHANDS = ("a", "name", "name_version")
"""What stands for many values: a short link, and somebody's name. What stands beside them wins."""
SEEDED_BY = ("seed", "a", "name")
"""What says which seed is meant; without any of them it may be a random one."""


@dataclass(frozen=True)
class Recipe:
    """What to generate and how; equal recipes give equal pictures.

    Attributes:
        looks: the 18 values in the order of ``NAMES``, ``ANY`` where left open.
        seed: of the first image, 0..4294967295; image i is generated with seed + i.
    """

    looks: tuple[int, ...]
    seed: int
    guidance_scale: float
    guidance_method: str
    num_inference_steps: int
    sampler: str
    num_images: int = 1

    @classmethod
    def parse(cls, pipeline: AvatarPipeline, values: Mapping[str, Any]) -> Recipe:
        """Check every value of a program or a visitor.

        Args:
            values: attribute names and settings; what is left out or None is as one of
                ``SHORTHANDS`` says, or "Any", or the model's default, or seed 0, or one image. A
                scale without a method is from when there was only the method "classic", and means
                what it meant.

        Raises:
            ValueError: with one sentence that names the culprit.
        """
        for name, value in values.items():
            if name not in (*NAMES, *SETTINGS, *SHORTHANDS):
                raise ValueError(f"there is no parameter {name!r:.80}")
            if isinstance(value, int) and abs(value) > MAX_SEED:  # may be too large for a float
                raise ValueError(f"{name} is out of range")
        values = _spelled_out(pipeline, values) | _given(values)
        looks = pipeline.vocabulary.parse({n: v for n, v in values.items() if n in NAMES})
        defaults = {**pipeline.defaults, "seed": 0, "num_images": 1}
        given = {name: _number(values.get(name)) for name in SETTINGS}
        if given["guidance_method"] is None and given["guidance_scale"] not in (None, 1):
            given["guidance_method"] = "classic"
        given = {n: defaults[n] if value is None else value for n, value in given.items()}
        one_of("sampler", given["sampler"], tuple(SAMPLERS))
        one_of("guidance_method", given["guidance_method"], GUIDANCE_METHODS)
        steps, images = "num_inference_steps", "num_images"
        return cls(
            tuple(looks[name] for name in NAMES),
            whole("seed", given["seed"], 0, MAX_SEED),
            number("guidance_scale", given["guidance_scale"], 0, MAX_GUIDANCE_SCALE),
            given["guidance_method"],
            whole(steps, given[steps], 1, max_steps(pipeline)),
            given["sampler"],
            whole(images, given[images], 1, MAX_IMAGES),
        )

    @classmethod
    def parse_leniently(
        cls,
        pipeline: AvatarPipeline,
        values: Mapping[str, Any],
        instead: Mapping[str, Any] | None = None,
    ) -> tuple[Recipe, list[str]]:
        """A recipe from a link or a picture that may be old or forged.

        Args:
            instead: for what is wrong, if not the defaults; passed over where it is wrong as well.

        Returns:
            the recipe, without what is wrong; and a sentence for each wrong value of a known name.
            Other names belong to somebody else and are passed over.
        """
        good: dict[str, Any] = {}
        notes: list[str] = []
        spelled: dict[str, Any] = {}
        for names in (("a",), ("name", "name_version")):
            try:
                spelled |= _spelled_out(pipeline, {n: values[n] for n in names if n in values})
            except ValueError as error:
                notes.append(str(error))
        values = spelled | _given(values)

        def take(name: str, value: Any) -> None:
            cls.parse(pipeline, {name: value})
            good[name] = value

        for name in (*NAMES, *SETTINGS):
            if name in values:
                try:
                    take(name, values[name])
                except ValueError as error:
                    notes.append(str(error))
                    with suppress(ValueError, KeyError):
                        take(name, (instead or {})[name])
        return cls.parse(pipeline, good), notes

    @property
    def named_looks(self) -> dict[str, int]:
        """Attribute name to value, ``ANY`` where left open."""
        return dict(zip(NAMES, self.looks, strict=True))

    @property
    def settings(self) -> dict[str, Any]:
        """The pipeline's arguments that are the same for all images of one batch."""
        names = ("guidance_scale", "guidance_method", "num_inference_steps", "sampler")
        return {name: getattr(self, name) for name in names}

    def values(self) -> dict[str, Any]:
        """Names to values, without the looks left on "Any": ``parse`` gives the recipe back."""
        looks = {name: value for name, value in self.named_looks.items() if value != ANY}
        settings = {name: getattr(self, name) for name in SETTINGS}
        if self.num_images == 1:
            del settings["num_images"]
        return looks | settings

    def single(self, index: int, looks: Mapping[str, int] | None = None) -> Recipe:
        """The recipe of image ``index`` alone, with what "Any" became in it if that is given."""
        return replace(
            self,
            looks=self.looks if looks is None else tuple(looks[name] for name in NAMES),
            seed=(self.seed + index) % (MAX_SEED + 1),
            num_images=1,
        )

    def singles(self) -> list[Recipe]:
        """The recipes of all images."""
        return [self.single(index) for index in range(self.num_images)]

    def with_value(self, name: str, value: Any) -> Recipe:
        """The same with another look or setting; ``value`` is trusted."""
        if name not in NAMES:
            return replace(self, **{name: value})
        return replace(self, looks=tuple({**self.named_looks, name: value}.values()))


def max_steps(pipeline: AvatarPipeline) -> int:
    """The page's limit, unless the model by default takes more."""
    return max(MAX_STEPS, pipeline.defaults["num_inference_steps"])


def limits(pipeline: AvatarPipeline) -> dict[str, tuple[float, float]]:
    """The lowest and the highest value of the settings that are numbers."""
    return {
        "guidance_scale": (0, MAX_GUIDANCE_SCALE),
        "num_inference_steps": (1, max_steps(pipeline)),
        "num_images": (1, MAX_IMAGES),
        "seed": (0, MAX_SEED),
    }


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of single looks and settings."""
    return {n: v for n, v in values.items() if n not in SHORTHANDS and v is not None}


def _spelled_out(pipeline: AvatarPipeline, values: Mapping[str, Any]) -> dict[str, Any]:
    """What ``SHORTHANDS`` stand for.

    Raises:
        ValueError: one sentence that names the one that is wrong.
    """
    code, name, version = (values.get(shorthand) for shorthand in SHORTHANDS)
    spelled = {} if code is None else decode(code)
    if name is not None:
        version = 1 if version is None else _number(version)
        spelled |= looks_and_seed(name, pipeline.vocabulary, version)
    elif version is not None:
        raise ValueError("name_version needs a name")
    return spelled


def _number(value: Any) -> Any:
    """Numbers arrive from an address as text."""
    if isinstance(value, str) and len(value) <= 30:
        with suppress(ValueError):
            return float(value)
    return value
