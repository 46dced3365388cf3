"""The data of a run on its way to the network: a step is read while the one before is computed."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from avatar_model.attributes import one_hot
from avatar_model.device import send
from train.data.batches import batch_rows
from train.data.dataset import PackedSet
from train.loop.config import TrainConfig
from train.loop.low_res import LowRes

DEVICE_SHARE = 0.5
"""Of a GPU's free memory: data sets up to this are copied there once; others are read ahead."""


class Pictures(NamedTuple):
    """A process's own share of a batch.

    Attributes:
        images: uint8 [b, H, W, 4], premultiplied RGBA.
        true, generated: uint8 [b, h, w, 4], the small pictures of an upscaler, else None.
    """

    images: Tensor
    true: Tensor | None = None
    generated: Tensor | None = None

    def rows(self, rows: slice) -> Pictures:
        """The part that belongs to some of the images."""
        return Pictures._make(None if value is None else value[rows] for value in self)


class TrainingData:
    """The images of every step, as tensors on the device.

    Args:
        rows: of ``data``, those that are trained on.
        own: which part of a batch is this process's.
        device: with its number, if it is a GPU.
        low_res: of an upscaler.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: PackedSet,
        rows: np.ndarray,
        own: slice,
        device: torch.device,
        low_res: LowRes | None = None,
    ) -> None:
        self._config, self._rows, self._own, self._device = config, rows, own, device
        self._one_hot = one_hot(data.attributes)
        arrays = [data.images, *((low_res.true, low_res.generated) if low_res else ())]
        # Memory-mapped, unless they are copied once: indexing on a GPU costs nothing.
        self._arrays: list[np.ndarray] | list[Tensor] = arrays
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if sum(array.nbytes for array in arrays) <= DEVICE_SHARE * free:
                self._arrays = [torch.tensor(np.asarray(a), device=device) for a in arrays]
        self._reader = ThreadPoolExecutor(1, "read-ahead")
        self._next: tuple[int, Future[tuple[Tensor, Pictures]]] | None = None

    def batch(self, step: int) -> tuple[Tensor, Pictures]:
        """The attributes of the whole batch of a step, [B, 217], and this process's pictures.

        Steps mostly follow one another, so the next one is read meanwhile.
        """
        if self._next is None or self._next[0] != step:
            self._next = step, self._reader.submit(self._read, step)
        batch = self._next[1].result()
        self._next = step + 1, self._reader.submit(self._read, step + 1)
        return batch

    def _read(self, step: int) -> tuple[Tensor, Pictures]:
        # On a CPU without a torch operation: a thread that makes one gets threads of its own for
        # it, which then compete with those of the network.
        config, count = self._config, len(self._rows)
        rows = self._rows[batch_rows(step, config.batch_size, count, config.seed)]
        if isinstance(self._arrays[0], Tensor):
            there = self._send(rows[self._own])
            own = [array[there] for array in self._arrays]
        else:
            own = [self._send(array[rows[self._own]]) for array in self._arrays]
        return self._send(self._one_hot[rows]), Pictures(*own)

    def _send(self, array: np.ndarray) -> Tensor:
        return send(torch.from_numpy(array), self._device)
