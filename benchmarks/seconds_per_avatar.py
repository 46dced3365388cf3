"""How long a visitor waits: for the page to start, and for one avatar after another.

    python -m benchmarks.seconds_per_avatar --model assets/model

Starts the real page on a free port of this machine, several times for the time from process start
to the first avatar. Then asks it for one avatar after another with gradio_client, and as many of
the pipeline in this process, in turns so that both see the same noise of the machine, at every size
that the model generates; without a size the page generates the largest.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from gradio_client import Client

from avatar_model import AvatarPipeline
from benchmarks.app_server import running_app
from benchmarks.measure import DEFAULT_MODEL, Call, Model, in_turns, machine, table
from train.command import command

COLD_START_GOAL = 5.0
"""Seconds."""


@contextmanager
def started_page(model: str) -> Iterator[tuple[Client, float]]:
    """A client of a fresh page, and how many seconds it took until its first avatar."""
    started = time.perf_counter()
    with running_app(Path(model).resolve()) as server:
        client = Client(server.address, verbose=False)
        client.predict(seed=0, api_name="/generate")
        yield client, time.perf_counter() - started


def main(model: Model = DEFAULT_MODEL, avatars: int = 30, starts: int = 3) -> None:
    """Print a Markdown table.

    Args:
        avatars: timed requests of each kind.
        starts: timed starts of the page.
    """
    seeds = itertools.count(1)

    def ever_new(generate: Callable[..., object]) -> Call:
        """Another seed for every call: the page remembers what it has generated."""
        return lambda: generate(seed=next(seeds))

    cold = []
    for _ in range(starts - 1):
        with started_page(model) as (_, seconds):
            cold.append(seconds)
    pipeline = AvatarPipeline.from_pretrained(model)
    with started_page(model) as (client, seconds):
        cold.append(seconds)
        ask = partial(client.predict, api_name="/generate")
        calls: dict[str, Call] = {}
        for size in pipeline.sizes:
            given = {} if size == pipeline.sizes[-1] else {"size": size}
            calls[f"{size} pixels, through the page"] = ever_new(partial(ask, **given))
            calls[f"{size} pixels, pipeline alone"] = ever_new(partial(pipeline, size=size))
        times = in_turns(calls, avatars)
    steps = " + ".join(str(stage.defaults["num_inference_steps"]) for stage in pipeline.stages)
    print(f"{machine()}; {steps} steps on {pipeline.device}\n")
    rows = [
        [name, statistics.median(values), np.percentile(values, 95), len(values)]
        for name, values in times.items()
    ]
    first = f"process start to first avatar (goal: {COLD_START_GOAL:.0f})"
    rows.append([first, statistics.median(cold), max(cold), len(cold)])
    print(table(["seconds", "median", "95th percentile, or worst start", "measured"], rows))


if __name__ == "__main__":
    command(main, __doc__)()
