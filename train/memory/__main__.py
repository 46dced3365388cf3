"""Where the memory of a training step goes, before you run out of it.

    python -m train.memory --preset blog-7-final --batch-size 128

takes the flags of train/run.py, allocates nothing, and shows parameters, weights, gradients,
optimizer state and saved activations, and what bfloat16, activation checkpointing and the memory
format change. It estimates for CUDA unless you say --device cpu; on a machine with CUDA it also
runs two steps of each and prints the peak it measured. docs/memory.md explains the numbers.
"""

from __future__ import annotations

import torch

from avatar_model.device import choose_device
from train.command import run_command
from train.loop.config import TrainConfig
from train.memory.estimate import MIB, format_report, measured_peak, memory_report, variants


def main(config: TrainConfig) -> None:
    """Print the anatomy of the configured step, and what each variant would need."""
    if config.device not in (None, "cpu", "cuda"):  # CUDA is estimated wherever it is asked for
        choose_device(config.device)
    cuda = config.device is None or config.device.startswith("cuda")
    measure = cuda and torch.cuda.is_available()
    print(f"estimate for one process on {'CUDA' if cuda else 'the CPU'}\n")
    heads = ["activations", "total", "peak", *(["measured peak"] if measure else [])]
    for i, (name, (changed, channels_last)) in enumerate(variants(config).items()):
        report = memory_report(changed, channels_last=channels_last, cuda=cuda)
        if i == 0:
            print(format_report(report))
            print(f"\n{'variant':<34}" + "".join(f"{head:>16}" for head in heads))
        cells: list[int | None] = [report.activations, report.total, report.peak]
        if measure:
            cells.append(measured_peak(changed, channels_last=channels_last))
        text = ("out of memory" if x is None else f"{x / MIB:,.0f} MiB" for x in cells)
        print(f"{name:<34}" + "".join(f"{x:>16}" for x in text), flush=True)


cli = run_command(main, __doc__)

if __name__ == "__main__":
    cli()
