"""Checks values against their types, and numbers against their range.

A range is declared once, beside the field or the argument that it is for:
``steps: Annotated[int, Range(1, 10**9)] = 10_000``.
"""

from __future__ import annotations

import functools
import inspect
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    Literal,
    ParamSpec,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True)
class Range:
    """The numbers that a field may have, from ``low`` to ``high``.

    Attributes:
        or_zero: 0 as well, which switches off what the number is for.
    """

    low: float
    high: float
    or_zero: bool = False

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high or (self.or_zero and value == 0)

    def __str__(self) -> str:
        return f"from {self.low:.10g} to {self.high:.10g}" + (", or 0 for off" * self.or_zero)


def check_fields(config: Any) -> None:
    """ValueError with the name of the first field whose value its type or ``Range`` rules out.

    Args:
        config: a dataclass; fields that are dataclasses themselves have been checked already.
    """
    for name, hint in get_type_hints(type(config), include_extras=True).items():
        _check(name, getattr(config, name), hint)


def from_json(kind: type[T], data: Mapping[str, Any]) -> T:
    """A dataclass of ``kind`` with these fields, of which lists become tuples.

    Raises:
        ValueError: a field that it does not have, or whatever it finds wrong itself.
    """
    if unknown := sorted(set(data) - set(get_type_hints(kind))):
        raise ValueError(f"unknown model config fields: {', '.join(map(repr, unknown)):.80}")
    values = {n: tuple(value) if isinstance(value, list) else value for n, value in data.items()}
    return kind(**values)


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, with a ValueError that names the first argument which is out of its ``Range``.

    Of a command, the arguments are its flags.
    """
    hints = get_type_hints(function, include_extras=True)
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            if get_origin(hints.get(name)) is Annotated:
                _check(name, value, hints[name])
        return function(*args, **kwargs)

    return call


def _check(name: str, value: Any, hint: Any) -> None:
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        _check(name, value, hint)
        for allowed in (extra for extra in extras if isinstance(extra, Range)):
            for number in value if isinstance(value, tuple) else (value,):
                if number is not None and number not in allowed:
                    raise ValueError(f"{name} must be {allowed}, not {number!r:.80}")
    elif get_origin(hint) in (Union, types.UnionType):
        if value is not None:
            _check(name, value, next(kind for kind in get_args(hint) if kind is not type(None)))
    elif not _fits(value, hint):
        raise ValueError(f"{name} must be {_words(hint)}, not {value!r:.80}")


def _fits(value: Any, hint: Any) -> bool:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in args)
    if origin is tuple:
        kinds = [args[0]] * len(value) if isinstance(value, tuple) and args[-1] is ... else args
        same_length = isinstance(value, tuple) and len(value) == len(kinds)
        return same_length and all(map(_fits, value, kinds))
    if origin is dict:
        return isinstance(value, dict) and all(
            _fits(k, args[0]) and _fits(v, args[1]) for k, v in value.items()
        )
    if hint in (int, float):
        number = isinstance(value, (int, float) if hint is float else int)
        # True is an int to Python, and may be larger than any float; what is not finite fits no
        # range.
        finite = isinstance(value, int) or (number and math.isfinite(value))
        return number and finite and not isinstance(value, bool)
    return isinstance(value, hint)


def _words(hint: Any) -> str:
    """What a type is to people: ``one of adam, muon``, ``a whole number``."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(map(str, args))}"
    if origin is tuple:
        count = "" if args[-1] is ... else f"{len(args)} "
        return f"a list of {count}values, each {_words(args[0])}"
    if origin is dict:
        return f"a mapping from names to values, each {_words(args[1])}"
    words = {int: "a whole number", float: "a finite number", bool: "true or false", str: "a text"}
    return words.get(hint, f"a {getattr(hint, '__name__', hint)}")
