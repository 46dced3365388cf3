"""Where to compute: a device by its name, refused by name if it is not here; and the way there."""

from __future__ import annotations

import torch
from torch import Tensor

from .errors import AvatarError


class DeviceError(AvatarError, ValueError):
    """A device that is not here; the message lists those that are."""


def choose_device(name: str | torch.device | None = None) -> torch.device:
    """The device called ``name``.

    Args:
        name: "cpu"; "cuda", the current GPU; "cuda:1", the second one; "mps" on a Mac. By default
            the current GPU if there is one, else the CPU.

    Raises:
        DeviceError: there is no such device here.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = ["mps"] if torch.backends.mps.is_available() else []
    known = ["cpu", *(f"cuda:{i}" for i in range(gpus)), *mps]
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = None
    if device is None or not {str(device), f"{device}:0"} & {"cpu:0", *known}:
        raise DeviceError(f"there is no device {str(name)!r:.80} here, only {', '.join(known)}")
    return device


def send(x: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device; neither a GPU nor the CPU waits for the copy."""
    if device.type != "cuda":
        return x.to(device)
    with torch.cuda.device(device):  # memory is pinned for the thread's current GPU
        return x.pin_memory().to(device, non_blocking=True)
