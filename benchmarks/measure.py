"""What all benchmarks share: timing in turns, counting multiplications, and Markdown tables."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import torch
import tyro
from torch.utils.flop_counter import FlopCounterMode

DEFAULT_MODEL = str(Path(__file__).resolve().parent.parent / "assets" / "model")

Model = Annotated[str, tyro.conf.arg(help="checkpoint folder or Hub repository")]
Batches = Annotated[tuple[int, ...], tyro.conf.arg(help="numbers of avatars at once")]
Rounds = Annotated[int, tyro.conf.arg(help="how often each is timed")]
Call = Callable[[], object]
Key = TypeVar("Key")


def in_turns(calls: Mapping[Key, Call], rounds: int) -> dict[Key, list[float]]:
    """Time every call once a round, so that all of them see the same noise of the machine.

    Args:
        calls: by name; each is called once more before, to warm up.
        rounds: how often each is timed.

    Returns:
        Seconds, entry i of each list from round i.
    """
    for call in calls.values():
        call()
    times: dict[Key, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(seconds(call))
    return times


def seconds(call: Call) -> float:
    """How long ``call()`` takes, with what it has started on a GPU."""
    started = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def ratio(times: Sequence[float], reference: Sequence[float], scale: float = 1.0) -> float:
    """The median over the rounds of scale * times / reference."""
    return scale * statistics.median(a / b for a, b in zip(times, reference, strict=True))


def count_macs(call: Call) -> float:
    """Multiply-accumulates of matrix products and convolutions in ``call()``, in millions.

    On the meta device nothing is computed and the count is the same.
    """
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() / 2e6


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; floats with three significant digits."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}"


def machine() -> str:
    """What it runs on, in a line."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [s for s in info.read_text().splitlines() if s.startswith("model name")]
        cpu = names[0].split(":")[1].strip() if names else cpu
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{cpu}, {torch.get_num_threads()} threads{gpu}, torch {torch.__version__}"
