"""The memory of a training step, estimated without allocating it and, on a GPU, measured."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from avatar_model.attributes import ONE_HOT_SIZE
from avatar_model.denoiser import Denoiser
from avatar_model.device import choose_device
from avatar_model.network import AvatarNetwork
from avatar_model.schedules import flow
from train.loop.accelerator import use_gpu_well
from train.loop.config import TrainConfig
from train.loop.objective import diffusion_loss, low_res_input, make_randomness
from train.loop.optimizer import make_optimizers
from train.loop.state import TrainingState
from train.memory.trace import (
    LiveMemory,
    SavedTensors,
    follow_cuda,
    make_fake,
    module_outputs,
    set_contiguous,
    storages,
)

MIB = 2**20
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Report:
    """The memory of a training step, in bytes.

    Attributes:
        part_size: images that go through the network at once.
        parameters: how many (not bytes).
        dataset: the packed images that the trainer keeps on a GPU, where their number is known.
        weights, gradients, optimizer_state: of the trained network; weights with its buffers.
        averages: a network with the averaged weights, the EMA.
        by_place, by_kind: saved activations, split in two ways; both have the same sum.
        module_outputs: the sum of the outputs of all modules, which is what the blog's author calls
            activations (``trace.module_outputs``).
        step_peak: the most that a step holds at once, besides what is there all the time: inputs,
            activations, gradients and temporary tensors, those of the optimizer too.
    """

    part_size: int
    parameters: int
    weights: int
    gradients: int
    optimizer_state: int
    averages: int
    dataset: int
    by_place: dict[str, int]
    by_kind: dict[str, int]
    module_outputs: int
    step_peak: int

    @property
    def activations(self) -> int:
        """All that autograd keeps for the backward pass."""
        return sum(self.by_place.values())

    @property
    def total(self) -> int:
        """The sum of all parts. No moment of a step holds exactly this; see ``peak``."""
        return self.standing + self.gradients + self.activations

    @property
    def standing(self) -> int:
        """What is held between steps."""
        return self.weights + self.optimizer_state + self.averages + self.dataset

    @property
    def peak(self) -> int:
        """The most that is held at any moment, to compare with torch.cuda.max_memory_allocated."""
        return self.standing + self.step_peak


def memory_report(config: TrainConfig, *, channels_last: bool = True, cuda: bool = True) -> Report:
    """Estimate the memory of a training step of one process, without allocating it.

    Args:
        config: the run.
        channels_last: the memory format; the trainer's network is channels_last.
        cuda: estimate for CUDA's kernels instead of the CPU's (``trace.follow_cuda``).
    """
    part_size = _part_size(config)
    with torch.device("meta"):
        network = AvatarNetwork(config.model)
    _prepare(network, config, channels_last)
    if cuda:
        follow_cuda(network, channels_last)
    with FakeTensorMode():
        make_fake(network)
        step = follow_step(network, config, part_size)
    weights = _bytes(network.parameters())
    return Report(
        part_size=part_size,
        parameters=network.num_parameters(),
        weights=weights + _bytes(network.buffers()),
        gradients=weights,
        averages=weights + _bytes(network.buffers()) if config.ema else 0,
        dataset=dataset_bytes(config) if cuda else 0,
        **step,
    )


def follow_step(network: AvatarNetwork, config: TrainConfig, part_size: int) -> dict[str, Any]:
    """Make a training step, on fake tensors or real ones, and count what it holds.

    Returns:
        ``optimizer_state``, ``by_place``, ``by_kind``, ``module_outputs`` and ``step_peak``, as in
        a ``Report``.
    """
    optimizers = make_optimizers(network, config.optimizer, config.learning_rate)
    with LiveMemory(storages(network)) as live:
        # The second part of an accumulated batch finds the gradients of the first.
        for _ in range(min(config.gradient_accumulation, 2)):
            with SavedTensors(network) as saved, module_outputs(network) as outputs:
                loss = training_loss(network, config, part_size)
            by_place, by_kind = dict(saved.by_place), dict(saved.by_kind)
            del saved  # it keeps the activations alive
            loss.backward()
        backward_peak, live.peak = live.peak, live.now
        for optimizer in optimizers:
            optimizer.step()
    kept = [x for o in optimizers for state in o.state.values() for x in state.values()]
    state = _bytes(kept)
    return {
        "optimizer_state": state,
        "by_place": by_place,
        "by_kind": by_kind,
        "module_outputs": sum(outputs),
        "step_peak": max(backward_peak, live.peak - state),
    }


def _part_size(config: TrainConfig) -> int:
    """Images that one process sends through the network at once."""
    return -(-config.batch_size // config.gradient_accumulation)


def _prepare(network: AvatarNetwork, config: TrainConfig, channels_last: bool) -> None:
    if not channels_last:
        set_contiguous(network)
    network.unet.activation_checkpointing = config.activation_checkpointing


def training_loss(
    network: AvatarNetwork,
    config: TrainConfig,
    part_size: int,
    device: torch.device = CPU,
) -> Tensor:
    """The loss of a training step on empty images, by the operations of the trainer."""
    model = config.model
    # Any schedule will do, two numbers per image; this one caches no tensor, fake or not.
    denoiser = Denoiser(network, flow(), model.prediction, model.input_scaling)
    one_hot = torch.zeros(part_size, ONE_HOT_SIZE, device=device)
    randomness = make_randomness(config, one_hot, torch.Generator(device))
    x0 = torch.zeros_like(randomness.eps).contiguous(memory_format=torch.channels_last)
    low_res = None
    if side := model.low_res_size:
        small = torch.zeros(part_size, model.image_channels, side, side, device=device)
        low_res = low_res_input(randomness, small, small)
    bf16 = config.mixed_precision == "bf16"
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        return diffusion_loss(denoiser, x0, randomness, low_res).sum() / part_size


def dataset_bytes(config: TrainConfig) -> int:
    """Size of the packed images, uint8 RGBA, if the name of the data set tells how many.

    Of an upscaler there are two small pictures to each. What is too much for a GPU stays on disk,
    see ``training_data.py``.
    """
    if match := re.fullmatch(r"cartoonset(\d+)k", config.data):
        count = 1000 * int(match[1])
    else:
        match = re.fullmatch(r"drawn:(\d+)", config.data)
        count = int(match[1]) if match else 0
    return count * 4 * (config.model.image_size**2 + 2 * config.model.low_res_size**2)


def measured_peak(config: TrainConfig, *, channels_last: bool = True) -> int | None:
    """The most memory that is allocated in a training step on CUDA, in bytes.

    Of the second step: the first tries convolutions, for a moment in any memory that is free, and
    the optimizer's state appears in it. None if the memory does not suffice.
    """
    device = choose_device(config.device or "cuda")
    use_gpu_well(device)
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated(device)
    try:
        for _ in run_steps(config, channels_last, device):
            peak = torch.cuda.max_memory_allocated(device)
            torch.cuda.reset_peak_memory_stats(device)
    except torch.cuda.OutOfMemoryError:
        return None
    finally:
        torch.cuda.empty_cache()
    return peak - before


def run_steps(config: TrainConfig, channels_last: bool, device: torch.device) -> Iterator[None]:
    """Two real training steps of one process, holding what the trainer holds."""
    network = AvatarNetwork(config.model).to(device)
    _prepare(network, config, channels_last)
    state = TrainingState(config, network)
    size = dataset_bytes(config) if device.type == "cuda" else 0
    dataset = torch.empty(size, dtype=torch.uint8, device=device)
    for _ in range(2):
        for _ in range(config.gradient_accumulation):
            training_loss(network, config, _part_size(config), device).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.grad_clip or math.inf)
        state.update()
        state.step += 1
        for optimizer in state.optimizers:
            optimizer.zero_grad(set_to_none=True)
        yield
    del dataset


def variants(config: TrainConfig) -> dict[str, tuple[TrainConfig, bool]]:
    """What to compare: name -> (config, channels_last); the run as it is first, and only once."""
    plain = replace(config, mixed_precision="no", activation_checkpointing=False)
    bf16 = replace(plain, mixed_precision="bf16")
    others = {
        "float32": (plain, True),
        "float32, contiguous": (plain, False),
        "bf16": (bf16, True),
        "bf16, contiguous": (bf16, False),
        "activation checkpointing": (replace(plain, activation_checkpointing=True), True),
        "bf16 + activation checkpointing": (replace(bf16, activation_checkpointing=True), True),
    }
    configured = (config, True)
    return {
        "as configured": configured,
        **{name: variant for name, variant in others.items() if variant != configured},
    }


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(x.numel() * x.element_size() for x in tensors)


def format_report(report: Report) -> str:
    """The anatomy as a table: MiB and share of the total."""

    def row(name: str, size: int) -> str:
        return f"{name:<32}{size / MIB:>12,.2f} MiB{size / report.total:>8.1%}"

    def split(parts: dict[str, int]) -> list[str]:
        return [row(f"  {name}", size) for name, size in parts.items()]

    return "\n".join(
        [
            f"{report.parameters:,} parameters, {report.part_size} images at once",
            row("weights", report.weights),
            row("gradients", report.gradients),
            row("optimizer state", report.optimizer_state),
            row("averaged weights", report.averages),
            *([row("data set", report.dataset)] if report.dataset else []),
            row("saved activations", report.activations),
            row("total", report.total),
            "",
            f"{'outputs of all modules':<32}{report.module_outputs / MIB:>12,.2f} MiB",
            "",
            "saved activations by place (level 0 is the finest)",
            *split(report.by_place),
            "",
            "saved activations by kind of layer",
            *split(dict(sorted(report.by_kind.items(), key=lambda item: -item[1]))),
        ]
    )
