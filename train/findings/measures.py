"""What a checkpoint is measured by: each number of each image, and the pictures themselves.

Per image, on attribute combinations never trained on: the loss with fixed noise; PSNR on white
against the one right picture; whether hair and face have the colour that was asked for, read from
the pixels; and how grainy the picture is. Per run: the kernel distance of shapes and colours
between all drawn avatars and real ones (KD-shape), the only number that an unconditional model can
be judged by.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from scipy.ndimage import median_filter

from avatar_model import AvatarPipeline
from avatar_model.attributes import NAMES, one_hot
from avatar_model.denoiser import Denoiser
from avatar_model.images import on_white, to_model, to_pixels
from train.data.packed import PackedSet
from train.evaluation.distribution import MIN_SAMPLES, compare_distributions
from train.evaluation.embedding import shape_and_colour
from train.evaluation.generate import generate_avatars
from train.evaluation.palette import measure_palette
from train.evaluation.psnr import psnr
from train.loop.objective import Randomness, diffusion_loss, make_noise

COLOURS = {"hair": "hair_color", "face": "face_color"}
"""What is read from the pixels, and the attribute that asks for it."""

OTHER_REAL = 1024
"""Real training images from which the kernel distance takes its components and its floor."""
MAX_COMPONENTS = 32
LOSS_NOISES = 2
OTHERS = 8
MAX_PSNR = 60.0
"""In dB. One level of 255 is 48; equal pictures would be infinite and have no mean."""
_LOSS_BATCH = 64


@dataclass(frozen=True)
class Reference:
    """What the numbers of a run are to be seen against.

    Attributes:
        images: how many unseen combinations were drawn at the end of a run.
        chance: colour measure -> the accuracy of always drawing the most frequent colour.
        readable: colour measure -> the number of images whose real picture shows its colour.
        mean_image_psnr: of drawing the mean training image whatever is asked, in dB.
        noise_psnr: of pure noise, in dB.
        real_grain, noise_grain: of real images, and of pure noise.
        real_kernel, noise_kernel: KD-shape of other real images, and of pure noise; None where
            there are too few images.
    """

    images: int
    chance: dict[str, float]
    readable: dict[str, int]
    mean_image_psnr: float
    noise_psnr: float
    real_grain: float
    noise_grain: float
    real_kernel: float | None
    noise_kernel: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


class Measures:
    """Measures drawn avatars against the real ones of the validation split.

    Args:
        data: the whole data set, at the size of the images that are drawn.
        count: how many combinations to draw, the first of the split.
    """

    def __init__(self, data: PackedSet, count: int) -> None:
        self.truth = data.take(data.split("validation")[:count])
        self.seen = on_white(self.truth.images)
        train = data.take(data.split("train"))
        palette = measure_palette(train)
        self.palette = palette
        self.regions, self.asked, self.readable = {}, {}, {}
        for name, attribute in COLOURS.items():
            asked = self.truth.attributes[:, NAMES.index(attribute)].astype(np.int64)
            region = palette.regions(attribute, self.truth.images, self.truth.attributes)
            self.regions[name], self.asked[name] = region, asked
            # Hair of a bald head has no colour to get right.
            self.readable[name] = palette.read(attribute, self.truth.images, region) == asked
        rows = np.random.default_rng(0).permutation(len(train))[:OTHER_REAL]
        self.others = shape_and_colour(train.images[np.sort(rows)])
        self.features = shape_and_colour(self.truth.images)
        self.mean_image = on_white(train.images[:OTHER_REAL]).mean(axis=0)

    def reference(self) -> Reference:
        """What any run is to be seen against."""
        real = on_white(self.truth.images)
        noise = torch.randn(
            (len(real), 4, *real.shape[1:3]), generator=torch.Generator().manual_seed(0)
        )
        drawn = to_pixels(noise)
        floor = self.compare(drawn)
        readable = {name: int(rows.sum()) for name, rows in self.readable.items()}
        return Reference(
            images=len(real),
            chance={
                name: float(np.bincount(asked[rows]).max() / rows.sum()) if rows.any() else 1.0
                for (name, asked), rows in zip(
                    self.asked.items(), self.readable.values(), strict=True
                )
            },
            readable=readable,
            mean_image_psnr=float(psnr(np.broadcast_to(self.mean_image, real.shape), real).mean()),
            noise_psnr=float(psnr(on_white(drawn), real).mean()),
            real_grain=float(grain(self.truth.images).mean()),
            noise_grain=float(grain(drawn).mean()),
            real_kernel=floor["floor"] if floor else None,
            noise_kernel=floor["value"] if floor else None,
        )

    def per_image(self, drawn: np.ndarray) -> dict[str, np.ndarray]:
        """Every measure of every avatar.

        Args:
            drawn: uint8 premultiplied RGBA [n, H, W, 4], of the first n combinations.

        Returns:
            float64 [n] each: ``psnr`` in dB, and ``other``, the mean of the same against eight
            other people; ``grain``, see below; ``hair`` and ``face``, 1 for the right colour, 0
            for another, NaN where the real picture does not show it.
        """
        n = len(drawn)
        seen = on_white(drawn)
        found = {
            "psnr": psnr(seen, self.seen[:n]).clip(max=MAX_PSNR),
            "other": self._psnr_to_others(seen),
            "grain": grain(drawn),
        }
        for name, attribute in COLOURS.items():
            read = self.palette.read(attribute, drawn, self.regions[name][:n])
            right = (read == self.asked[name][:n]).astype(np.float64)
            found[name] = np.where(self.readable[name][:n], right, np.nan)
        return found

    def _psnr_to_others(self, seen: np.ndarray) -> np.ndarray:
        """The mean PSNR against the following people of the list, which ends in its beginning."""
        others = (np.roll(self.seen, -shift, axis=0)[: len(seen)] for shift in range(1, OTHERS + 1))
        return np.mean([psnr(seen, other).clip(max=MAX_PSNR) for other in others], axis=0)

    def compare(self, drawn: np.ndarray) -> dict[str, Any] | None:
        """KD-shape: ``value``, ``interval`` (95 %), ``floor``; None for too few images.

        Args:
            drawn: uint8 premultiplied RGBA [N, H, W, 4], of all combinations.
        """
        count = len(drawn)
        if count < MIN_SAMPLES:
            return None
        components = min(MAX_COMPONENTS, count // 2)
        found = compare_distributions(
            self.features, shape_and_colour(drawn), self.others, components=components
        )
        return {key: found["kernel"][key] for key in ("value", "interval", "floor")}


def grain(images: np.ndarray) -> np.ndarray:
    """How grainy pictures are: the mean distance of a pixel from the median of its 3x3 neighbours.

    Flat colours and straight edges have none, noise has much.

    Args:
        images: uint8 premultiplied RGBA [N, H, W, 4], seen on white.

    Returns:
        float64 [N], in levels of 255.
    """
    seen = on_white(images).astype(np.float64)
    return np.abs(seen - median_filter(seen, size=(1, 3, 3, 1))).mean(axis=(1, 2, 3))


def draw(pipeline: AvatarPipeline, truth: PackedSet, count: int) -> np.ndarray:
    """An avatar for each of the first ``count`` combinations: uint8 [count, H, W, 4].

    Image i has the same noise in every run; sampler, steps and guidance are the checkpoint's own.
    """
    return generate_avatars(pipeline, truth.attributes[:count], seed=0)[0]


@torch.inference_mode()
def validation_loss(pipeline: AvatarPipeline, truth: PackedSet, count: int) -> np.ndarray:
    """The training loss of the averaged weights on the first images of ``truth``, float64 [count].

    Times and noise are the same whatever the run, and no attribute is dropped: what differs
    between two runs is the model.
    """
    network, config = pipeline.network, pipeline.network.config
    denoiser = Denoiser.from_config(network, config)
    conditions = torch.from_numpy(one_hot(truth.attributes))
    losses = []
    for seed in range(LOSS_NOISES):
        # Of all images, however many are looked at; on the CPU, so the same on every machine.
        generator = torch.Generator().manual_seed(seed)
        noise = make_noise(conditions, config.image_size, generator, 0.0, 0.0)
        for start in range(0, count, _LOSS_BATCH):
            rows = slice(start, min(start + _LOSS_BATCH, count))
            x0 = to_model(truth.images[rows], config.pixel_range).to(pipeline.device)
            of_rows = noise.rows(rows)  # an upscaler's part of a draw is None
            part = Randomness(*(v if v is None else v.to(pipeline.device) for v in of_rows))
            losses.append(diffusion_loss(denoiser, x0, part).double().cpu())
    return torch.cat(losses).view(LOSS_NOISES, count).mean(0).numpy()
