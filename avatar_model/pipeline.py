"""``AvatarPipeline``: attributes in, transparent avatars out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from huggingface_hub import HfApi
from PIL import Image
from torch import Tensor

from .arguments import MAX_SEED as MAX_SEED
from .arguments import choice, image_seeds, number, whole
from .attributes import Vocabulary, one_hot, to_row
from .backend import choose
from .checkpoint import (
    CONFIG_FILE,
    Checkpoint,
    CheckpointError,
    fetch_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from .denoiser import Denoiser
from .guidance import guided
from .images import to_pil, to_pixels
from .morph import complete, morph_path
from .network import AvatarNetwork
from .samplers import SAMPLERS, Callback, noise_like, time_grid

MAX_IMAGES = 256
MAX_STEPS = 1000
MAX_GUIDANCE_SCALE = 20.0
OUTPUT_TYPES = ("pil", "np", "pt")


@dataclass
class AvatarOutput:
    """What a call of the pipeline returns; entry i of each list belongs to image i.

    Attributes:
        images: PIL images, mode RGBA; or uint8 [N, H, W, 4] *premultiplied* RGBA for
            ``output_type="np"``; or float32 [N, 4, H, W] premultiplied in [-1, 1] for "pt".
        attributes: the complete 18 attributes each image was drawn with, "Any" resolved.
        seeds: the same attributes, seed, steps, sampler and scale give the same image again.
    """

    images: list[Image.Image] | np.ndarray | Tensor
    attributes: list[dict[str, int]]
    seeds: list[int]


class Settings(NamedTuple):
    """How to sample, checked; see ``AvatarPipeline.__call__``."""

    steps: int
    scale: float
    sampler: str


class AvatarPipeline:
    """Draws avatars with a trained network.

    Example:
        >>> pipe = AvatarPipeline.from_pretrained("assets/model")
        >>> pipe({"hair": 12, "hair_color": "black"}, seed=7).images[0].save("avatar.png")

    Attributes:
        network, vocabulary, defaults, training: see ``Checkpoint``.
        backend: what evaluates the UNet, "torch" or "onnx" (``use_backend``).
    """

    def __init__(
        self,
        network: AvatarNetwork,
        vocabulary: Vocabulary,
        defaults: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        graph: bytes | None = None,
    ) -> None:
        self.network = network.eval()
        self.vocabulary = vocabulary
        self.defaults = {
            "guidance_scale": 1.0,
            "num_inference_steps": 4,
            "sampler": "ddim",
            **(defaults or {}),
        }
        self._settings(None, None, None)  # or every later call would complain of its own defaults
        self.training = dict(training or {})
        self._graph = graph
        self.use_backend("torch")

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        device: str | torch.device | None = None,
        revision: str | None = None,
        token: str | None = None,
        backend: str = "auto",
    ) -> AvatarPipeline:
        """Load a checkpoint folder, or a model repository of the Hugging Face Hub ("user/name").

        Args:
            device: where to run; by default a GPU if there is one, else the CPU.
            backend: see ``use_backend``.
            revision: branch, tag or commit of a Hub repository.
            token: for a private Hub repository; by default the one you logged in with.

        Raises:
            CheckpointError: the message names what is missing or damaged.
            BackendError: ``backend="onnx"`` cannot be used.
        """
        folder = fetch_checkpoint(str(name), revision, token)
        checkpoint = load_checkpoint(folder)
        try:
            pipeline = cls(
                checkpoint.network,
                checkpoint.vocabulary,
                checkpoint.defaults,
                checkpoint.training,
                checkpoint.graph,
            )
        except ValueError as error:
            raise CheckpointError(f"{folder / CONFIG_FILE}: the default {error}") from error
        pipeline.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        return pipeline.use_backend(backend)

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype = torch.float16) -> None:
        """Write ``config.json`` and ``model.safetensors``; ``from_pretrained`` reads them back."""
        checkpoint = Checkpoint(
            self.network, self.vocabulary, self.defaults, self.training, self._graph
        )
        save_checkpoint(folder, checkpoint, dtype)

    def push_to_hub(
        self, repo_id: str, *, private: bool | None = None, token: str | None = None
    ) -> str:
        """Upload the checkpoint to a model repository, made if need be. Returns the commit's URL.

        Args:
            repo_id: "user/name".
            token: by default the one you logged in with or ``HF_TOKEN``.
        """
        api = HfApi(token=token)
        api.create_repo(repo_id, private=private, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            commit = api.upload_folder(
                repo_id=repo_id, folder_path=folder, commit_message="Upload avatar model"
            )
        return str(commit.commit_url)

    def to(self, device: str | torch.device) -> AvatarPipeline:
        """Move the network to a device; returns the pipeline."""
        self.network.to(device)
        if self.device.type != "cpu":
            self.use_backend("torch")
        return self

    def use_backend(self, name: str) -> AvatarPipeline:
        """Choose what evaluates the UNet; returns the pipeline.

        Args:
            name: "torch"; "onnx", ONNX Runtime, which draws the same and is faster, on the CPU, of
                a checkpoint that has been through ``python -m avatar_model.export``, with the
                weights the network has now; or "auto", the fastest that can be used here.

        Raises:
            BackendError: "onnx" cannot be used; the message says why.
        """
        self.backend, step = choose(name, self.network, self._graph)
        self.denoiser = Denoiser.from_config(step, self.network.config)
        return self

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @torch.inference_mode()
    def __call__(
        self,
        attributes: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        *,
        num_images: int = 1,
        guidance_scale: float | None = None,
        num_inference_steps: int | None = None,
        sampler: str | None = None,
        seed: int | Sequence[int] | None = None,
        generator: torch.Generator | None = None,
        output_type: str = "pil",
        callback: Callback | None = None,
    ) -> AvatarOutput:
        """Draw avatars.

        Args:
            attributes: name -> value, where a value is a number, a label or "Any", and names left
                out are "Any"; or a sequence of such mappings, one per avatar. "Any" is resolved by
                a draw with the frequencies of the training data, on its own for every image.
            num_images: how many images per mapping, at most 256 in all.
            guidance_scale: 0..20; 1 is no guidance, as in diffusers. Default: the model's.
            num_inference_steps: 1..1000. Default: the model's.
            sampler: "ddim", "ddpm" or "dpm++". Default: the model's.
            seed: 0..4294967295; image i uses seed + i. Or one seed per image. Default: random.
            generator: draws the seeds instead, for those used to diffusers.
            output_type: "pil", "np" or "pt", see ``AvatarOutput.images``.
            callback: called after every step with (step, t, x_t, x_0 estimate).

        Raises:
            VocabularyError: an attribute or value the model does not know (a ValueError).
            ValueError: another argument out of range; the message names it.
        """
        settings = self._settings(guidance_scale, num_inference_steps, sampler)
        choice("output_type", output_type, OUTPUT_TYPES)
        requests = self._requests(attributes, whole("num_images", num_images, 1, MAX_IMAGES))
        seeds = image_seeds(seed, generator, len(requests))

        drawn = [
            self.vocabulary.draw(request, np.random.default_rng(s))
            for request, s in zip(requests, seeds, strict=True)
        ]
        rows = one_hot(np.stack([to_row(values) for values in drawn]))
        x = self._sample(rows, seeds, settings, callback)
        pixel_range = self.network.config.pixel_range
        return AvatarOutput(_convert(x, pixel_range, output_type), drawn, seeds)

    @torch.inference_mode()
    def morph(
        self,
        start: Mapping[str, Any],
        end: Mapping[str, Any],
        *,
        num_frames: int = 16,
        seed: int | None = None,
        guidance_scale: float | None = None,
        num_inference_steps: int | None = None,
        sampler: str | None = None,
    ) -> list[Image.Image]:
        """Draw the way from one avatar to another, through Tau's embedding (``morph.morph_path``).

        The noise is the same in every frame. What is "Any" in both looks becomes the same in both
        and stands still.

        Args:
            start, end: name -> value as for ``__call__``; the first and the last frame are what it
                draws of them with the same seed and settings.
            num_frames: 2..256, the ends included.
            seed: 0..4294967295. Default: random.
            guidance_scale, num_inference_steps, sampler: as for ``__call__``.

        Returns:
            PIL images, mode RGBA.

        Raises:
            VocabularyError: an attribute or value of ``start`` or ``end`` that the model does not
                know (a ValueError).
            ValueError: another argument out of range; the message names it.
        """
        settings = self._settings(guidance_scale, num_inference_steps, sampler)
        num_frames = whole("num_frames", num_frames, 2, MAX_IMAGES)
        seeds = image_seeds(seed, None, 1)
        looks = [
            complete(name, look, self.vocabulary, seeds[0])
            for name, look in (("start", start), ("end", end))
        ]
        x = self._sample(morph_path(*looks, num_frames), seeds * num_frames, settings)
        return _convert(x, self.network.config.pixel_range, "pil")

    def _settings(self, guidance_scale: Any, num_inference_steps: Any, sampler: Any) -> Settings:
        """What a caller gave, checked, and the model's defaults for what is None."""
        default = self.defaults
        steps = whole("num_inference_steps", num_inference_steps, 1, MAX_STEPS, default)
        scale = number("guidance_scale", guidance_scale, 0, MAX_GUIDANCE_SCALE, default)
        sampler = default["sampler"] if sampler is None else sampler
        choice("sampler", sampler, tuple(SAMPLERS))
        return Settings(steps, scale, sampler)

    def _requests(self, attributes: Any, num_images: int) -> list[dict[str, int]]:
        """One parsed request per image."""
        if attributes is None or isinstance(attributes, Mapping):
            attributes = [attributes or {}]
        elif isinstance(attributes, str) or not isinstance(attributes, Sequence):
            raise ValueError(
                f"attributes must be a mapping from names to values, not {attributes!r:.60}"
            )
        if not all(isinstance(request, Mapping) for request in attributes):
            raise ValueError("attributes must be a mapping from names to values, or a list of them")
        if not 1 <= len(attributes) * num_images <= MAX_IMAGES:
            raise ValueError(
                f"{len(attributes) * num_images} images asked for; one call draws 1..{MAX_IMAGES}"
            )
        parsed = [self.vocabulary.parse(request) for request in attributes]
        return [request for request in parsed for _ in range(num_images)]

    def _sample(
        self,
        rows: np.ndarray,
        seeds: list[int],
        settings: Settings,
        callback: Callback | None = None,
    ) -> Tensor:
        """Draw one image per row.

        Args:
            rows: float32 [N, 217] for Tau.
            seeds: N of them; equal ones give equal noise.

        Returns:
            premultiplied RGBA in the pixel range of the model, float32 [N, 4, H, W].
        """
        size = self.network.config.image_size
        x = torch.from_numpy(rows).to(self.device)
        condition = self.network.prepare(x)
        null_condition = None
        if settings.scale != 1:
            null_condition = self.network.prepare(torch.zeros_like(x[:1]))
        generators = [torch.Generator().manual_seed(s) for s in seeds]
        noise = noise_like(torch.empty(len(seeds), 4, size, size, device=self.device), generators)
        return SAMPLERS[settings.sampler](
            guided(self.denoiser, condition, null_condition, settings.scale),
            self.denoiser.schedule,
            noise,
            time_grid(settings.steps),
            callback,
            generators,
        )


def _convert(
    x: Tensor, pixel_range: tuple[float, float], output_type: str
) -> list[Image.Image] | np.ndarray | Tensor:
    if output_type == "pt":
        low, high = pixel_range
        return (x - low) * (2 / (high - low)) - 1
    pixels = to_pixels(x, pixel_range)
    return pixels if output_type == "np" else [to_pil(p) for p in pixels]
