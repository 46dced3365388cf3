"""The checkpoints of a run: what stands in them, and how a run goes on from one."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from PIL import Image

from avatar_model import AvatarPipeline, CheckpointError
from avatar_model.atomic import moved_into_place, write_atomically
from avatar_model.checkpoint import fingerprint
from avatar_model.images import on_white
from avatar_model.stage import Stage
from avatar_model.training_run import METRICS_FILE, SCORE
from train.data.dataset import PackedSet
from train.data.splits import HELD_OUT
from train.evaluation.generate import batches, generate_batches
from train.evaluation.psnr import psnr
from train.figures.learning_gif import save_samples
from train.figures.pairs import save_pairs
from train.figures.picture import FigureError
from train.hub.model_card import SAMPLES_FILE, write_model_card
from train.loop.config import TrainConfig
from train.loop.progress import Progress
from train.loop.run_folder import RunError, RunFolder
from train.loop.state import TrainingState

PSNR_IMAGES = 128
GRID_IMAGES = 16
REHEARSED_STEPS = 2
LEAST_BYTES = 14
"""Per parameter: weights, average and momentum in float32, the average in half precision."""
STATE_FILE = "state.pt"
DAMAGED = (
    *(OSError, RuntimeError, ValueError, KeyError, EOFError),
    *(zipfile.BadZipFile, UnpicklingError),
)
"""What ``torch.load`` raises; it depends on where the damage is."""


class Checkpoints:
    """Saves a run, and resumes it.

    Args:
        data: the data set; a checkpoint is scored on the first combinations of its validation
            split, or of its train split if it is too small to hold any out.
        base: of an upscaler, the model whose pictures it makes larger.
    """

    def __init__(
        self,
        config: TrainConfig,
        folder: RunFolder,
        data: PackedSet,
        base: AvatarPipeline | None = None,
    ) -> None:
        self.config, self.folder, self.base = config, folder, base
        self.vocabulary = data.vocabulary
        self.train_images = len(data.split("train"))
        unseen = data.split("validation")[:PSNR_IMAGES]
        self.shown_are = "unseen" if len(unseen) else "training"
        self.shown = data.take(unseen if len(unseen) else data.split("train")[:PSNR_IMAGES])

    def rehearse(self, state: TrainingState) -> None:
        """Make the model of this moment and one picture with it, and keep nothing.

        Raises:
            RunError: there is no room for a checkpoint.
            ValueError: settings with which the finished model could not generate.
        """
        self.folder.check_space(LEAST_BYTES * state.network.num_parameters())
        pipeline = self.pipeline(state)
        [settings, *_] = pipeline.settings()
        pipeline(seed=0, num_inference_steps=min(settings.steps, REHEARSED_STEPS))

    def save(self, state: TrainingState) -> Path:
        """Write down the averaged weights, and all that resuming needs.

        Raises:
            RunError: the checkpoint cannot be written.
        """
        pipeline = self.pipeline(state)

        def write(folder: Path) -> None:
            pipeline.save_pretrained(folder)
            write_model_card(folder, pipeline, repo_id=self.config.push_to_hub)
            torch.save({**state.state_dict(), "base": self._fingerprint()}, folder / STATE_FILE)

        return self.folder.write_checkpoint(state.step, write)

    def show(self, folder: Path, state: TrainingState, progress: Progress) -> None:
        """Score a checkpoint that was just saved, with pictures; add both to its folder.

        Raises:
            OSError: they cannot be written.
        """
        pipeline, real = self.pipeline(state), self.shown.images
        generated = self._generate(pipeline, progress)
        score = float(psnr(on_white(generated), on_white(real)).mean())
        progress.say(
            state.step,
            f"step {state.step}: PSNR {score:.2f} dB "
            f"({len(self.shown)} {self.shown_are} combinations)",
        )
        progress.validation(state.step, score)
        metrics, grid = {SCORE: score}, (real[:GRID_IMAGES], generated[:GRID_IMAGES])
        write_atomically(folder / METRICS_FILE, json.dumps(metrics))
        with moved_into_place(folder / SAMPLES_FILE) as path:
            save_pairs(path, *grid)
        write_model_card(folder, pipeline, metrics, self.config.push_to_hub)
        progress.picture(state.step, np.asarray(Image.open(folder / SAMPLES_FILE, formats=["PNG"])))
        try:
            save_samples(self.config.run, state.step, grid[1], grid[0], score)
        except FigureError as error:
            message = f"{error}; the learning GIF will lack step {state.step}"
            progress.say(state.step, message)

    def _generate(self, pipeline: AvatarPipeline, progress: Progress) -> np.ndarray:
        """What the model makes of the combinations that are shown."""
        attributes, images = self.shown.attributes, []
        total = len(list(batches(attributes))) * pipeline.settings()[0].steps
        with progress.drawing(total) as bar:
            # Of an upscaler the steps are few, and to follow them takes more memory.
            follow = None if pipeline.upscaler else lambda *_: bar.update()
            for batch, _ in generate_batches(pipeline, attributes, callback=follow):
                images.append(batch)
        return np.concatenate(images)

    def resume(self, state: TrainingState, device: torch.device) -> list[tuple[Path, Exception]]:
        """Continue from the newest intact checkpoint, if there is one.

        Returns:
            the damaged ones after it, and what is wrong with each.

        Raises:
            CheckpointError: there are checkpoints, and none is intact.
            RunError: the base has other weights than when the run began.
        """
        damaged: list[tuple[Path, Exception]] = []
        for folder in reversed(self.folder.checkpoints()):
            try:
                saved = torch.load(folder / STATE_FILE, map_location=device, weights_only=True)
                if self.base and saved["base"] != self._fingerprint():
                    raise RunError(
                        f"the base {self.config.base} has other weights than when "
                        f"{self.config.run} began; start another --run with --init-from the last "
                        "checkpoint"
                    )
                state.load_state_dict(saved)
            except DAMAGED as e:
                damaged.append((folder, e))
                continue
            return damaged
        if damaged:
            folder, error = damaged[0]
            raise CheckpointError(
                f"no checkpoint in {self.folder.checkpoints_path} can be resumed; the newest, "
                f"{folder.name}: {error}"
            )
        return damaged

    def pipeline(self, state: TrainingState) -> AvatarPipeline:
        """The network as users get it."""
        config = self.config
        training = {
            "data": Path(config.data).name,
            "train_images": self.train_images,
            **({} if config.init_from is None else {"init_from": config.init_from}),
            **({} if config.base is None else {"base": config.base}),
            "held_out": HELD_OUT,
            "steps": state.step,
            "images_seen": state.step * config.batch_size,
            "seconds": round(state.seconds),
            "batch_size": config.batch_size,
            "optimizer": config.optimizer,
            "learning_rate": config.learning_rate,
            "lr_schedule": config.lr_schedule,
        }
        defaults = {
            "sampler": config.sampler,
            "num_inference_steps": config.num_inference_steps,
            "guidance_scale": config.guidance_scale,
            "guidance_method": config.guidance_method,
        }
        if self.base is None:
            return AvatarPipeline(state.final_network, self.vocabulary, defaults, training)
        base = self.base.base
        return AvatarPipeline(
            base.network,
            self.base.vocabulary,
            base.defaults,
            base.training,
            upscaler=Stage(state.final_network, defaults, training),
        )

    def _fingerprint(self) -> str | None:
        return None if self.base is None else fingerprint(self.base.network)
