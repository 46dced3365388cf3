"""How long a visitor waits: for the page to start, and for one avatar after another.

    python benchmarks/seconds_per_avatar.py --model assets/model

Starts the real page on a free port of this machine, several times for the time from process start
to the first avatar. Then asks it for one avatar after another with gradio_client, and draws the
same avatars with the pipeline in this process, in turns so that both see the same noise of the
machine, at every size that the model draws; without a size the page draws the largest.
AVATAR_BACKEND chooses the backend of both.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gradio_client import Client

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from avatar_model import AvatarPipeline  # noqa: E402
from benchmarks.app_server import running_app  # noqa: E402
from benchmarks.measure import DEFAULT_MODEL, in_turns, machine, table  # noqa: E402

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


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--avatars", type=int, default=30, help="timed requests of each kind")
    parser.add_argument("--starts", type=int, default=3, help="timed starts of the page")
    args = parser.parse_args(arguments)

    cold = []
    for _ in range(args.starts - 1):
        with started_page(args.model) as (_, seconds):
            cold.append(seconds)
    backend = os.environ.get("AVATAR_BACKEND") or "auto"
    pipeline = AvatarPipeline.from_pretrained(args.model, backend=backend)
    with started_page(args.model) as (client, seconds):
        cold.append(seconds)
        # Another seed for every call: the page remembers what it has drawn.
        asked, drawn = itertools.count(1), itertools.count(1)
        calls = {}
        for size in pipeline.sizes:
            given = {} if size == pipeline.sizes[-1] else {"size": size}
            calls |= {
                f"{size} pixels, through the page": lambda given=given: client.predict(
                    seed=next(asked), api_name="/generate", **given
                ),
                f"{size} pixels, pipeline alone": lambda size=size: pipeline(
                    seed=next(drawn), size=size
                ),
            }
        times = in_turns(calls, args.avatars)
    stages = [pipeline.base, *([pipeline.upscaler] if pipeline.upscaler else [])]
    steps = " + ".join(str(stage.defaults["num_inference_steps"]) for stage in stages)
    print(f"{machine()}; {steps} steps, {pipeline.backend} on {pipeline.device}\n")
    rows = [
        [name, statistics.median(values), sorted(values)[int(len(values) * 0.95)], len(values)]
        for name, values in times.items()
    ]
    first = f"process start to first avatar (goal: {COLD_START_GOAL:.0f})"
    rows.append([first, statistics.median(cold), max(cold), len(cold)])
    print(table(["seconds", "median", "95th percentile, or worst start", "measured"], rows))


if __name__ == "__main__":
    main()
