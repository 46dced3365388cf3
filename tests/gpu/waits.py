"""Where the CPU waits for a GPU."""

from contextlib import contextmanager

import torch


@contextmanager
def told_of_waits(device, how):
    """Where it does: how="error" raises, "warn" warns. On a CPU nobody waits."""
    if device.type == "cuda":
        torch.cuda.set_sync_debug_mode(how)
    try:
        yield
    finally:
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")
