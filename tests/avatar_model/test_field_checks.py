"""Values against their types and ranges, for configs and for the flags of commands."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest

from avatar_model.field_checks import Range, check_fields, checked


@dataclass
class Config:
    count: Annotated[int, Range(1, 9)] = 1
    rate: Annotated[float | None, Range(0.5, 2, or_zero=True)] = None
    sizes: Annotated[tuple[int, ...], Range(1, 4)] = (1, 2)
    ends: tuple[float, float] = (0.0, 1)
    kind: Literal["a", "b"] = "a"
    name: str = "x"
    on: bool = True
    options: dict[str, float] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("count", 0, "count must be from 1 to 9, not 0"),
        ("count", 2.0, "count must be a whole number, not 2.0"),
        ("count", True, "count must be a whole number, not True"),
        ("count", "2", "count must be a whole number, not '2'"),
        ("count", None, "count must be a whole number, not None"),
        ("rate", 0.1, "rate must be from 0.5 to 2, or 0 for off, not 0.1"),
        ("rate", math.nan, "rate must be a finite number, not nan"),
        ("rate", -math.inf, "rate must be a finite number, not -inf"),
        ("sizes", (1, 5), "sizes must be from 1 to 4, not 5"),
        ("sizes", [1], r"sizes must be a list of values, each a whole number, not \[1\]"),
        ("sizes", (1, 2.5), "sizes must be a list of values, each a whole number"),
        ("ends", (1.0,), "ends must be a list of 2 values, each a finite number"),
        ("kind", "c", "kind must be one of a, b, not 'c'"),
        ("name", 3, "name must be a text, not 3"),
        ("on", 1, "on must be true or false, not 1"),
        ("options", {"x": "y"}, "options must be a mapping from names to values"),
        ("options", {"x": math.inf}, "options must be a mapping from names to values"),
    ],
)
def test_a_field_that_does_not_fit_is_named(name, value, message):
    with pytest.raises(ValueError, match=message):
        check_fields(Config(**{name: value}))


def test_what_fits_is_let_through():
    for values in ({}, {"rate": 0}, {"rate": 2}, {"sizes": ()}, {"options": {"x": 1}}):
        check_fields(Config(**values))


def test_arguments_are_checked_as_fields_are():
    @checked
    def command(count: Annotated[int, Range(1, 9)], plain: int = 0) -> int:
        return count + plain

    assert command(2, plain=-5) == -3
    for call in (lambda: command(10), lambda: command(count=10)):
        with pytest.raises(ValueError, match="count must be from 1 to 9, not 10"):
            call()
