"""What all commands have in common: flags from a function's arguments, and how they end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import tyro

from avatar_model.cpu_quota import follow_cpu_quota
from avatar_model.errors import errors_as_exit
from train import presets
from train.loop.config import TrainConfig
from train.loop.run_folder import CONFIG_FILE, RunError, read_config


def command(main: Callable[..., None], about: str | None) -> Callable[[], None]:
    """The command line of ``main``: its arguments are the flags, its ``Args:`` their help.

    Args:
        about: what ``--help`` says first.
    """
    return _ended_well(lambda: tyro.cli(main, description=about))


def run_command(
    main: Callable[[TrainConfig], None], about: str | None, resumes: bool = False
) -> Callable[[], None]:
    """The command line of a ``main`` that takes a training run; see ``parse_run``."""
    return _ended_well(lambda: main(parse_run(sys.argv[1:], about, resumes)))


def _ended_well(run: Callable[[], None]) -> Callable[[], None]:
    def cli() -> None:
        for name in ("stdout", "stderr"):  # closed, there is none to write to
            if getattr(sys, name) is None:
                setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 (to the end)
        with errors_as_exit():
            follow_cpu_quota()
            run()

    return cli


def parse_run(arguments: list[str], about: str | None = None, resumes: bool = False) -> TrainConfig:
    """The config of a command line: a preset, and flags that change some of its fields.

    Args:
        arguments: without the program's name.
        about: what ``--help`` says first.
        resumes: without ``--preset``, flags change what the run in the run folder was started
            with, if there is one.

    Raises:
        ValueError: an unknown preset, or values that do not fit together.
        RunError: the config of the run folder cannot be read.
        SystemExit: an unknown flag or a value of the wrong type, after a message.
    """
    preset, rest = _taken_out("--preset", arguments)
    known = "\n".join(f"  {name:28}{presets.summary(name)}" for name in presets.names())
    description = f"{about or ''}\n--preset NAME sets other defaults for what follows:\n\n{known}"
    default = presets.load("default" if preset is None else preset)
    if resumes and preset is None:
        run = Path(_taken_out("--run", arguments)[0] or default.run)
        if (before := read_config(run)) is not None:
            try:
                default = replace(TrainConfig.from_dict(before), run=run)
            except (TypeError, ValueError) as error:
                raise RunError(f"{run / CONFIG_FILE}: {error}") from None
    return tyro.cli(TrainConfig, default=default, args=rest, description=description)


def _taken_out(flag: str, arguments: list[str]) -> tuple[str | None, list[str]]:
    """The last value of a flag, and the arguments without it."""
    found, rest = None, []
    left = iter(arguments)
    for argument in left:
        name, equals, value = argument.partition("=")
        if name == flag:
            found = value if equals else next(left, "")
        else:
            rest.append(argument)
    return found, rest
