"""What a checkpoint is measured by, on attribute combinations never trained on.

An unconditional model has no right answers. It can be judged by how well it restores noisy
pictures, which is what it is trained for, and by the kernel distance of shapes and colours between
all generated and real avatars (KD-shape).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.ndimage import median_filter

from avatar_model import AvatarPipeline
from avatar_model.attributes import NAMES, one_hot
from avatar_model.denoiser import Denoiser
from avatar_model.images import on_white, to_model, to_pixels
from train.data.dataset import PackedSet
from train.evaluation.distribution import MIN_SAMPLES, compare_distributions
from train.evaluation.embedding import shape_and_colour
from train.evaluation.palette import measure_palette
from train.evaluation.psnr import psnr
from train.loop.objective import Randomness, diffusion_loss, make_noise

COLOURS = {"hair": "hair_color", "face": "face_color"}
"""What is read from the pixels, and the attribute that asks for it."""
PER_IMAGE = ("loss", "restored", "psnr", "likeness", "clean", *COLOURS)
"""What is kept of every image: ``validation_loss``, ``restoration``, and what
``GroundTruth.per_image`` finds."""
RESTORED_FROM = (0.1, 0.2, 0.4, 0.75)
"""Noise of which ``restoration`` frees pictures: its deviation, where black to white is 1."""
OTHER_REAL = 1024
"""Real training images from which the kernel distance takes its components and its floor."""
MAX_COMPONENTS = 32
LOSS_NOISES = 2
OTHERS = 8
MAX_PSNR = 60.0
"""In dB. One level of 255 is 48; equal pictures would be infinite and have no mean."""
_LOSS_BATCH = 64


class GroundTruth:
    """The real avatars of the validation split, which generated ones are measured against.

    Args:
        data: the whole data set, at the size of the images that are generated.
        count: how many combinations to generate, the first of the split.
    """

    def __init__(self, data: PackedSet, count: int) -> None:
        self.people = data.take(data.split("validation")[:count])
        self.train = data.take(data.split("train"))
        self.palette = measure_palette(self.train)
        rows = np.random.default_rng(0).permutation(len(self.train))[:OTHER_REAL]
        self.others = shape_and_colour(self.train.images[np.sort(rows)])
        self.features = shape_and_colour(self.people.images)
        shape, generator = self.people.images.shape, torch.Generator().manual_seed(0)
        self.noise = to_pixels(torch.randn((shape[0], 3, *shape[1:3]), generator=generator))
        self.grains = grain(self.people.images).mean(), grain(self.noise).mean()

    def reference(self) -> dict[str, Any]:
        """What the numbers of any run are to be seen against, for JSON.

        Returns:
            ``images``: how many combinations there are. ``chance``: by colour, the accuracy of
            always choosing the most frequent one; ``readable``: how many real pictures show theirs.
            In dB, ``mean_image_psnr``: of showing the mean training image whatever is asked;
            ``noise_psnr``: of pure noise. ``real_kernel``, ``noise_kernel``: KD-shape of other real
            images, and of pure noise; None where there are too few. ``real_grain``,
            ``noise_grain``: see ``grain``.
        """
        seen, perfect = on_white(self.people.images), self.per_image(self.people.images)
        mean_image = on_white(self.train.images[:OTHER_REAL]).mean(axis=0)
        kernel = self.kernel_distance(self.noise) or {"floor": None, "value": None}
        chance, readable = {}, {}
        for name, attribute in COLOURS.items():
            asked = self.people.attributes[~np.isnan(perfect[name]), NAMES.index(attribute)]
            readable[name] = len(asked)
            chance[name] = np.bincount(asked).max() / len(asked) if len(asked) else 1.0
        return {
            "images": len(seen),
            "chance": chance,
            "readable": readable,
            "mean_image_psnr": psnr(np.broadcast_to(mean_image, seen.shape), seen).mean(),
            "noise_psnr": psnr(on_white(self.noise), seen).mean(),
            "real_grain": self.grains[0],
            "noise_grain": self.grains[1],
            "real_kernel": kernel["floor"],
            "noise_kernel": kernel["value"],
        }

    def per_image(self, generated: np.ndarray) -> dict[str, np.ndarray]:
        """Every measure of every avatar, higher is better.

        Args:
            generated: uint8 premultiplied RGBA [n, H, W, 4], of the first n combinations.

        Returns:
            float64 [n] each: ``psnr`` in dB; ``likeness``, how much more that is than the mean of
            the same against eight other people; ``clean``, the grain on a scale from 0, pure
            noise, to 1, real images; ``hair`` and ``face``, 1 for the right colour, 0 for another,
            NaN where the real picture does not show it.
        """
        n, seen, (real, noise) = len(generated), on_white(generated), self.grains
        images, attributes = self.people.images, self.people.attributes[:n]
        others = (on_white(np.roll(images, -i, axis=0)[:n]) for i in range(OTHERS + 1))
        right, *wrong = (psnr(seen, other).clip(max=MAX_PSNR) for other in others)
        found = {
            "psnr": right,
            "likeness": right - np.mean(wrong, axis=0),
            "clean": (noise - grain(generated)) / (noise - real),
        }
        for name, attribute in COLOURS.items():
            asked = attributes[:, NAMES.index(attribute)]
            regions = self.palette.regions(attribute, images[:n], attributes)
            shown, readable = (
                self.palette.read(attribute, x, regions) == asked for x in (generated, images[:n])
            )
            # Hair of a bald head has no colour to get right.
            found[name] = np.where(readable, shown, np.nan)
        return found

    def kernel_distance(self, generated: np.ndarray) -> dict[str, Any] | None:
        """KD-shape: ``value``, ``interval`` (95 %), ``floor``; None for too few images.

        Args:
            generated: uint8 premultiplied RGBA [N, H, W, 4], of all combinations.
        """
        if len(generated) < MIN_SAMPLES:
            return None
        components = min(MAX_COMPONENTS, len(generated) // 2)
        features = shape_and_colour(generated)
        found = compare_distributions(self.features, features, self.others, components=components)
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


@torch.inference_mode()
def validation_loss(pipeline: AvatarPipeline, people: PackedSet, count: int) -> np.ndarray:
    """The training loss of a checkpoint on the first images of ``people``, float64 [count].

    Times and noise are the same whatever the run, and no attribute is dropped: what differs
    between two runs is the model.
    """
    config = pipeline.network.config
    denoiser = Denoiser.from_config(pipeline.network, config)
    conditions = torch.from_numpy(one_hot(people.attributes))
    losses = []
    for seed in range(LOSS_NOISES):
        # Of all images, however many are looked at; on the CPU, so the same on every machine.
        generator = torch.Generator().manual_seed(seed)
        noise = make_noise(conditions, config, generator, 0.0)
        for start in range(0, count, _LOSS_BATCH):
            rows = slice(start, min(start + _LOSS_BATCH, count))
            pictures = people.images[rows]
            x0 = to_model(pictures, config.pixel_range, config.image_channels).to(pipeline.device)
            t, eps, conditions_of_rows, _ = noise.rows(rows)
            part = (x.to(pipeline.device) for x in (t, eps, conditions_of_rows))
            losses.append(diffusion_loss(denoiser, x0, Randomness(*part)).double().cpu())
    return torch.cat(losses).view(LOSS_NOISES, count).mean(0).numpy()


@torch.inference_mode()
def restoration(pipeline: AvatarPipeline, people: PackedSet, count: int) -> np.ndarray:
    """PSNR in dB, on white, of the first images of ``people`` restored from noise, float64 [count].

    The noise is as strong as ``RESTORED_FROM`` says, in pixels, whatever the model's pixel range
    and schedule: two models are given the same noisy pictures, and the mean over the strengths is
    taken. NaN for a schedule that never has so much noise.
    """
    config = pipeline.network.config
    denoiser = Denoiser.from_config(pipeline.network, config)
    low, high = config.pixel_range
    grid = torch.linspace(0, 1, 10_001, dtype=torch.float64)[1:]
    falls = -denoiser.schedule.log_snr(grid).numpy()
    found = []
    for seed, strength in enumerate(RESTORED_FROM):
        wanted = 2 * np.log(strength * (high - low))
        if wanted > falls[-1]:
            return np.full(count, np.nan)
        time = np.interp(wanted, falls, grid.numpy())
        generator = torch.Generator().manual_seed(seed)
        for start in range(0, count, _LOSS_BATCH):
            pictures = people.images[start : min(start + _LOSS_BATCH, count)]
            x0 = to_model(pictures, config.pixel_range, config.image_channels)
            eps = torch.randn(x0.shape, generator=generator)
            t = torch.full((len(x0),), float(time))
            rows = torch.from_numpy(one_hot(people.attributes[start : start + len(x0)]))
            inputs = (x.to(pipeline.device) for x in (denoiser.noised(x0, eps, t), t, rows))
            restored = denoiser(*inputs)
            seen = on_white(to_pixels(restored, config.pixel_range))
            found.append(psnr(seen, on_white(pictures)).clip(max=MAX_PSNR))
    return np.concatenate(found).reshape(len(RESTORED_FROM), count).mean(0)
