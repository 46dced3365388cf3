"""``AvatarClassifier``: avatars in, the 18 attributes they show out, with honest probabilities.

It shares no code and no weights with the network that generates, so that it can judge the result.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import checkpoint_files as files
from .arguments import number, whole
from .attributes import ATTRIBUTES, NAMES, OFFSETS, ONE_HOT_SIZE, SIZES, Vocabulary, attribute
from .classifier_network import (
    ClassifierConfig,
    ClassifierNetwork,
    allowed_values,
    log_probabilities,
)
from .crop import DEFAULT_CROP, SOURCE_SIZE, recrop
from .device import choose_device
from .field_checks import from_json
from .images import to_model

BATCH = 64

Hidden = Mapping[str, Mapping[str, Sequence[int]]]


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

    @property
    def confidence(self) -> np.ndarray:
        """Probabilities of the values, float32 [N, 18]."""
        slices = np.split(self.probabilities, OFFSETS[1:], axis=1)
        return np.stack([part.max(axis=1) for part in slices], axis=1)


class AvatarClassifier:
    """Reads the attributes of avatars with a trained network.

    Example:
        >>> classifier = AvatarClassifier.from_pretrained("assets/classifier")
        >>> image = open_picture(Path("cs123.png").read_bytes())
        >>> classifier(load_avatar(image)[None]).values

    Args:
        network: set to evaluation mode.
        vocabulary: of the training data; a value with count 0 gets no probability.
        accuracy: per attribute, on held-out pictures that show it.
        hidden: attribute -> {other attribute: its values under which the attribute cannot be
            seen}, learned from the pixels, whatever the data set (``train.classifier``).
        training: how it was trained, for people to read.
        crop: what of a 500x500 picture it was trained to see, see ``crop.load_avatar``; small
            things are read only at the size they have there.

    Raises:
        ValueError: ``crop`` is out of range, or no such attribute or value.
    """

    def __init__(
        self,
        network: ClassifierNetwork,
        vocabulary: Vocabulary,
        accuracy: Mapping[str, float] | None = None,
        hidden: Hidden | None = None,
        training: Mapping[str, Any] | None = None,
        crop: int = DEFAULT_CROP,
    ) -> None:
        self.network = network.eval()
        self.vocabulary = vocabulary
        self.image_size = network.config.image_size
        self.accuracy = {
            attribute(name).name: number(f"accuracy of {name}", share, 0, 1)
            for name, share in (accuracy or {}).items()
        }
        self.hidden = _checked_hidden(hidden or {})
        self.training = dict(training or {})
        self.crop = whole("crop", crop, 1, SOURCE_SIZE)

    @classmethod
    def from_pretrained(
        cls, name: str | Path, *, device: str | torch.device | None = None
    ) -> AvatarClassifier:
        """Load a folder, or a model repository of the Hub ("user/name"), by default onto a GPU.

        Raises:
            CheckpointError: the message names what is missing or damaged.
            DeviceError: there is no such device (a ValueError).
        """
        device = choose_device(device)  # before anything is downloaded
        folder = files.fetch_checkpoint(str(name))
        path = folder / files.CONFIG_FILE
        config = {"crop": DEFAULT_CROP, "training": {}, **files.read_config(path)}
        with files.errors_as_checkpoint_error(f"{path} does not describe a classifier: "):
            shape = from_json(ClassifierConfig, files.section(config, "classifier"))
            vocabulary = Vocabulary.from_dict(files.section(config, "vocabulary"))
            accuracy, hidden, training = (
                files.section(config, name) for name in ("accuracy", "hidden", "training")
            )
        network = files.load_network(
            lambda: ClassifierNetwork(shape),
            folder / files.WEIGHTS_FILE,
            ClassifierNetwork.rehearse,
        )
        with files.errors_as_checkpoint_error(f"{path} does not describe a classifier: "):
            classifier = cls(network, vocabulary, accuracy, hidden, training, config["crop"])
        return classifier.to(device)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write ``config.json`` and ``model.safetensors`` (half precision) into ``folder``."""
        config = {
            "classifier": dataclasses.asdict(self.network.config),
            "crop": self.crop,
            "accuracy": self.accuracy,
            "hidden": self.hidden,
            "training": self.training,
            "vocabulary": self.vocabulary.to_dict(),
        }
        files.write_model(Path(folder), self.network, config)

    def to(self, device: str | torch.device) -> AvatarClassifier:
        """Move the network to a device, see ``choose_device``; returns the classifier."""
        device = choose_device(device)
        self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def view(self, pixels: np.ndarray, crop: int) -> np.ndarray:
        """Avatars of another crop or size as the classifier wants them, see ``crop.recrop``.

        uint8 [N, H, H, 4] that show ``crop`` of a 500x500 picture -> uint8 [N, ``image_size``,
        ``image_size``, 4].
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
        probabilities = [torch.empty(0, ONE_HOT_SIZE)]
        features = [torch.empty(0, self.network.num_features)]
        for start in range(0, len(pixels), BATCH):
            x = to_model(pixels[start : start + BATCH]).to(self.device)
            found = self.network.features(x)
            logits = log_probabilities(self.network.head(found), allowed)
            probabilities.append(logits.exp().cpu())
            features.append(found.cpu())
        p = self._unsure_where_hidden(torch.cat(probabilities).numpy())
        slices = np.split(p, OFFSETS[1:], axis=1)
        values = np.stack([part.argmax(axis=1) for part in slices], axis=1)
        return Reading(values.astype(np.int64), p, torch.cat(features).numpy())

    def _unsure_where_hidden(self, p: np.ndarray) -> np.ndarray:
        """Mix in the frequencies of the training data as far as an attribute is likely hidden.

        A network can be sure of what it cannot see: labels of covered attributes are random, and
        it has learned some of those by heart. float32 [N, 217] -> the same.
        """
        out: np.ndarray = p.copy()
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
        """Which attributes pictures with these can show: integers [N, 18] -> bool [N, 18].

        False where ``hidden`` says that the pixels cannot tell the value.
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


def _checked_hidden(hidden: Hidden) -> dict[str, dict[str, tuple[int, ...]]]:
    for name, others in hidden.items():
        attribute(name)
        if not isinstance(others, Mapping):
            raise ValueError(f"hidden of {name} must be an object, not {others!r:.80}")
        for other, values in others.items():
            allowed = range(attribute(other).num_values)
            if not isinstance(values, (list, tuple)):
                raise ValueError(f"{name} is said to be hidden by {other} {values!r:.80}")
            if wrong := [v for v in values if type(v) is not int or v not in allowed]:
                raise ValueError(f"{name} is said to be hidden by {other} {wrong[0]!r:.80}")
    return {name: {o: tuple(v) for o, v in others.items()} for name, others in hidden.items()}
