"""The most memory that generating takes: resident set size of a fresh process for each measurement.

    python -m benchmarks.memory

Ours at every size that the model generates, with all its stages loaded.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Literal, get_args

from avatar_model import AvatarPipeline
from train.command import command

from .measure import DEFAULT_MODEL, Batches, Model, machine, table

Kind = Literal["ours", "blog", "follow-up"]
NAMES: dict[Kind, str] = {
    "ours": "ours",
    "blog": "the blog's last network, guided",
    "follow-up": "the follow-up's diffusers UNet, guided",
}
RIVALS_SIZE = 64


def peak_mib() -> int:
    """The largest resident set of this process so far, in MiB.

    From /proc and not from ``getrusage``, which also counts the process that started this one.
    """
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024)


def print_peaks(kind: Kind, batch: int, size: int, model: str) -> None:
    """Generate once and print the peaks in MiB: with everything imported, loaded, generated."""
    peaks = [peak_mib()]
    if kind == "ours":
        pipeline = AvatarPipeline.from_pretrained(model, device="cpu")
        peaks.append(peak_mib())
        pipeline(num_images=batch, seed=0, size=size)
    else:
        from .rivals import BLOG, FOLLOW_UP, preset

        contender = preset(BLOG if kind == "blog" else FOLLOW_UP, measured=1)
        peaks.append(peak_mib())
        contender.generate(batch)
    print(*peaks, peak_mib())


def measure(kind: Kind, batch: int, size: int, model: str) -> list[int]:
    """MiB after importing, loading and generating, in a fresh process."""
    code = "from benchmarks.memory import print_peaks; print_peaks"
    call = f"{code}({kind!r}, {batch}, {size}, {model!r})"
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-c", call], stdout=subprocess.PIPE, text=True, check=True, cwd=root
    )
    return [int(word) for word in done.stdout.split()]


def main(
    model: Model = DEFAULT_MODEL,
    batches: Batches = (1, 16, 64),
    kinds: tuple[Kind, ...] = get_args(Kind),
) -> None:
    """Print a Markdown table.

    Args:
        kinds: what is measured.
    """
    model = str(Path(model).resolve()) if Path(model).exists() else model
    sizes = AvatarPipeline.from_pretrained(model, device="cpu").sizes
    rows = []
    for kind in kinds:
        # The others need minutes for a large batch.
        asked = (sizes, batches) if kind == "ours" else ((RIVALS_SIZE,), batches[:1])
        for size, batch in itertools.product(*asked):
            rows.append([NAMES[kind], size, batch, *measure(kind, batch, size, model)])
    print(f"{machine()}\n")
    head = ["pipeline", "pixels", "batch", "MiB with everything imported", "loaded"]
    print(table([*head, "peak while drawing"], rows))


if __name__ == "__main__":
    command(main, __doc__)()
