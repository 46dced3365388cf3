"""The training loop: one or many processes, resumable to the bit.

Everything random in a step comes from one generator seeded by (run seed, step), and the images of a
step are a function of (run seed, step). A resumed run therefore continues exactly where it was, and
processes agree on a batch without talking: each makes all of it and takes its own part.
"""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from tqdm import tqdm

from avatar_model.denoiser import Denoiser
from avatar_model.images import to_model
from avatar_model.network import AvatarNetwork
from avatar_model.schedule_check import schedule_warnings
from train.data.batches import noise_seed
from train.data.dataset import PackedSet
from train.hub.uploader import HubUploader
from train.loop.accelerator import make_accelerator
from train.loop.checkpoints import Checkpoints
from train.loop.config import TrainConfig
from train.loop.initial_network import initial_network
from train.loop.low_res import LowRes
from train.loop.objective import Randomness, diffusion_loss, low_res_input, make_randomness
from train.loop.pixel_weights import attribute_weights
from train.loop.progress import Progress
from train.loop.run_folder import RunError, RunFolder
from train.loop.state import TrainingState
from train.loop.stop_signals import Interrupted, StopSignals
from train.loop.training_data import Pictures, TrainingData


class Trainer:
    """One run: builds what the config says, resumes what the run folder holds, trains, saves.

    Args:
        config: the run.
        data: the data set; its validation split is never trained on.
        accelerator: the process group; started with ``accelerate launch`` there are several.
        low_res: the small pictures of ``data``, if the config is that of an upscaler.

    Attributes:
        state: all that changes while it trains.
        model: what runs forward: the network of ``state``, compiled and wrapped as asked for.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: PackedSet,
        accelerator: Accelerator | None = None,
        low_res: LowRes | None = None,
    ) -> None:
        self.config = config
        self.accelerator = accelerator or make_accelerator(config)
        self.device = self.accelerator.device
        if self.device.type == "cuda" and self.device.index is None:
            self.device = torch.device("cuda", torch.cuda.current_device())
        self.is_main = self.accelerator.is_main_process
        self.own = self._own_share()
        if data.crop != config.model.crop:
            raise ValueError(f"crop {config.model.crop} is not that of the data, {data.crop}")
        self.folder = RunFolder(config.run)
        if self.is_main:
            with self.folder.locked():
                changes = self.folder.open({**config.to_dict(), "data_id": data.identity()})
            for sentence in [*changes, *config.unused()]:
                print(sentence)
        self.accelerator.wait_for_everyone()
        self.train_rows = data.split("train")
        self.training_data = TrainingData(
            config, data, self.train_rows, self.own, self.device, low_res
        )
        self.pixel_weights = None
        if config.attribute_balance:
            weights = attribute_weights(data, self.train_rows, config.attribute_balance)
            self.pixel_weights = weights.to(self.device)
        self.checkpoints = Checkpoints(config, self.folder, data, low_res.base if low_res else None)
        self.progress = Progress(
            self.folder, config.steps, config.batch_size, silent=not self.is_main
        )
        self.uploader = None
        if config.push_to_hub and self.is_main:
            self.uploader = HubUploader(config.push_to_hub, report=tqdm.write)
        self.state, self.model = self._begin()
        self.denoiser = Denoiser.from_config(self.model, config.model)
        self.grad_norm = 0.0
        self._signals, self._deadline = StopSignals(), math.inf
        if self.is_main:
            for warning in schedule_warnings(self.denoiser.schedule, config.model.image_size):
                print(f"warning: {warning}")

    def _own_share(self) -> slice:
        """Which part of a batch is this process's."""
        config, group = self.config, self.accelerator
        parts = group.num_processes * config.gradient_accumulation
        if config.batch_size < parts:
            raise ValueError(
                f"batch_size {config.batch_size} cannot be split over {parts} parts "
                "(processes x gradient_accumulation)"
            )
        # Shares may differ by an image, which changes nothing: losses are divided by the size of
        # the whole batch.
        own = np.array_split(np.arange(config.batch_size), group.num_processes)[group.process_index]
        return slice(own[0], own[-1] + 1)

    def _begin(self) -> tuple[TrainingState, nn.Module]:
        """The run as at step 0 or, if it has checkpoints, as in the newest intact one."""
        config = self.config
        self.accelerator.free_memory()
        torch.manual_seed(config.seed)
        state = TrainingState(config, self._first_network().to(self.device))
        # What runs forward may be compiled and wrapped; the plain network is what is saved.
        model = self.accelerator.prepare(
            torch.compile(state.network) if config.compile else state.network
        )
        damaged = self.checkpoints.resume(state, self.device)
        self.accelerator.wait_for_everyone()
        if self.is_main:
            for folder, error in damaged:
                aside = self.folder.set_aside(folder)
                print(f"{folder} is damaged ({error}); set aside as {aside.name}")
        return state, model

    def _first_network(self) -> AvatarNetwork:
        """With random weights, or those of ``init_from``, unless the run has its own already."""
        config = self.config
        if config.init_from is None or self.folder.checkpoints():
            return AvatarNetwork(config.model)
        return initial_network(config.init_from, config.model)

    def train(self) -> Path:
        """Run to ``config.steps``, the time limit or a signal. Returns the newest checkpoint.

        Raises:
            ValueError: settings with which the finished model could not generate.
            RunError: no room for a checkpoint, the last one cannot be written, or another process
                trains here.
            DivergedError: too many gradients are not finite, or the loss jumped too often.
        """
        config, started = self.config, time.monotonic()
        if config.max_minutes is not None:
            self._deadline = started + 60 * config.max_minutes
        if self.is_main and self.state.step < config.steps:
            self.checkpoints.rehearse(self.state)
        with self.folder.locked() if self.is_main else nullcontext():
            self.progress.start(self.state.step)
            try:
                with self._signals:
                    self._run(started)
            finally:
                self.progress.close()
                if self.uploader:
                    print("waiting for the upload of the last checkpoint")
                    self.uploader.close()
        self.accelerator.wait_for_everyone()
        return self.folder.checkpoints()[-1]

    def _run(self, saved: float) -> None:
        """All steps, with a checkpoint whenever it is due, and at the end.

        Args:
            saved: when the last one was written, by ``time.monotonic``.
        """
        config = self.config
        while self.state.step < config.steps and not self._should_stop():
            self._train_step()
            self.progress.step(self.state.step)
            if self.state.step % config.log_steps == 0:
                self._finish_interval()
            if self._checkpoint_is_due(saved) and self.folder.newest_step() != self.state.step:
                self._save(last=False)
                saved = time.monotonic()
        if self.is_main and self.folder.newest_step() != self.state.step:
            self._save(last=True)
        self.state.guard.refuse_wreck()

    def _train_step(self) -> None:
        started = time.monotonic()
        config, state = self.config, self.state
        one_hot, pictures = self.training_data.batch(state.step)
        generator = torch.Generator(self.device).manual_seed(noise_seed(state.step, config.seed))
        randomness = make_randomness(config, one_hot, generator).rows(self.own)
        total = torch.zeros((), device=self.device)
        parts = np.array_split(np.arange(len(pictures.images)), config.gradient_accumulation)
        for i, rows in enumerate(parts):
            last, part = i == len(parts) - 1, slice(rows[0], rows[-1] + 1)
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                total += self._backward(pictures.rows(part), randomness.rows(part))
        limit = config.grad_clip or math.inf
        norm = self.accelerator.clip_grad_norm_(state.network.parameters(), limit)
        # All that a step waits for: the CPU starts the next one before a GPU has ended this one.
        loss = self.accelerator.reduce(total, "sum")
        self.grad_norm, loss = torch.stack([norm, loss]).tolist()
        if np.isfinite(self.grad_norm):
            state.update()
            state.guard.skipped_in_a_row = 0
        else:
            state.guard.skip_bad_gradient(state.step)
        for optimizer in state.optimizers:
            optimizer.zero_grad(set_to_none=True)
        state.step += 1
        state.losses.append(loss)
        state.seconds += time.monotonic() - started

    def _backward(self, pictures: Pictures, randomness: Randomness) -> Tensor:
        """Add the gradient of a part of the batch; returns its share of the mean loss."""
        model = self.config.model
        as_input = partial(to_model, pixel_range=model.pixel_range, channels=model.image_channels)
        x0 = as_input(pictures.images).contiguous(memory_format=torch.channels_last)
        low_res = None
        if pictures.true is not None and pictures.generated is not None:
            small = (as_input(p) for p in (pictures.true, pictures.generated))
            low_res = low_res_input(randomness, *small)
        with self.accelerator.autocast():
            losses = diffusion_loss(self.denoiser, x0, randomness, low_res, self.pixel_weights)
        loss = losses.sum() / self.config.batch_size
        # DDP averages the gradients of the processes, and the sum is wanted.
        self.accelerator.backward(loss * self.accelerator.num_processes)
        return loss.detach()

    def _finish_interval(self) -> None:
        """Log the last steps, and act on what their loss says."""
        state, config = self.state, self.config
        loss = sum(state.losses) / len(state.losses)
        state.losses = []
        self.progress.interval(
            state.step,
            {
                "images": state.step * config.batch_size,
                "loss": loss,
                "learning_rate": config.learning_rate * state.learning_rate.factor(state.step),
                "grad_norm": self.grad_norm,
                "bad_gradients": state.guard.bad_gradients,
                "seconds": round(state.seconds, 1),
            },
        )
        if state.guard.is_spike(loss):
            self._go_back(loss)
        elif state.learning_rate.observe(loss):
            self._say(f"step {state.step}: the loss stagnates; {self._rate_now()}")

    def _go_back(self, loss: float) -> None:
        """After a loss spike: the newest checkpoint again, at a lower learning rate."""
        spiked, scale = self.state.step, self.state.learning_rate.scale
        guard = self.state.guard
        guard.count_spike(spiked, loss)
        del self.state, self.model, self.denoiser  # a GPU may not have room for both
        self.state, self.model = self._begin()
        self.denoiser = Denoiser.from_config(self.model, self.config.model)
        self.state.guard.went_back(guard)
        self.state.learning_rate.scale = scale
        self.state.learning_rate.cut()
        self.progress.went_back(self.state.step)
        self._say(
            f"step {spiked}: the loss jumped to {loss:.4g}; went back to step {self.state.step}; "
            f"{self._rate_now()}"
        )

    def _rate_now(self) -> str:
        return f"learning rate cut to {self.state.learning_rate.scale:.3g} of its schedule"

    def _say(self, message: str) -> None:
        self.progress.say(self.state.step, message)

    def _save(self, last: bool) -> None:
        """Write a checkpoint, then its pictures and its score, which may be cut short.

        One that cannot be written only stops the run if it is the last.
        """
        if not self.is_main:
            return
        paused = time.monotonic()
        try:
            path = self.checkpoints.save(self.state)
        except RunError as error:
            if last:
                raise
            self._say(f"{error}; training goes on, older checkpoints are kept")
        else:
            self._show(path)
            for problem in self.folder.drop_old(self.config.keep_checkpoints):
                self._say(f"warning: {problem}")
            if self.uploader:
                self.uploader.submit(path, f"Step {self.state.step}")
        self.progress.paused(time.monotonic() - paused)

    def _show(self, checkpoint: Path) -> None:
        """The pictures and the score of a checkpoint; without them it is as good to resume from."""
        try:
            with self._signals.interruptible():
                self.checkpoints.show(checkpoint, self.state, self.progress)
        except Interrupted:
            self._say(f"{checkpoint.name} is saved; its pictures and its score were skipped")
        except OSError as error:
            self._say(f"{checkpoint.name} is saved, but not its pictures and its score: {error}")

    def _checkpoint_is_due(self, saved: float) -> bool:
        every = self.config.checkpoint_steps
        if every and self.state.step % every == 0:
            return True
        minutes = self.config.checkpoint_minutes
        return minutes is not None and time.monotonic() - saved > 60 * minutes

    def _should_stop(self) -> bool:
        """Whether any process was told to stop, or time is up. The same answer everywhere."""
        stop = self._signals.received > 0 or time.monotonic() > self._deadline
        if self.accelerator.num_processes == 1:
            return stop
        told = torch.tensor(float(stop), device=self.device)
        return bool(self.accelerator.reduce(told, "sum"))
