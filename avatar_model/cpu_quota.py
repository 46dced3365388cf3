"""The CPU quota of a container, which torch does not look at: it starts a thread for every core."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import torch

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def follow_cpu_quota() -> None:
    """Have torch compute with no more threads than the quota allows.

    With more, they wait for each other whenever the quota is used up. ``OMP_NUM_THREADS`` decides
    instead, where it is set.
    """
    quota = cpu_quota()
    if quota is not None and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(torch.get_num_threads(), max(1, math.ceil(quota))))


def cpu_quota() -> float | None:
    """The CPUs that the control groups of this process allow it, such as 0.5; None for all.

    See https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max) and, for version 1,
    https://docs.kernel.org/scheduler/sched-bwc.html.
    """
    limits = [quota for folder in _folders() if (quota := _quota(folder)) is not None]
    return min(limits, default=None)


def _folders() -> Iterator[Path]:
    """Those of the groups that the process is in, and of the groups around them."""
    try:
        lines = OWN_CGROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = CGROUPS / "cpu" if controllers else CGROUPS
        folder = root / path.lstrip("/")
        while folder != root:
            yield folder
            folder = folder.parent
        yield root  # in a container that is the group, whatever its path says


def _quota(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
        else:
            quota, period = (
                (folder / f"cpu.cfs_{name}_us").read_text(encoding="utf-8")
                for name in ("quota", "period")
            )
        return float(quota) / float(period) if float(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # "max"
        return None
