"""Seconds per avatar of our pipeline, side by side with what else one might have built.

    python -m benchmarks.against_others

Ours at every size that the model draws; the others draw its smallest, 64 pixels, with which all
times are compared. The two that take 300 steps under guidance are measured for a few steps and
multiplied. All draw with random weights but ours, in turns, on the CPU, channels_last, in float32.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence

from avatar_model import AvatarPipeline

from .measure import DEFAULT_MODEL, in_turns, machine, ratio, table
from .rivals import Contender, blog, equal_macs, follow_up, ours

OURS = "ours"


def contenders(model: str, backend: str, measured: int) -> dict[str, Contender]:
    """Ours first, smallest size first; by the names of the report."""
    pipeline = AvatarPipeline.from_pretrained(model, device="cpu", backend=backend)
    by_size = {size: ours(pipeline, size) for size in pipeline.sizes}
    first = by_size[pipeline.sizes[0]]
    return {
        **{
            f"{OURS}, {size} pixels, {pipeline.backend}, {contender.steps} steps": contender
            for size, contender in by_size.items()
        },
        "diffusers UNet of equal MACs, DPM-Solver++, the same steps": equal_macs(
            first.macs / first.steps, first.steps
        ),
        "the blog's last network, DDPM, 300 guided steps": blog(measured),
        "the follow-up's diffusers UNet, DDPM, 300 guided steps": follow_up(measured),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print two Markdown tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--backend", default="auto", help="of our pipeline: auto, torch or onnx")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measured-steps", type=int, default=1, help="of the 300")
    args = parser.parse_args(arguments)

    all_of_them = contenders(args.model, args.backend, args.measured_steps)
    print(f"{machine()}; {args.rounds} rounds in turns, medians\n")
    print(
        table(
            ["pipeline", "parameters (M)", "GMAC per avatar", "steps", "steps measured"],
            [
                [name, c.parameters / 1e6, c.macs / 1e3, c.steps, c.measured]
                for name, c in all_of_them.items()
            ],
        )
    )
    rows = []
    for batch in args.batches:
        calls = {name: lambda c=c, b=batch: c.draw(b) for name, c in all_of_them.items()}
        times = in_turns(calls, args.rounds)
        reference = next(iter(times.values()))
        for name, c in all_of_them.items():
            per_avatar = c.scale * statistics.median(times[name]) / batch
            slower = ratio(times[name], reference, c.scale)
            rows.append([batch, name, per_avatar, 1 / per_avatar, slower])
    print()
    print(table(["batch", "pipeline", "s per avatar", "avatars per s", "times our time"], rows))


if __name__ == "__main__":
    main()
