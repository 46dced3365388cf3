"""What an avatar costs against the number of steps, the batch, the size and the resolution.

    python -m benchmarks.cost

The bundled model, its time in turns: the steps of the base, those of the upscaler if there is one,
the batch at every size that the model draws. Only for the resolutions the architecture of the base
with random weights, evaluated by torch.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence

from avatar_model import AvatarPipeline
from avatar_model.network import AvatarNetwork

from .measure import DEFAULT_MODEL, in_turns, machine, ratio, table


def cost_table(
    what: str, draw: Mapping[int, Callable[[], object]], images: Mapping[int, int], rounds: int
) -> str:
    """A row for each value of ``what``, with the ratio to the first.

    Args:
        draw: by value, what to time.
        images: by value, how many avatars ``draw`` makes.
    """
    times = in_turns({str(value): call for value, call in draw.items()}, rounds)
    first = next(iter(draw))
    rows = [
        [
            value,
            statistics.median(times[str(value)]) / images[value],
            ratio(times[str(value)], times[str(first)], images[first] / images[value]),
        ]
        for value in draw
    ]
    return table([what, "s per avatar", f"times that of {first}"], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--backend", default="auto", help="auto, torch or onnx")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args(arguments)

    pipeline = AvatarPipeline.from_pretrained(args.model, device="cpu", backend=args.backend)
    config = pipeline.network.config
    print(f"{machine()}; {args.rounds} rounds in turns, medians; {pipeline.backend}\n")
    smallest, *larger = pipeline.sizes
    one = dict.fromkeys(args.steps, 1)
    steps = {
        n: lambda n=n: pipeline(seed=0, num_inference_steps=n, size=smallest) for n in args.steps
    }
    print(cost_table(f"steps, {smallest} pixels", steps, one, args.rounds), "\n")
    for size in larger:
        steps = {n: lambda n=n: pipeline(seed=0, upscaler_steps=n) for n in args.steps}
        print(cost_table(f"steps of the upscaler, {size} pixels", steps, one, args.rounds), "\n")

    for size in pipeline.sizes:
        batches = {
            n: lambda n=n, s=size: pipeline(seed=0, num_images=n, size=s) for n in args.batches
        }
        images = {n: n for n in batches}
        print(cost_table(f"batch, {size} pixels", batches, images, args.rounds), "\n")

    sizes = {}
    for size in args.sizes:
        network = AvatarNetwork(dataclasses.replace(config, image_size=size))
        drawer = AvatarPipeline(network, pipeline.vocabulary, pipeline.defaults)
        sizes[size] = lambda drawer=drawer: drawer(seed=0)
    print(cost_table("resolution, torch", sizes, dict.fromkeys(sizes, 1), args.rounds))


if __name__ == "__main__":
    main()
