"""What all commands have in common: flags from a function's arguments, and how they end."""

from __future__ import annotations

from collections.abc import Callable

import tyro

from avatar_model.errors import errors_as_exit
from train import presets
from train.loop.config import TrainConfig


def command(main: Callable[..., None], about: str | None) -> Callable[[], None]:
    """The command line of ``main``: its arguments are the flags, its ``Args:`` their help.

    Args:
        about: what ``--help`` says first.
    """

    def run() -> None:
        with errors_as_exit():
            tyro.cli(main, description=about)

    return run


def parse_run(arguments: list[str], about: str | None = None) -> TrainConfig:
    """The config of a command line: a preset, and flags that change some of its fields.

    Args:
        arguments: without the program's name.
        about: what ``--help`` says first.

    Raises:
        ValueError: an unknown preset, or values that do not fit together.
        SystemExit: an unknown flag or a value of the wrong type, after a message.
    """
    name, rest = "default", []
    left = iter(arguments)
    for argument in left:
        flag, equals, value = argument.partition("=")
        if flag == "--preset":
            name = value if equals else next(left, "")
        else:
            rest.append(argument)
    known = "\n".join(f"  {preset:28}{presets.summary(preset)}" for preset in presets.names())
    description = f"{about or ''}\n--preset NAME sets other defaults for what follows:\n\n{known}"
    return tyro.cli(TrainConfig, default=presets.load(name), args=rest, description=description)
