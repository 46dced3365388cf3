"""Train the avatar model, e.g. ``python train/run.py --data ~/cartoonset10k.tgz --run runs/mine``.

Run it again with the same --run folder and it resumes. Several processes or machines:
``accelerate launch train/run.py ...``.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import tyro

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script from anywhere

from avatar_model import CheckpointError
from train import presets
from train.cartoon_set import DatasetError
from train.config import TrainConfig
from train.guard import DivergedError
from train.hub_errors import HubError
from train.low_res import follow_base, load_base, open_low_res
from train.packed import open_dataset
from train.run_folder import RunError
from train.trainer import Trainer, make_accelerator


def parse(arguments: list[str], about: str | None = __doc__) -> TrainConfig:
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
    description = f"{about}\n--preset NAME sets other defaults for what follows:\n\n{known}"
    return tyro.cli(TrainConfig, default=presets.load(name), args=rest, description=description)


def main() -> None:
    """Parse the command line, open the data, train."""
    logging.basicConfig(format="%(message)s")
    try:
        config = parse(sys.argv[1:])
        accelerator = make_accelerator(config)
        low_res = None
        if config.base is not None:
            base = load_base(config.base, accelerator.device)
            config = follow_base(config, base)
        with accelerator.main_process_first():  # one packs the data, the others find it packed
            data = open_dataset(config.data, config.model.image_size, crop=config.model.crop)
            if config.base is not None:
                low_res = open_low_res(base, config.data, data)
        trainer = Trainer(config, data, accelerator, low_res)
        accelerator.print(
            f"{trainer.network.num_parameters() / 1e6:.1f} M parameters on {trainer.device.type} x "
            f"{accelerator.num_processes}; {len(trainer.train_rows)} training images of "
            f"{len(data)}, the others held out; at step {trainer.step} of {config.steps}"
        )
        checkpoint = trainer.train()
        accelerator.print(f"stopped at step {trainer.step}; checkpoint: {checkpoint}")
    except (
        CheckpointError,
        DatasetError,
        DivergedError,
        HubError,
        RunError,
        ValueError,
    ) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
