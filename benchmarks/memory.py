"""The most memory that drawing takes: resident set size of a fresh process for each measurement.

python -m benchmarks.memory
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .measure import DEFAULT_MODEL, machine, table

KINDS = ("torch", "onnx", "blog", "follow-up")
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


def child(kind: str, batch: int, model: str) -> None:
    """Draw once and print the peaks: with everything imported, loaded, drawn."""
    from avatar_model import AvatarPipeline

    peaks = [peak_mib()]
    if kind in ("torch", "onnx"):
        pipeline = AvatarPipeline.from_pretrained(model, device="cpu", backend=kind)
        peaks.append(peak_mib())
        pipeline(num_images=batch, seed=0)
    else:
        from .rivals import blog, follow_up

        contender = {"blog": blog, "follow-up": follow_up}[kind](measured=1)
        peaks.append(peak_mib())
        contender.draw(batch)
    print(*peaks, peak_mib())


def measure(kind: str, batch: int, model: str) -> list[int]:
    """MiB after importing, loading and drawing, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.memory", "--child", kind]
    command += ["--batches", str(batch), "--model", model]
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
    args = parser.parse_args(arguments)
    model = str(Path(args.model).resolve()) if Path(args.model).exists() else args.model
    if args.child:
        child(args.child, args.batches[0], model)
        return
    rows = []
    for kind in args.kinds:
        # The others need minutes for a large batch.
        batches = args.batches if kind in ("torch", "onnx") else args.batches[:1]
        rows += [[NAMES[kind], batch, *measure(kind, batch, model)] for batch in batches]
    print(f"{machine()}\n")
    head = ["pipeline", "batch", "MiB with everything imported", "loaded", "peak while drawing"]
    print(table(head, rows))


if __name__ == "__main__":
    main()
