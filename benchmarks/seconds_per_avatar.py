"""How long a visitor waits: one avatar at a time, through the page's endpoint and without it.

    python benchmarks/seconds_per_avatar.py --model assets/model

Starts the real page on a free port of this machine, asks it for one avatar after another with
gradio_client, and draws the same avatars with the pipeline in this process, in turns so that both
see the same noise of the machine. Prints medians, and the time from process start to the first
avatar.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from gradio_client import Client

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from avatar_model import AvatarPipeline  # noqa: E402


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def connect(url: str, process: subprocess.Popen) -> Client:
    """A client of the page as soon as it answers."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return Client(url, verbose=False)
        except Exception:  # whatever it is, the page is not up yet
            time.sleep(0.1)
    raise SystemExit("the page did not start")


def seconds(call: object) -> float:
    """How long ``call()`` takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default=str(ROOT / "assets" / "model"))
    parser.add_argument("--avatars", type=int, default=30, help="timed requests of each kind")
    args = parser.parse_args()

    port = free_port()
    started = time.perf_counter()
    page = subprocess.Popen(
        [sys.executable, ROOT / "app.py", "--port", str(port)],
        env={**os.environ, "AVATAR_MODEL": str(Path(args.model).resolve())},
        stdout=subprocess.DEVNULL,
    )
    try:
        client = connect(f"http://127.0.0.1:{port}", page)

        def through_page(seed: int) -> None:
            client.predict(seed=seed, api_name="/generate")

        through_page(0)
        print(f"process start to first avatar: {time.perf_counter() - started:.1f} s")
        pipeline = AvatarPipeline.from_pretrained(args.model)
        pipeline(seed=0)
        times = {"through the page": [], "pipeline alone": []}
        for seed in range(1, args.avatars + 1):
            times["through the page"].append(seconds(lambda seed=seed: through_page(seed)))
            times["pipeline alone"].append(seconds(lambda seed=seed: pipeline(seed=seed)))
    finally:
        page.terminate()
        page.wait(timeout=20)
    steps = pipeline.defaults["num_inference_steps"]
    print(
        f"{steps} steps, {torch.get_num_threads()} threads, {pipeline.device}, {args.avatars} each"
    )
    for name, values in times.items():
        print(
            f"{name}: median {statistics.median(values):.3f} s, "
            f"95th percentile {sorted(values)[int(len(values) * 0.95)]:.3f} s"
        )


if __name__ == "__main__":
    main()
