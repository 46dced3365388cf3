"""The training loop.

Everything random in a step comes from one generator seeded by (run seed, step), so a resumed run
continues exactly where it was without any random state to save.
"""

from __future__ import annotations

import signal
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from avatar_model import AvatarPipeline
from avatar_model.attributes import one_hot
from avatar_model.checkpoint import CheckpointError
from avatar_model.denoiser import Denoiser
from avatar_model.images import to_model
from avatar_model.network import AvatarNetwork
from avatar_model.schedules import make_schedule

from .config import TrainConfig
from .ema import PowerEma
from .evaluate import paired_psnr
from .objective import diffusion_loss
from .optimizer import make_optimizers
from .packed import PackedSet
from .run_folder import RunFolder
from .sample_grid import save_pairs

LOG_STEPS = 20
PSNR_IMAGES = 128
GRID_IMAGES = 16


class Trainer:
    """One run: builds what the config says, resumes what the run folder holds, trains, saves.

    Args:
        config: the run.
        data: the data set; its validation split is never trained on.
    """

    def __init__(self, config: TrainConfig, data: PackedSet) -> None:
        self.config = config
        self.device = torch.device(
            config.device or ("cuda" if torch.cuda.is_available() else "cpu")
        )
        self.folder = RunFolder(config.run, config.to_dict())
        self.data, self.train_rows = data, data.split("train")
        held_out = data.split("validation")[:PSNR_IMAGES]
        # A very small data set may hold nothing out; then at least show what was learned.
        self.shown_are = "unseen" if len(held_out) else "training"
        self.shown = data.take(held_out if len(held_out) else self.train_rows[:PSNR_IMAGES])
        torch.manual_seed(config.seed)
        self.network = AvatarNetwork(config.model).to(self.device).train()
        self.denoiser = Denoiser(
            self.network,
            make_schedule(config.model.schedule, **config.model.schedule_options),
            config.model.prediction,
            config.model.input_scaling,
        )
        self.optimizers = make_optimizers(self.network, config.learning_rate)
        self.peak_rates = [optimizer.defaults["lr"] for optimizer in self.optimizers]
        self.ema = PowerEma(self.network)
        self.average = AvatarNetwork(config.model).to(self.device)
        self.one_hot = torch.from_numpy(one_hot(data.attributes))
        self.step = 0
        self.seconds = 0.0
        self._stop = False
        self._resume()

    def train(self) -> Path:
        """Run to ``config.steps``, the time limit or a signal. Returns the newest checkpoint."""
        config = self.config
        started = saved = time.monotonic()
        deadline = started + 60 * (config.max_minutes or float("inf"))
        before = {s: signal.signal(s, self._on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
        bar = tqdm(total=config.steps, initial=self.step, unit="step", dynamic_ncols=True)
        checkpoint, losses, images = None, [], 0
        logged = started
        try:
            while self.step < config.steps and not self._stop and time.monotonic() < deadline:
                losses.append(self._train_step())
                images += config.batch_size
                bar.update()
                now = time.monotonic()
                if self.step % LOG_STEPS == 0:
                    loss, rate = float(torch.stack(losses).mean()), images / (now - logged)
                    bar.set_postfix({"loss": f"{loss:.4f}", "images/s": f"{rate:.0f}"})
                    self._log(loss, rate)
                    losses, images, logged = [], 0, now
                if now - saved > 60 * config.checkpoint_minutes:
                    checkpoint = self._save(bar)
                    saved = logged = time.monotonic()
                    losses, images = [], 0
            newest = self.folder.checkpoints()[-1:]
            if not newest or newest[0].name != f"step-{self.step:08d}":
                checkpoint = self._save(bar)
        finally:
            bar.close()
            for s, handler in before.items():
                signal.signal(s, handler)
        return checkpoint or newest[0]

    def _train_step(self) -> Tensor:
        started = time.monotonic()
        config = self.config
        generator = torch.Generator().manual_seed((config.seed << 32) + self.step)
        order = batch_rows(self.step, config.batch_size, len(self.train_rows), config.seed)
        rows = self.train_rows[order]
        x0 = to_model(torch.from_numpy(self.data.images[rows]).to(self.device))
        loss = diffusion_loss(
            self.denoiser,
            x0.contiguous(memory_format=torch.channels_last),
            self.one_hot[rows].to(self.device),
            generator,
            config.terminal_share,
            config.condition_dropout,
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.grad_clip)
        factor = learning_rate_factor(self.step, config.steps, config.warmup_steps)
        for optimizer, peak in zip(self.optimizers, self.peak_rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.ema.update(self.step)
        self.seconds += time.monotonic() - started
        return loss.detach()

    def _on_signal(self, *_: object) -> None:
        self._stop = True  # finish the step, then save

    def _log(self, loss: float, rate: float) -> None:
        images = self.step * self.config.batch_size
        self.folder.log(
            {
                "step": self.step,
                "images": images,
                "seconds": round(self.seconds, 1),
                "loss": round(loss, 6),
                "images_per_second": round(rate, 1),
            }
        )

    def _save(self, bar: tqdm) -> Path:
        pipeline = self.pipeline()
        psnr, drawn = paired_psnr(pipeline, self.shown, num_inference_steps=1)
        bar.write(
            f"step {self.step}: PSNR {psnr.mean():.2f} dB "
            f"(1 sampling step, {len(self.shown)} {self.shown_are} combinations)"
        )

        def write(folder: Path) -> None:
            pipeline.save_pretrained(folder)
            save_pairs(folder / "samples.png", self.shown.images[:GRID_IMAGES], drawn[:GRID_IMAGES])
            torch.save(self._state(), folder / "state.pt")

        return self.folder.write_checkpoint(self.step, write, self.config.keep_checkpoints)

    def pipeline(self) -> AvatarPipeline:
        """The averaged weights as users get them."""
        self.ema.copy_to(self.average)
        training = {
            "data": Path(self.config.data).name,
            "train_images": len(self.train_rows),
            "steps": self.step,
            "images_seen": self.step * self.config.batch_size,
            "seconds": round(self.seconds),
            "batch_size": self.config.batch_size,
            "learning_rate": self.config.learning_rate,
        }
        return AvatarPipeline(self.average, self.data.vocabulary, None, training)

    def _state(self) -> dict[str, object]:
        return {
            "step": self.step,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    def _resume(self) -> None:
        """Continue from the newest checkpoint, if there is one."""
        for folder in self.folder.checkpoints()[-1:]:
            path = folder / "state.pt"
            try:
                state = torch.load(path, map_location=self.device, weights_only=True)
            except Exception as error:  # torch.load raises whatever the damage leads to
                raise CheckpointError(
                    f"{path} cannot be read ({error}); delete its folder to use the one before"
                ) from error
            self.network.load_state_dict(state["network"])
            self.ema.load_state_dict(state["ema"])
            for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
            self.step, self.seconds = state["step"], state["seconds"]


def batch_rows(step: int, batch_size: int, size: int, seed: int) -> np.ndarray:
    """Which images step ``step`` trains on: every epoch is a new permutation of all of them.

    Returns:
        int64 [batch_size], sorted within the step because a memory map likes that; a batch may
        reach over the end of an epoch into the next.
    """
    first = step * batch_size
    epochs = range(first // size, (first + batch_size - 1) // size + 1)
    start = first - epochs[0] * size
    order = np.concatenate([epoch_order(epoch, size, seed) for epoch in epochs])
    return np.sort(order[start : start + batch_size])


@lru_cache(maxsize=2)
def epoch_order(epoch: int, size: int, seed: int) -> np.ndarray:
    """The order of epoch ``epoch``: a permutation of 0..size-1."""
    return np.random.default_rng((seed, epoch)).permutation(size)


def learning_rate_factor(step: int, steps: int, warmup_steps: int) -> float:
    """Linear warm-up, then linear decay to zero at ``steps``, as a share of the peak."""
    return min((step + 1) / max(warmup_steps, 1), 1.0) * max(1 - step / steps, 0.0)
