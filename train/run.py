"""Train the avatar model, e.g. ``python train/run.py --data ~/cartoonset10k.tgz --run runs/mine``.

Run it again with the same --run folder, and it resumes with the same settings. Several processes or
machines: ``accelerate launch train/run.py ...``.
"""

from __future__ import annotations

import logging
import sys
from contextlib import nullcontext
from pathlib import Path

from accelerate import Accelerator

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script from anywhere

from train.command import run_command
from train.data.dataset import open_dataset
from train.loop.accelerator import make_accelerator
from train.loop.config import TrainConfig
from train.loop.low_res import fit_to_base, follow_base, load_base, open_low_res
from train.loop.run_folder import RunFolder
from train.loop.trainer import Trainer


def main(config: TrainConfig) -> None:
    """Open the data and train."""
    logging.basicConfig(format="%(message)s")
    accelerator = make_accelerator(config)
    with RunFolder(config.run).locked() if accelerator.is_main_process else nullcontext():
        _train(config, accelerator)


def _train(config: TrainConfig, accelerator: Accelerator) -> None:
    low_res = None
    if config.base is not None:
        base = load_base(config.base, accelerator.device)
        config = follow_base(config, base)
    with accelerator.main_process_first():  # one packs the data, the others find it packed
        data = open_dataset(config.data, config.model.image_size, crop=config.model.crop)
        if config.base is not None:
            data = fit_to_base(base, data)
            low_res = open_low_res(base, config.data, data)
    trainer = Trainer(config, data, accelerator, low_res)
    millions = trainer.state.network.num_parameters() / 1e6
    accelerator.print(
        f"{millions:.1f} M parameters on {trainer.device.type} x "
        f"{accelerator.num_processes}; {len(trainer.train_rows)} training images of "
        f"{len(data)}, the others held out; at step {trainer.state.step} of {config.steps}"
    )
    if trainer.state.step >= config.steps:
        accelerator.print(
            f"nothing is left to do: {config.run} is at step {trainer.state.step} and --steps is "
            f"{config.steps}; more --steps train on"
        )
    checkpoint = trainer.train()
    accelerator.print(f"stopped at step {trainer.state.step}; checkpoint: {checkpoint}")


cli = run_command(main, __doc__, resumes=True)

if __name__ == "__main__":
    cli()
