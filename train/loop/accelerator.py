"""Where a run computes: its device or devices, its precision, and what makes a GPU faster."""

from __future__ import annotations

import os

import torch
from accelerate import Accelerator

from avatar_model.device import choose_device
from train.loop.config import TrainConfig


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


def use_gpu_well(device: torch.device) -> None:
    """Let a GPU choose its convolutions by trial and multiply float32 in TF32; no other device."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # the shapes of a run never change
        # Ten bits of fraction, finer than bf16's seven; Muon's iteration needs no more either.
        torch.set_float32_matmul_precision("high")
