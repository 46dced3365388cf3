"""PyTorch against ONNX Runtime, side by side in one process, and how far their avatars differ.

At every size that the model draws.

    python -m benchmarks.backends

Needs a checkpoint that has been through ``python -m avatar_model.export``.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Sequence

import numpy as np

from avatar_model import AvatarPipeline

from .measure import DEFAULT_MODEL, in_turns, machine, ratio, table


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a Markdown table and the largest differences of a pixel."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args(arguments)

    pipelines = {
        name: AvatarPipeline.from_pretrained(args.model, device="cpu", backend=name)
        for name in ("torch", "onnx")
    }
    sizes = pipelines["torch"].sizes
    rows, worst = [], dict.fromkeys(sizes, 0)
    for size, batch in itertools.product(sizes, args.batches):
        options = {"num_images": batch, "seed": 0, "size": size, "output_type": "np"}
        calls = {name: lambda p=p, o=options: p(**o).images for name, p in pipelines.items()}
        torch_images, onnx_images = (call().astype(int) for call in calls.values())
        worst[size] = max(worst[size], np.abs(torch_images - onnx_images).max())
        times = in_turns(calls, args.rounds)
        for name in calls:
            per_avatar = statistics.median(times[name]) / batch
            faster = ratio(times["torch"], times[name])
            rows.append([size, batch, name, per_avatar, 1 / per_avatar, faster])
    print(f"{machine()}; {args.rounds} rounds in turns, medians\n")
    head = ["pixels", "batch", "backend", "s per avatar", "avatars per s", "times torch's speed"]
    print(table(head, rows))
    for size in sizes:
        print(f"\n{size} pixels. Largest difference of a pixel's channel: {worst[size]} of 255.")


if __name__ == "__main__":
    main()
