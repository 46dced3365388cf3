"""Seconds per avatar of our pipeline, side by side with what else one might have built.

    python -m benchmarks.against_others

Ours at every size that the model generates; the others generate its smallest, 64 pixels, with which
all times are compared. The two that take 300 steps under guidance are measured for a few steps and
multiplied. All have random weights but ours, take turns on the CPU, channels_last, in float32.
"""

from __future__ import annotations

import statistics
from functools import partial

from avatar_model import AvatarPipeline
from train.command import command

from .measure import DEFAULT_MODEL, Batches, Model, Rounds, in_turns, machine, ratio, table
from .rivals import BLOG, FOLLOW_UP, Contender, equal_macs, ours, preset


def contenders(model: str, measured: int) -> dict[str, Contender]:
    """Ours first, smallest size first; by the names of the report."""
    pipeline = AvatarPipeline.from_pretrained(model, device="cpu")
    our_own = [(size, ours(pipeline, size)) for size in pipeline.sizes]
    _, first = our_own[0]
    return {
        **{f"ours, {size} pixels, {c.steps} steps": c for size, c in our_own},
        "diffusers UNet of equal MACs, DPM-Solver++, the same steps": equal_macs(
            first.macs / first.steps, first.steps
        ),
        "the blog's last network, DDPM, 300 guided steps": preset(BLOG, measured),
        "its sequel's diffusers UNet, DDPM, 300 guided steps": preset(FOLLOW_UP, measured),
    }


def main(
    model: Model = DEFAULT_MODEL,
    batches: Batches = (1, 4, 16),
    rounds: Rounds = 5,
    measured_steps: int = 1,
) -> None:
    """Print two Markdown tables.

    Args:
        measured_steps: how many of the 300 are.
    """
    by_name = contenders(model, measured_steps)
    print(f"{machine()}; {rounds} rounds in turns, medians\n")
    head = ["pipeline", "parameters (M)", "GMAC per avatar", "steps", "steps measured"]
    rows = [
        [name, c.parameters / 1e6, c.macs / 1e3, c.steps, c.measured] for name, c in by_name.items()
    ]
    print(table(head, rows), "\n")
    rows = []
    for batch in batches:
        times = in_turns({name: partial(c.generate, batch) for name, c in by_name.items()}, rounds)
        reference = next(iter(times.values()))
        for name, c in by_name.items():
            per_avatar = c.scale * statistics.median(times[name]) / batch
            slower = ratio(times[name], reference, c.scale)
            rows.append([batch, name, per_avatar, 1 / per_avatar, slower])
    print(table(["batch", "pipeline", "s per avatar", "avatars per s", "times our time"], rows))


if __name__ == "__main__":
    command(main, __doc__)()
