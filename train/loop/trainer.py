"""The training loop: one or many processes, resumable to the bit.

Everything random in a step comes from one generator seeded by (run seed, step), and the images of a
step are a function of (run seed, step). A resumed run therefore continues exactly where it was, and
processes agree on a batch without talking: each draws the whole batch and takes its own part.
"""

from __future__ import annotations

import json
import os
import signal
import time
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from avatar_model import AvatarPipeline, CheckpointError
from avatar_model.checkpoint import fingerprint
from avatar_model.denoiser import Denoiser
from avatar_model.device import choose_device
from avatar_model.images import on_white, to_model
from avatar_model.network import AvatarNetwork
from avatar_model.schedule_check import schedule_warnings
from avatar_model.stage import Stage
from train.data.batches import noise_seed
from train.data.packed import HELD_OUT, PackedSet
from train.evaluation.generate import generate_avatars
from train.evaluation.psnr import psnr
from train.figures.learning_gif import save_samples
from train.figures.pairs import save_pairs
from train.figures.picture import FigureError
from train.hub.model_card import SAMPLES_FILE, write_model_card
from train.hub.upload import HubUploader
from train.loop.config import TrainConfig
from train.loop.ema import PowerEma
from train.loop.gpu import use_gpu_well
from train.loop.initial_network import initial_network
from train.loop.learning_rate import LearningRate
from train.loop.loss_guard import LossGuard
from train.loop.low_res import LowRes
from train.loop.objective import Randomness, diffusion_loss, low_res_input, make_randomness
from train.loop.optimizer import make_optimizers
from train.loop.progress import Progress
from train.loop.run_folder import METRICS_FILE, RunError, RunFolder
from train.loop.training_data import Pictures, TrainingData

PSNR_IMAGES = 128
GRID_IMAGES = 16
STATE_FILE = "state.pt"


