"""What an avatar costs against the number of steps, the batch, the size and the resolution.

    python -m benchmarks.cost

The bundled model, its time in turns: the steps of the base, those of the upscaler if there is one,
the batch at every size that the model generates. Only for the resolutions the architecture of the
base with random weights.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping
from functools import partial

from avatar_model import AvatarPipeline
from avatar_model.network import AvatarNetwork
from train.command import command

from .measure import (
    DEFAULT_MODEL,
    Batches,
    Call,
    Model,
    Rounds,
    in_turns,
    machine,
    ratio,
    table,
)


def cost_table(what: str, calls: Mapping[int, Call], rounds: int, batches: bool = False) -> str:
    """A row for each value of ``what``, with the ratio to the first.

    Args:
        calls: by value, what to time.
        batches: the values are numbers of avatars at once; otherwise each call generates one.
    """
    times = in_turns(calls, rounds)
    first = next(iter(calls))
    rows = []
    for value in calls:
        images, of_first = (value, first) if batches else (1, 1)
        per_avatar = statistics.median(times[value]) / images
        rows.append([value, per_avatar, ratio(times[value], times[first], of_first / images)])
    return table([what, "s per avatar", f"times that of {first}"], rows)


def main(
    model: Model = DEFAULT_MODEL,
    steps: tuple[int, ...] = (1, 2, 4, 8, 16),
    batches: Batches = (1, 4, 16, 64),
    sizes: tuple[int, ...] = (32, 64, 128),
    rounds: Rounds = 15,
) -> None:
    """Print Markdown tables.

    Args:
        steps: numbers of steps.
        sizes: resolutions of the base, in pixels.
    """
    pipeline = AvatarPipeline.from_pretrained(model, device="cpu")
    print(f"{machine()}; {rounds} rounds in turns, medians\n")
    generate = partial(pipeline, seed=0)
    smallest, *larger = pipeline.sizes
    calls = {n: partial(generate, num_inference_steps=n, size=smallest) for n in steps}
    print(cost_table(f"steps, {smallest} pixels", calls, rounds), "\n")
    for size in larger:
        calls = {n: partial(generate, upscaler_steps=n) for n in steps}
        print(cost_table(f"steps of the upscaler, {size} pixels", calls, rounds), "\n")
    for size in pipeline.sizes:
        calls = {n: partial(generate, num_images=n, size=size) for n in batches}
        print(cost_table(f"batch, {size} pixels", calls, rounds, batches=True), "\n")
    calls = {}
    for size in sizes:
        network = AvatarNetwork(dataclasses.replace(pipeline.network.config, image_size=size))
        calls[size] = partial(
            AvatarPipeline(network, pipeline.vocabulary, pipeline.defaults), seed=0
        )
    print(cost_table("resolution", calls, rounds))


if __name__ == "__main__":
    command(main, __doc__)()
