"""The small pictures that an upscaler is trained to make larger, and the base that generated them.

In use its input is *generated* by a base, with a base's errors, so it is trained on what that base
makes of the training images' attributes, and on a share of true small pictures (cascaded diffusion,
Ho et al., arXiv 2106.15282, section 4). Every picture is generated once, into the cache of packed
data sets.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from avatar_model import AvatarPipeline
from avatar_model.atomic import moved_into_place
from avatar_model.checkpoint import fingerprint
from avatar_model.config import check_upscaler
from train.data.dataset import PackedSet, open_dataset
from train.data.errors import DatasetError
from train.data.labels import fit_to
from train.data.packing import check_space
from train.data.splits import SPLITS
from train.evaluation.generate import generate_batches
from train.loop.config import TrainConfig
from train.loop.initial_network import check_held_out


@dataclass(frozen=True)
class LowRes:
    """Two small pictures for every row of a data set.

    Attributes:
        base: the model of one stage that generated them; it goes into every checkpoint.
        true: uint8 [N, h, w, 4], premultiplied RGBA, of the data set.
        generated: the same of the base, for the same attributes.
    """

    base: AvatarPipeline
    true: np.ndarray
    generated: np.ndarray


def load_base(name: str, device: str | torch.device | None = None) -> AvatarPipeline:
    """The first stage of a checkpoint, a folder or a Hub repository.

    Raises:
        CheckpointError: it cannot be loaded.
        ValueError: it has seen images that are held out today.
    """
    base = AvatarPipeline.from_pretrained(name, device=device, upscaler=False)
    check_held_out(f"base: {name}", base.training)
    return base


def follow_base(config: TrainConfig, base: AvatarPipeline) -> TrainConfig:
    """The run with the crop, the pixel range and the channels of its base.

    Raises:
        ValueError: its pictures have another size than the model starts from.
    """
    theirs = base.network.config
    model = replace(
        config.model,
        crop=theirs.crop,
        pixel_range=theirs.pixel_range,
        image_channels=theirs.image_channels,
    )
    try:
        check_upscaler(model, theirs)
    except ValueError as error:
        raise ValueError(f"the model does not fit the base {config.base}: {error}") from None
    return replace(config, model=model)


def fit_to_base(base: AvatarPipeline, data: PackedSet) -> PackedSet:
    """``data`` without what the base never saw and cannot draw.

    Raises:
        DatasetError: it has other labels than the base.
    """
    vocabularies = {"base": base.vocabulary}
    return fit_to(data, vocabularies, "trained on other values of {name} than the data set has")


def open_low_res(base: AvatarPipeline, source: str, data: PackedSet) -> LowRes:
    """The small pictures of ``data``, generated now unless this base has done so before.

    Args:
        source: of ``data``, as for ``open_dataset``.
        data: the large pictures, with the crop of the base, as from ``fit_to_base``.

    Raises:
        DatasetError: no room for them, or ``data`` has other labels than the base.
    """
    config = base.network.config
    data = fit_to_base(base, data)
    assert data.folder is not None, "a packed data set lies in a folder"
    small = open_dataset(source, config.image_size, data.folder.parent, config.crop)
    assert small.folder is not None
    if small.ids != data.ids:
        raise DatasetError(f"{source} has changed while it was packed; start again")
    settings = [fingerprint(base.network), base.defaults]
    key = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=8).hexdigest()
    path = small.folder.with_name(f"{small.folder.name}-drawn-{key}.npy")
    if not path.exists():
        try:
            _generate(path, base, replace(small, vocabulary=data.vocabulary))
        except OSError as error:
            raise DatasetError(f"cannot keep the base's pictures in {path}: {error}") from error
    return LowRes(base, small.images, np.load(path, mmap_mode="r"))


def _generate(path: Path, base: AvatarPipeline, data: PackedSet) -> None:
    """Generate one picture per row into an array file, moved into place when it is whole.

    Rows that are in no split have a value that nothing was trained on, and stay empty.
    """
    check_space(path.parent, data.images.nbytes)
    used = np.sort(np.concatenate([data.split(name) for name in SPLITS]))
    bar = tqdm(total=len(used), desc="drawing small pictures", unit=" images")
    with moved_into_place(path) as building, bar:
        kept = np.lib.format.open_memmap(building, "w+", np.uint8, data.images.shape)
        for images, _ in generate_batches(base, data.attributes[used]):
            kept[used[bar.n : bar.n + len(images)]] = images
            bar.update(len(images))
        kept.flush()
