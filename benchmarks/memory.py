"""The most memory that drawing takes: resident set size of a fresh process for each measurement.

    python -m benchmarks.memory

Ours at every size that the model draws, with all its stages loaded.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from avatar_model import AvatarPipeline

from .measure import DEFAULT_MODEL, machine, table

OURS = ("torch", "onnx")
RIVALS_SIZE = 64
KINDS = (*OURS, "blog", "follow-up")
NAMES = {
    "torch": "ours, torch",
    "onnx": "ours, onnx",
    "blog": "the blog's last network, guided",
    "follow-up": "the follow-up's diffusers UNet, guided",
}


def peak_mib() -> int:
    """The largest resident set of this process so far, in MiB.

    From /proc and not from ``getrusage``, which also counts the process that started this one.
    """
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024)


def child(kind: str, batch: int, size: int, model: str) -> None:
    """Draw once and print the peaks: with everything imported, loaded, drawn."""
    peaks = [peak_mib()]
    if kind in OURS:
        pipeline = AvatarPipeline.from_pretrained(model, device="cpu", backend=kind)
        peaks.append(peak_mib())
        pipeline(num_images=batch, seed=0, size=size)
    else:
        from .rivals import blog, follow_up

        contender = {"blog": blog, "follow-up": follow_up}[kind](measured=1)
        peaks.append(peak_mib())
        contender.draw(batch)
    print(*peaks, peak_mib())


def measure(kind: str, batch: int, size: int, model: str) -> list[int]:
    """MiB after importing, loading and drawing, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.memory", "--child", kind]
    command += ["--batches", str(batch), "--size", str(size), "--model", model]
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    return [int(word) for word in done.stdout.split()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    model = str(Path(args.model).resolve()) if Path(args.model).exists() else args.model
    if args.child:
        child(args.child, args.batches[0], args.size, model)
        return
    sizes = AvatarPipeline.from_pretrained(model, device="cpu", backend="torch").sizes
    rows = []
    for kind in args.kinds:
        # The others need minutes for a large batch.
        asked = (sizes, args.batches) if kind in OURS else ([RIVALS_SIZE], args.batches[:1])
        for size, batch in itertools.product(*asked):
            rows.append([NAMES[kind], size, batch, *measure(kind, batch, size, model)])
    print(f"{machine()}\n")
    head = ["pipeline", "pixels", "batch", "MiB with everything imported", "loaded"]
    print(table([*head, "peak while drawing"], rows))


if __name__ == "__main__":
    main()
