"""The data of a run on its way to the network: a step is read while the one before is computed."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from avatar_model.attributes import one_hot

from .batches import batch_rows
from .config import TrainConfig
from .low_res import LowRes
from .packed import PackedSet

DEVICE_SHARE = 0.5
"""Of a GPU's free memory: data sets up to this are copied there once; others are read ahead."""


class Pictures(NamedTuple):
    """A process's own share of a batch.

    Attributes:
        images: uint8 [b, H, W, 4], premultiplied RGBA.
        true, drawn: uint8 [b, h, w, 4], the small pictures of an upscaler, else None.
    """

    images: Tensor
    true: Tensor | None = None
    drawn: Tensor | None = None

    def rows(self, rows: slice) -> Pictures:
        """The part that belongs to some of the images."""
        return Pictures(*(None if value is None else value[rows] for value in self))


class TrainingData:
    """The images of every step, as tensors on the device.

    Args:
        rows: of ``data``, those that are trained on.
        own: which part of a batch is this process's.
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
        self._one_hot = torch.from_numpy(one_hot(data.attributes)).to(device)
        arrays = [data.images, *((low_res.true, low_res.drawn) if low_res else ())]
        # Memory-mapped, unless they are copied once: indexing on a GPU costs nothing.
        self._arrays: list[np.ndarray] | list[Tensor] = arrays
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if sum(array.nbytes for array in arrays) <= DEVICE_SHARE * free:
                self._arrays = [torch.tensor(np.asarray(a), device=device) for a in arrays]
        self._reader = ThreadPoolExecutor(1, "read-ahead")
        self._next: tuple[int, Future[list[Tensor]]] | None = None

    def one_hot(self, step: int) -> Tensor:
        """The attributes of the whole batch of a step, [B, 217]."""
        return self._one_hot[self._step_rows(step)]

    def pictures(self, step: int) -> Pictures:
        """The pictures of a step; steps mostly follow one another."""
        if self._next is None or self._next[0] != step:
            self._next = step, self._reader.submit(self._read, step)
        pictures = self._next[1].result()
        self._next = step + 1, self._reader.submit(self._read, step + 1)
        return Pictures(*(picture.to(self._device, non_blocking=True) for picture in pictures))

    def _read(self, step: int) -> list[Tensor]:
        rows = self._step_rows(step)[self._own]
        if isinstance(self._arrays[0], Tensor):
            return [array[rows] for array in self._arrays]
        read = [torch.from_numpy(array[rows]) for array in self._arrays]
        # From pinned memory a copy to the GPU runs beside the computation.
        return [x.pin_memory() for x in read] if self._device.type == "cuda" else read

    def _step_rows(self, step: int) -> np.ndarray:
        config = self._config
        return self._rows[batch_rows(step, config.batch_size, len(self._rows), config.seed)]
