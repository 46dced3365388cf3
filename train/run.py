"""Train the avatar model: ``python train/run.py --data ~/cartoonset10k.tgz --run runs/mine``.

Run it again with the same --run folder and it resumes. ``--help`` lists every option.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tyro

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script from anywhere

from avatar_model import CheckpointError
from train.cartoon_set import DatasetError
from train.config import TrainConfig
from train.packed import open_dataset
from train.run_folder import RunError
from train.trainer import Trainer


def main() -> None:
    """Parse the command line, open the data, train."""
    try:
        config = tyro.cli(TrainConfig, description=__doc__)
        data = open_dataset(config.data, config.model.image_size)
        trainer = Trainer(config, data)
        print(
            f"{trainer.network.num_parameters() / 1e6:.1f} M parameters on {trainer.device}; "
            f"{len(trainer.train_rows)} training images of {len(data)}, the others held out; "
            f"at step {trainer.step} of {config.steps}"
        )
        checkpoint = trainer.train()
        print(f"stopped at step {trainer.step}; checkpoint: {checkpoint}")
    except (CheckpointError, DatasetError, RunError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
