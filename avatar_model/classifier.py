"""``AvatarClassifier``: avatars in, the 18 attributes they show out, with honest probabilities.

It shares no code and no weights with the network that draws, so that it can judge what that draws.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor, nn

from .arguments import whole
from .attributes import ATTRIBUTES, NAMES, OFFSETS, ONE_HOT_SIZE, SIZES, Vocabulary, attribute
from .checkpoint import (
    CONFIG_FILE,
    FORMAT,
    WEIGHTS_FILE,
    CheckpointError,
    _load_weights,
    _read_config,
    fetch_checkpoint,
    write_atomically,
)
from .device import choose_device
from .images import DEFAULT_CROP, SOURCE_SIZE, recrop, to_model

BATCH = 64
GRID = 8
"""Side of the map that is flattened, at most."""

Hidden = Mapping[str, Mapping[str, Sequence[int]]]


class AttributeClassifier(nn.Module):
    """A plain residual network (He et al., arXiv 1512.03385) with BatchNorm and no attention.

    Cartoon faces all stand in the same place, so the last map is flattened, not averaged: where a
    brow is matters as much as what it looks like.

    Args:
        image_size: side of the pictures in pixels, a multiple of 8.
        channels: of the maps at 1/2, 1/4 and 1/8 of the picture's side.
        width: number of features, D.

    Raises:
        ValueError: ``image_size`` is not a multiple of 8.
    """

    def __init__(
        self,
        image_size: int = 64,
        channels: Sequence[int] = (32, 64, 96),
        width: int = 256,
    ) -> None:
        super().__init__()
        if image_size < 8 or image_size % 8:
            raise ValueError(f"image_size must be a multiple of 8, not {image_size}")
        self.config = {
            "image_size": image_size,
            "channels": list(channels),
            "width": width,
        }
        fine, middle, coarse = channels
        # Brows differ by fractions of a pixel: the first layer looks at every pixel before halving.
        self.stem = nn.Sequential(
            _conv(4, fine // 2, 3),
            nn.BatchNorm2d(fine // 2),
            nn.ReLU(),
            _conv(fine // 2, fine, 3, stride=2),
            nn.BatchNorm2d(fine),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential(
            ResidualBlock(fine, fine),
            ResidualBlock(fine, middle, stride=2),
            ResidualBlock(middle, coarse, stride=2),
        )
        side = min(GRID, image_size // 8)
        self.neck = nn.Sequential(
            nn.AdaptiveAvgPool2d(side),
            nn.Flatten(),
            nn.Linear(coarse * side * side, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        )
        self.head = nn.Linear(width, ONE_HOT_SIZE)

    def features(self, x: Tensor) -> Tensor:
        """What the logits are a linear function of: float32 [N, 4, H, W] in [-1, 1] -> [N, D]."""
        x = self.stem(x)  # [N, C, H/2, W/2]
        x = self.blocks(x)  # [N, C', H/8, W/8]
        return self.neck(x)  # [N, D]

    def forward(self, x: Tensor) -> Tensor:
        """Logits of all values: float32 [N, 4, H, W], premultiplied in [-1, 1] -> [N, 217]."""
        return self.head(self.features(x))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a short cut; ``stride`` 2 halves the map."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.norm1 = _conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.norm2 = _conv(outputs, outputs, 3), nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs or stride != 1:
            self.shortcut = nn.Sequential(
                _conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H / stride, W / stride]."""
        h = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(h)) + self.shortcut(x))


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


@dataclass(frozen=True)
class Reading:
    """What the classifier sees; row i of each array belongs to picture i.

    Attributes:
        values: int64 [N, 18], the most probable values.
        probabilities: float32 [N, 217], a distribution within each attribute's slice; of a hidden
            attribute, the frequencies of the training data.
        features: float32 [N, D], the penultimate layer.
    """

    values: np.ndarray
    probabilities: np.ndarray
    features: np.ndarray


