"""PyTorch against ONNX Runtime, side by side in one process, and how far their avatars differ.

    python -m benchmarks.backends

Needs a checkpoint that has been through ``python -m avatar_model.export``.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence

import numpy as np

from avatar_model import AvatarPipeline

from .measure import DEFAULT_MODEL, in_turns, machine, ratio, table


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a Markdown table and the largest difference of a pixel."""
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
    rows, worst = [], 0
    for batch in args.batches:
        calls = {
            name: lambda p=p, b=batch: p(num_images=b, seed=0, output_type="np").images
            for name, p in pipelines.items()
        }
        torch_images, onnx_images = (call().astype(int) for call in calls.values())
        worst = max(worst, np.abs(torch_images - onnx_images).max())
        times = in_turns(calls, args.rounds)
        for name in calls:
            per_avatar = statistics.median(times[name]) / batch
            faster = ratio(times["torch"], times[name])
            rows.append([batch, name, per_avatar, 1 / per_avatar, faster])
    print(f"{machine()}; {args.rounds} rounds in turns, medians\n")
    print(table(["batch", "backend", "s per avatar", "avatars per s", "times torch's speed"], rows))
    print(f"\nLargest difference of a pixel's channel: {worst} of 255.")


if __name__ == "__main__":
    main()
