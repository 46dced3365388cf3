"""PyTorch against ONNX Runtime, side by side in one process, and how far their avatars differ.

At every size that the model generates.

    python -m benchmarks.backends

Needs a checkpoint that has been through ``python -m avatar_model.export``.
"""

from __future__ import annotations

import itertools
import statistics
from functools import partial

import numpy as np

from avatar_model import AvatarPipeline
from train.command import command

from .measure import DEFAULT_MODEL, Batches, Model, Rounds, in_turns, machine, ratio, table


def main(model: Model = DEFAULT_MODEL, batches: Batches = (1, 4, 16), rounds: Rounds = 30) -> None:
    """Print a Markdown table and the largest differences of a pixel."""
    pipelines = {
        name: AvatarPipeline.from_pretrained(model, device="cpu", backend=name)
        for name in ("torch", "onnx")
    }
    sizes = pipelines["torch"].sizes
    rows, worst = [], dict.fromkeys(sizes, 0)
    for size, batch in itertools.product(sizes, batches):
        calls = {
            name: partial(pipeline, num_images=batch, seed=0, size=size, output_type="np")
            for name, pipeline in pipelines.items()
        }
        torch_images, onnx_images = (np.asarray(call().images, int) for call in calls.values())
        worst[size] = max(worst[size], np.abs(torch_images - onnx_images).max())
        times = in_turns(calls, rounds)
        for name in calls:
            per_avatar = statistics.median(times[name]) / batch
            faster = ratio(times["torch"], times[name])
            rows.append([size, batch, name, per_avatar, 1 / per_avatar, faster])
    print(f"{machine()}; {rounds} rounds in turns, medians\n")
    head = ["pixels", "batch", "backend", "s per avatar", "avatars per s", "times torch's speed"]
    print(table(head, rows))
    for size in sizes:
        print(f"\n{size} pixels. Largest difference of a pixel's channel: {worst[size]} of 255.")


if __name__ == "__main__":
    command(main, __doc__)()