class AvatarClassifier:
    """Reads the attributes of avatars with a trained network.

    Example:
        >>> classifier = AvatarClassifier.from_pretrained("assets/classifier")
        >>> classifier(load_avatar(Image.open("cs123.png"))[None]).values

    Args:
        network: set to evaluation mode.
        vocabulary: of the training data; a value with count 0 gets no probability.
        accuracy: per attribute, on held-out pictures that show it.
        hidden: attribute -> {other attribute: its values under which the attribute cannot be
            seen}. Learned from the pixels of the validation split, whatever the data set: ``a`` is
            hidden under value v of ``b`` when, on at least 10 pictures with b = v, ``a`` is read
            no better than half way between always guessing its most common value and the accuracy
            on all other pictures, and chance alone would not explain so low an accuracy.
        training: how it was trained, for people to read.
        crop: what of a 500x500 picture it was trained to see, see ``images.load_avatar``; small
            things are read only at the size they have there.

    Raises:
        ValueError: ``crop`` is out of range.
    """

    def __init__(
        self,
        network: AttributeClassifier,
        vocabulary: Vocabulary,
        accuracy: Mapping[str, float] | None = None,
        hidden: Hidden | None = None,
        training: Mapping[str, Any] | None = None,
        crop: int = DEFAULT_CROP,
    ) -> None:
        self.network = network.eval()
        self.vocabulary = vocabulary
        self.image_size: int = network.config["image_size"]
        self.accuracy = dict(accuracy or {})
        self.hidden = {
            name: {other: tuple(values) for other, values in others.items()}
            for name, others in (hidden or {}).items()
        }
        self.training = dict(training or {})
        self.crop = whole("crop", crop, 1, SOURCE_SIZE)

    @classmethod
    def from_pretrained(
        cls, name: str | Path, *, device: str | torch.device | None = None
    ) -> AvatarClassifier:
        """Load a folder, or a model repository of the Hugging Face Hub ("user/name").

        Args:
            device: "cpu", "cuda", "cuda:1" or "mps"; by default a GPU if there is one.

        Raises:
            CheckpointError: the message names what is missing or damaged.
            DeviceError: there is no such device (a ValueError).
        """
        device = choose_device(device)  # before anything is downloaded
        folder = fetch_checkpoint(str(name))
        config = _read_config(folder / CONFIG_FILE)
        try:
            classifier = cls(
                AttributeClassifier(**config["classifier"]),
                Vocabulary.from_dict(config["vocabulary"]),
                _checked_accuracy(config["accuracy"]),
                _checked_hidden(config["hidden"]),
                config.get("training"),
                config.get("crop", DEFAULT_CROP),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{folder / CONFIG_FILE} does not describe a classifier: {error}"
            ) from error
        _load_weights(classifier.network, folder / WEIGHTS_FILE)
        return classifier.to(device)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write ``config.json`` and ``model.safetensors`` (half precision) into ``folder``."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        weights = {
            name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
            for name, value in self.network.state_dict().items()
        }
        config = {
            "format": FORMAT,
            "classifier": self.network.config,
            "crop": self.crop,
            "accuracy": self.accuracy,
            "hidden": self.hidden,
            "training": self.training,
            "vocabulary": self.vocabulary.to_dict(),
        }
        write_atomically(folder / WEIGHTS_FILE, save(weights, metadata={"format": "pt"}))
        write_atomically(folder / CONFIG_FILE, json.dumps(config, indent=1) + "\n")

    def to(self, device: str | torch.device) -> AvatarClassifier:
        """Move the network to a device, see ``device.choose_device``; returns the classifier.

        Raises:
            DeviceError: there is no such device (a ValueError).
        """
        self.network.to(choose_device(device), memory_format=torch.channels_last)
        return self

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def view(self, pixels: np.ndarray, crop: int) -> np.ndarray:
        """Avatars of another crop or size as the classifier wants them, see ``images.recrop``.

        Args:
            pixels: uint8 [N, H, H, 4], premultiplied RGBA.
            crop: what of a 500x500 picture they show, at least what the classifier's shows.

        Returns:
            uint8 [N, ``image_size``, ``image_size``, 4], premultiplied RGBA. They are enlarged,
            and so blurred, if H is less than ``image_size * crop / self.crop``.

        Raises:
            ValueError: the pictures show less than the classifier looks at.
        """
        return recrop(pixels, crop, self.crop, self.image_size)

    @torch.inference_mode()
    def __call__(self, pixels: np.ndarray) -> Reading:
        """Read avatars, a batch at a time.

        Args:
            pixels: uint8 [N, H, W, 4], premultiplied RGBA with H = W = ``image_size`` and of the
                classifier's ``crop``, as from ``load_avatar`` or ``view``.

        Raises:
            ValueError: pictures of another size, shape or type.
        """
        pixels = np.asarray(pixels)
        expected = (self.image_size, self.image_size, 4)
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != expected:
            raise ValueError(
                f"the classifier reads uint8 [N, {self.image_size}, {self.image_size}, 4], "
                f"not {pixels.dtype} {list(pixels.shape)}"
            )
        allowed = allowed_values(self.vocabulary).to(self.device)
        probabilities, features = [torch.empty(0, ONE_HOT_SIZE)], []
        features.append(torch.empty(0, self.network.config["width"]))
        for start in range(0, len(pixels), BATCH):
            x = to_model(pixels[start : start + BATCH]).to(self.device)
            found = self.network.features(x)
            logits = log_probabilities(self.network.head(found), allowed)
            probabilities.append(logits.exp().cpu())
            features.append(found.cpu())
        p = self._unsure_where_hidden(torch.cat(probabilities).numpy())
        slices = (p[:, o : o + n] for o, n in zip(OFFSETS, SIZES, strict=True))
        values = np.stack([part.argmax(axis=1) for part in slices], axis=1)
        return Reading(values.astype(np.int64), p, torch.cat(features).numpy())

    def _unsure_where_hidden(self, p: np.ndarray) -> np.ndarray:
        """Mix in the frequencies of the training data as far as an attribute is likely hidden.

        A network can be sure of what it cannot see: labels of covered attributes were drawn at
        random, and it has learned some of those by heart.

        Args:
            p: float32 [N, 217], a distribution within each slice.
        """
        out = p.copy()
        for name, others in self.hidden.items():
            shown = np.ones(len(p), dtype=p.dtype)
            for other, values in others.items():
                start = OFFSETS[NAMES.index(other)]
                shown *= 1 - p[:, [start + value for value in values]].sum(axis=1)
            shown = shown.clip(0, 1)[:, None]
            column = NAMES.index(name)
            part = slice(OFFSETS[column], OFFSETS[column] + SIZES[column])
            counts = np.array(self.vocabulary.counts[name], dtype=p.dtype)
            out[:, part] = shown * p[:, part] + (1 - shown) * counts / counts.sum()
        return out

    def visible(self, attributes: np.ndarray) -> np.ndarray:
        """Which attributes a picture with these 18 can show.

        Args:
            attributes: integers [N, 18], in ``ATTRIBUTES`` order.

        Returns:
            bool [N, 18], False where ``hidden`` says that the pixels cannot show the value.
        """
        attributes = np.asarray(attributes)
        if attributes.ndim != 2 or attributes.shape[1] != len(ATTRIBUTES):
            raise ValueError(f"attributes must be [N, 18], not {list(attributes.shape)}")
        seen = np.ones(attributes.shape, dtype=bool)
        for name, others in self.hidden.items():
            for other, values in others.items():
                covered = np.isin(attributes[:, NAMES.index(other)], values)
                seen[covered, NAMES.index(name)] = False
        return seen


def allowed_values(vocabulary: Vocabulary) -> Tensor:
    """bool [217], False for the values that never occurred in training."""
    return torch.tensor([count > 0 for name in NAMES for count in vocabulary.counts[name]])


def log_probabilities(logits: Tensor, allowed: Tensor) -> Tensor:
    """[N, 217] logits -> log probabilities within each attribute's slice; -inf if not allowed."""
    masked = logits.float().masked_fill(~allowed, -torch.inf)
    return torch.cat([part.log_softmax(dim=1) for part in masked.split(SIZES, dim=1)], dim=1)


def _checked_accuracy(accuracy: Mapping[str, Any]) -> dict[str, float]:
    return {attribute(name).name: float(value) for name, value in accuracy.items()}


def _checked_hidden(hidden: Hidden) -> dict[str, dict[str, tuple[int, ...]]]:
    for name, others in hidden.items():
        attribute(name)
        for other, values in others.items():
            if wrong := [v for v in values if v not in range(attribute(other).num_values)]:
                raise ValueError(f"{name} is said to be hidden by {other} {wrong[0]}")
    return {name: {o: tuple(v) for o, v in others.items()} for name, others in hidden.items()}