class Trainer:
    """One run: builds what the config says, resumes what the run folder holds, trains, saves.

    Args:
        config: the run.
        data: the data set; its validation split is never trained on.
        accelerator: the process group; started with ``accelerate launch`` there are several.
        low_res: the small pictures of ``data``, if the config is that of an upscaler.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: PackedSet,
        accelerator: Accelerator | None = None,
        low_res: LowRes | None = None,
    ) -> None:
        self.config = config
        self.low_res = low_res
        self.accelerator = accelerator or make_accelerator(config)
        self.device = self.accelerator.device
        if self.device.type == "cuda" and self.device.index is None:
            self.device = torch.device("cuda", torch.cuda.current_device())
        self.is_main = self.accelerator.is_main_process
        parts = self.accelerator.num_processes * config.gradient_accumulation
        if config.batch_size < parts:
            raise ValueError(
                f"batch_size {config.batch_size} cannot be split over {parts} parts "
                "(processes x gradient_accumulation)"
            )
        self.folder = RunFolder(config.run)
        if self.is_main:
            self.folder.open(config.to_dict())
        self.accelerator.wait_for_everyone()
        self._load_data(data)
        self._build()
        self.uploader = None
        if config.push_to_hub and self.is_main:
            self.uploader = HubUploader(config.push_to_hub, report=tqdm.write)
        self._stop = False
        self._resume()
        if self.is_main:
            for warning in schedule_warnings(self.denoiser.schedule, config.model.image_size):
                print(f"warning: {warning}")

    def _load_data(self, data: PackedSet) -> None:
        config, group = self.config, self.accelerator
        if data.crop != config.model.crop:
            raise ValueError(f"crop {config.model.crop} is not that of the data, {data.crop}")
        self.vocabulary, self.train_rows = data.vocabulary, data.split("train")
        # Shares may differ by an image, which changes nothing: losses are divided by the size of
        # the whole batch.
        own = np.array_split(np.arange(config.batch_size), group.num_processes)[group.process_index]
        self.own = slice(own[0], own[-1] + 1)
        self.training_data = TrainingData(
            config, data, self.train_rows, self.own, self.device, self.low_res
        )
        held_out = data.split("validation")[:PSNR_IMAGES]
        # A very small data set may hold nothing out; then at least show what was learned.
        self.shown_are = "unseen" if len(held_out) else "training"
        self.shown = data.take(held_out if len(held_out) else self.train_rows[:PSNR_IMAGES])

    def _build(self) -> None:
        """Network, optimizers and all else that changes during the run, as at step 0."""
        config = self.config
        self.accelerator.free_memory()
        torch.manual_seed(config.seed)
        self.network = self._first_network().to(self.device).train()
        self.network.unet.activation_checkpointing = config.activation_checkpointing
        self.average = AvatarNetwork(config.model).to(self.device)
        self.ema = PowerEma(self.network)
        self.optimizers = make_optimizers(self.network, config.optimizer, config.learning_rate)
        self.peak_rates = [optimizer.defaults["lr"] for optimizer in self.optimizers]
        self.learning_rate = LearningRate(config)
        self.guard = LossGuard(config.spike_factor, config.max_bad_gradients)
        self.step = 0
        self.seconds = 0.0
        self.losses: list[float] = []  # of the log interval that is not complete yet
        # What runs forward may be compiled and wrapped; the plain network is what is saved.
        model = torch.compile(self.network) if config.compile else self.network
        self.model = self.accelerator.prepare(model)
        self.denoiser = Denoiser.from_config(self.model, config.model)

    def _first_network(self) -> AvatarNetwork:
        """With random weights, or those of ``init_from``, unless the run has its own already."""
        config = self.config
        if config.init_from is None or self.folder.checkpoints():
            return AvatarNetwork(config.model)
        return initial_network(config.init_from, config.model)

    def train(self) -> Path:
        """Run to ``config.steps``, the time limit or a signal. Returns the newest checkpoint.

        Raises:
            RunError: the last checkpoint cannot be written.
            DivergedError: too many gradients are not finite.
        """
        config = self.config
        saved = started = time.monotonic()
        self.deadline = started + 60 * (config.max_minutes or float("inf"))
        before = {s: signal.signal(s, self._on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
        self.progress = Progress(
            self.folder, config.steps, self.step, config.batch_size, silent=not self.is_main
        )
        saved_step = self._newest_step()
        try:
            while self.step < config.steps and not self._should_stop():
                self._train_step()
                self.progress.step(self.step)
                if self.step % config.log_steps == 0:
                    self._finish_interval()
                if self._checkpoint_is_due(saved):
                    self._save(last=False)
                    saved, saved_step = time.monotonic(), self.step
            if saved_step != self.step:
                self._save(last=True)
        finally:
            self.progress.close()
            for s, handler in before.items():
                signal.signal(s, handler)
            self._finish_uploads()
        self.accelerator.wait_for_everyone()
        return self.folder.checkpoints()[-1]

    def _train_step(self) -> None:
        started = time.monotonic()
        config = self.config
        one_hot, pictures = self.training_data.batch(self.step)
        generator = torch.Generator(self.device).manual_seed(noise_seed(self.step, config.seed))
        draw = make_randomness(config, one_hot, generator).rows(self.own)
        total = torch.zeros((), device=self.device)
        parts = np.array_split(np.arange(len(pictures.images)), config.gradient_accumulation)
        for i, rows in enumerate(parts):
            last, part = i == len(parts) - 1, slice(rows[0], rows[-1] + 1)
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                total += self._backward(pictures.rows(part), draw.rows(part))
        norm = self.accelerator.clip_grad_norm_(self.network.parameters(), config.grad_clip)
        # All that a step waits for: the CPU starts the next one before a GPU has ended this one.
        loss = self.accelerator.reduce(total, "sum")
        self.grad_norm, loss = torch.stack([norm, loss]).tolist()
        if np.isfinite(self.grad_norm):
            self._update()
        else:
            self.guard.skip_bad_gradient(self.step)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.losses.append(loss)
        self.seconds += time.monotonic() - started

    def _backward(self, pictures: Pictures, draw: Randomness) -> Tensor:
        """Add the gradient of a part of the batch; returns its share of the mean loss."""
        pixel_range = self.config.model.pixel_range
        x0 = to_model(pictures.images, pixel_range).contiguous(memory_format=torch.channels_last)
        low_res = None
        if pictures.drawn is not None:
            true, drawn = (to_model(p, pixel_range) for p in (pictures.true, pictures.drawn))
            low_res = low_res_input(draw, true, drawn)
        with self.accelerator.autocast():
            losses = diffusion_loss(self.denoiser, x0, draw, low_res)
        loss = losses.sum() / self.config.batch_size
        # DDP averages the gradients of the processes, and the sum is wanted.
        self.accelerator.backward(loss * self.accelerator.num_processes)
        return loss.detach()

    def _update(self) -> None:
        factor = self.learning_rate.factor(self.step)
        for optimizer, peak in zip(self.optimizers, self.peak_rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * factor
            optimizer.step()
        self.ema.update(self.step + 1)

    def _finish_interval(self) -> None:
        """Log the last steps, and act on what their loss says."""
        loss = sum(self.losses) / len(self.losses)
        self.losses = []
        self.progress.interval(
            self.step,
            {
                "images": self.step * self.config.batch_size,
                "loss": loss,
                "learning_rate": self.config.learning_rate * self.learning_rate.factor(self.step),
                "grad_norm": self.grad_norm,
                "bad_gradients": self.guard.bad_gradients,
                "seconds": round(self.seconds, 1),
            },
        )
        if self.guard.is_spike(loss):
            self._go_back(loss)
        elif self.learning_rate.observe(loss):
            self._say(f"step {self.step}: the loss stagnates; {self._rate_now()}")

    def _go_back(self, loss: float) -> None:
        """After a loss spike: the newest checkpoint again, at a lower learning rate."""
        spiked, scale = self.step, self.learning_rate.scale
        self._build()
        self._resume()
        self.learning_rate.scale = scale
        self.learning_rate.cut()
        self.progress.went_back(self.step)
        self._say(
            f"step {spiked}: the loss jumped to {loss:.4g}; went back to step {self.step}; "
            f"{self._rate_now()}"
        )

    def _rate_now(self) -> str:
        return f"learning rate cut to {self.learning_rate.scale:.3g} of its schedule"

    def _say(self, message: str) -> None:
        self.progress.say(self.step, message)

    def _should_stop(self) -> bool:
        """Whether any process was told to stop, or time is up. The same answer everywhere."""
        stop = self._stop or time.monotonic() > self.deadline
        if self.accelerator.num_processes == 1:
            return stop
        told = torch.tensor(float(stop), device=self.device)
        return bool(self.accelerator.reduce(told, "sum"))

    def _on_signal(self, *_: object) -> None:
        self._stop = True  # finish the step, then save

    def _checkpoint_is_due(self, saved: float) -> bool:
        every = self.config.checkpoint_steps
        if every and self.step % every == 0:
            return True
        minutes = self.config.checkpoint_minutes
        return minutes is not None and time.monotonic() - saved > 60 * minutes

    def _save(self, last: bool) -> None:
        """Write a checkpoint. One that cannot be written only stops the run if it is the last."""
        if not self.is_main:
            return
        config = self.config
        paused = time.monotonic()
        pipeline = self.pipeline()
        drawn, _ = generate_avatars(pipeline, self.shown.attributes)
        errors = psnr(on_white(drawn), on_white(self.shown.images))
        metrics = {"psnr_db": float(errors.mean())}
        self._say(
            f"step {self.step}: PSNR {metrics['psnr_db']:.2f} dB "
            f"({len(self.shown)} {self.shown_are} combinations)"
        )
        self.progress.validation(self.step, metrics["psnr_db"])

        def write(folder: Path) -> None:
            pipeline.save_pretrained(folder)
            save_pairs(folder / SAMPLES_FILE, self.shown.images[:GRID_IMAGES], drawn[:GRID_IMAGES])
            (folder / METRICS_FILE).write_text(json.dumps(metrics), encoding="utf-8")
            write_model_card(folder, pipeline, metrics, config.push_to_hub)
            torch.save(self._state(), folder / STATE_FILE)

        try:
            path = self.folder.write_checkpoint(self.step, write, config.keep_checkpoints)
        except RunError as error:
            if last:
                raise
            self._say(f"{error}; training goes on, older checkpoints are kept")
            return
        self.progress.picture(self.step, np.asarray(Image.open(path / SAMPLES_FILE)))
        try:
            real = self.shown.images[:GRID_IMAGES]
            save_samples(config.run, self.step, drawn[:GRID_IMAGES], real, metrics["psnr_db"])
        except FigureError as error:
            self._say(f"{error}; the learning GIF will lack step {self.step}")
        if self.uploader:
            self.uploader.submit(path, f"Step {self.step}")
        self.progress.paused(time.monotonic() - paused)

    def pipeline(self) -> AvatarPipeline:
        """The averaged weights as users get them."""
        config = self.config
        self.ema.copy_to(self.average)
        training = {
            "data": Path(config.data).name,
            "train_images": len(self.train_rows),
            **({} if config.init_from is None else {"init_from": config.init_from}),
            **({} if config.base is None else {"base": config.base}),
            "held_out": HELD_OUT,
            "steps": self.step,
            "images_seen": self.step * config.batch_size,
            "seconds": round(self.seconds),
            "batch_size": config.batch_size,
            "optimizer": config.optimizer,
            "learning_rate": config.learning_rate,
            "lr_schedule": config.lr_schedule,
        }
        defaults = {
            "sampler": config.sampler,
            "num_inference_steps": config.num_inference_steps,
            "guidance_scale": config.guidance_scale,
        }
        if self.low_res is None:
            return AvatarPipeline(self.average, self.vocabulary, defaults, training)
        base = self.low_res.base
        return AvatarPipeline(
            base.network,
            base.vocabulary,
            base.defaults,
            base.training,
            base.base.graph,
            Stage(self.average, defaults, training),
        )

    def _state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "seconds": self.seconds,
            "losses": self.losses,
            "network": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "learning_rate": self.learning_rate.state_dict(),
            "guard": self.guard.state_dict(),
            "base": self.low_res and fingerprint(self.low_res.base.network),
        }

    def _resume(self) -> None:
        """Continue from the newest intact checkpoint, if there is one."""
        damaged = []
        for folder in reversed(self.folder.checkpoints()):
            try:
                state = torch.load(folder / STATE_FILE, map_location=self.device, weights_only=True)
                self._load_state(state)
            # What torch.load raises depends on where the damage is.
            except (OSError, RuntimeError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as e:
                damaged.append((folder, e))
                continue
            break
        else:
            if damaged:
                raise CheckpointError(
                    f"no checkpoint in {self.folder.checkpoints_path} can be resumed; the newest, "
                    f"{damaged[0][0].name}: {damaged[0][1]}"
                )
        self.accelerator.wait_for_everyone()
        if self.is_main:
            for folder, error in damaged:
                aside = self.folder.set_aside(folder)
                print(f"{folder} is damaged ({error}); set aside as {aside.name}")

    def _load_state(self, state: dict[str, Any]) -> None:
        if self.low_res and state["base"] != fingerprint(self.low_res.base.network):
            raise RunError(
                f"the base {self.config.base} has other weights than when {self.config.run} began; "
                "start another --run with --init-from the last checkpoint"
            )
        self.network.load_state_dict(state["network"])
        self.ema.load_state_dict(state["ema"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.learning_rate.load_state_dict(state["learning_rate"])
        self.guard.load_state_dict(state["guard"])
        self.step, self.seconds, self.losses = state["step"], state["seconds"], state["losses"]

    def _newest_step(self) -> int | None:
        newest = self.folder.checkpoints()[-1:]
        return int(newest[0].name.removeprefix("step-")) if newest else None

    def _finish_uploads(self) -> None:
        if self.uploader:
            print("waiting for the upload of the last checkpoint")
            self.uploader.close()


def make_accelerator(config: TrainConfig) -> Accelerator:
    """The process group, device and precision that ``config`` asks for.

    Raises:
        DeviceError: there is no such device.
        ValueError: one GPU by its number for several processes.
    """
    device = choose_device(config.device)
    if device.type == "cuda" and device.index is not None:
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise ValueError(
                f"--device {device} is one GPU, and every process needs its own: leave it out; "
                "CUDA_VISIBLE_DEVICES chooses among several"
            )
        torch.cuda.set_device(device)
    use_gpu_well(device)
    return Accelerator(cpu=device.type == "cpu", mixed_precision=config.mixed_precision)
