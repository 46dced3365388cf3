"""A recipe: all that decides a drawing, as a link, a picture's address and a PNG carry it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from avatar_model import ANY, AvatarPipeline
from avatar_model.arguments import MAX_SEED, choice, number, whole
from avatar_model.attributes import NAMES
from avatar_model.samplers import SAMPLERS

MAX_IMAGES = 16
MAX_STEPS = 50
MAX_GUIDANCE_SCALE = 10
"""Lower than the pipeline's own limits, because all visitors share one sampler."""

SETTINGS = ("guidance_scale", "num_inference_steps", "sampler", "seed", "num_images")


@dataclass(frozen=True)
class Recipe:
    """What to draw and how; equal recipes give equal pictures.

    Attributes:
        looks: the 18 values in the order of ``NAMES``, ``ANY`` where left open.
        seed: of the first image, 0..4294967295; image i is drawn with seed + i.
    """

    looks: tuple[int, ...]
    seed: int
    guidance_scale: float
    num_inference_steps: int
    sampler: str
    num_images: int = 1

    @classmethod
    def parse(cls, pipeline: AvatarPipeline, values: Mapping[str, Any]) -> Recipe:
        """Check every value of a program or a visitor.

        Args:
            values: attribute names and settings; what is left out or None is "Any", or the
                model's default, or seed 0, or one image.

        Raises:
            ValueError: with one sentence that names the culprit.
        """
        unknown = [name for name in values if name not in NAMES and name not in SETTINGS]
        if unknown:
            raise ValueError(f"there is no parameter {unknown[0]!r:.80}")
        for name, value in values.items():
            if isinstance(value, int) and abs(value) > MAX_SEED:  # may be too large for a float
                raise ValueError(f"{name} is out of range")
        looks = pipeline.vocabulary.parse({n: v for n, v in values.items() if n in NAMES})
        given = {name: _number(values.get(name)) for name in SETTINGS}
        defaults = {**pipeline.defaults, "seed": 0, "num_images": 1}
        sampler = defaults["sampler"] if given["sampler"] is None else given["sampler"]
        choice("sampler", sampler, tuple(SAMPLERS))
        steps, images = "num_inference_steps", "num_images"
        return cls(
            tuple(looks[name] for name in NAMES),
            whole("seed", given["seed"], 0, MAX_SEED, defaults),
            number("guidance_scale", given["guidance_scale"], 0, MAX_GUIDANCE_SCALE, defaults),
            whole(steps, given[steps], 1, max_steps(pipeline), defaults),
            sampler,
            whole(images, given[images], 1, MAX_IMAGES, defaults),
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
        notes = []
        for name in (*NAMES, *SETTINGS):
            if error := cls._take(pipeline, good, values, name):
                notes.append(error)
                cls._take(pipeline, good, instead or {}, name)
        return cls.parse(pipeline, good), notes

    @classmethod
    def _take(
        cls,
        pipeline: AvatarPipeline,
        good: dict[str, Any],
        values: Mapping[str, Any],
        name: str,
    ) -> str:
        """Put a value among the good ones if it is there and is one; or say what is wrong."""
        if name in values:
            try:
                cls.parse(pipeline, {name: values[name]})
                good[name] = values[name]
            except ValueError as error:
                return str(error)
        return ""

    @classmethod
    def from_query(cls, pipeline: AvatarPipeline, query: str) -> Recipe:
        """The recipe of an address that this page has made; what is wrong is at its default."""
        return cls.parse_leniently(pipeline, dict(parse_qsl(query)))[0]

    @property
    def named_looks(self) -> dict[str, int]:
        """Attribute name to value, ``ANY`` where left open."""
        return dict(zip(NAMES, self.looks, strict=True))

    def values(self) -> dict[str, Any]:
        """Names to values, without the looks left on "Any": ``parse`` gives the recipe back."""
        looks = {name: value for name, value in self.named_looks.items() if value != ANY}
        settings = {name: getattr(self, name) for name in SETTINGS}
        if self.num_images == 1:
            del settings["num_images"]
        return looks | settings

    def query(self) -> str:
        """``values`` as the query of an address, to the last digit."""
        values = self.values()
        if self.guidance_scale.is_integer():
            values["guidance_scale"] = int(self.guidance_scale)  # 1 and not 1.0
        return urlencode(values)

    def single(self, index: int, looks: Mapping[str, int] | None = None) -> Recipe:
        """The recipe of image ``index`` alone, with what "Any" became in it if that is given."""
        return replace(
            self,
            looks=self.looks if looks is None else tuple(looks[name] for name in NAMES),
            seed=(self.seed + index) % (MAX_SEED + 1),
            num_images=1,
        )

    def with_value(self, name: str, value: Any) -> Recipe:
        """The same with another look or setting; ``value`` is trusted."""
        if name not in NAMES:
            return replace(self, **{name: value})
        column = NAMES.index(name)
        return replace(self, looks=(*self.looks[:column], value, *self.looks[column + 1 :]))


def max_steps(pipeline: AvatarPipeline) -> int:
    """The page's limit, unless the model by default takes more."""
    return max(MAX_STEPS, pipeline.defaults["num_inference_steps"])


def _number(value: Any) -> Any:
    """Numbers arrive from an address as text."""
    if isinstance(value, str) and len(value) <= 30:
        try:
            return float(value)
        except ValueError:
            pass
    return value
