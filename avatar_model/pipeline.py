"""``AvatarPipeline``: attributes in, transparent avatars out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import HfApi
from PIL import Image
from torch import Tensor

from .arguments import MAX_SEED as MAX_SEED
from .arguments import choice, image_seeds, whole
from .attributes import Vocabulary, one_hot, to_row
from .checkpoint import (
    CONFIG_FILE,
    UPSCALER_FOLDER,
    Checkpoint,
    CheckpointError,
    UpscalerError,
    check_upscaler,
    fetch_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from .denoiser import Denoiser
from .device import choose_device
from .images import to_levels, to_model, to_pil, to_pixels
from .morph import complete, morph_path
from .network import AvatarNetwork
from .samplers import Callback
from .stage import MAX_GUIDANCE_SCALE as MAX_GUIDANCE_SCALE
from .stage import MAX_STEPS as MAX_STEPS
from .stage import Settings, Stage

MAX_IMAGES = 256
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


class AvatarPipeline:
    """Draws avatars with a trained network, or with two: a base and an upscaler.

    Example:
        >>> pipe = AvatarPipeline.from_pretrained("assets/model")
        >>> pipe({"hair": 12, "hair_color": "black"}, seed=7).images[0].save("avatar.png")

    Attributes:
        vocabulary: what the attribute values are called.
        base: the stage that draws the small picture. Its ``network``, ``denoiser``, ``defaults``,
            ``training`` and ``backend`` are also those of the pipeline.
        upscaler: the stage that draws it again, larger; None if the checkpoint has none.
    """

    def __init__(
        self,
        network: AvatarNetwork,
        vocabulary: Vocabulary,
        defaults: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        graph: bytes | None = None,
        upscaler: Stage | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        self.base = Stage(network, defaults, training, graph)
        self.upscaler = upscaler
        if upscaler is not None:
            check_upscaler(upscaler.config, network.config)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        device: str | torch.device | None = None,
        revision: str | None = None,
        token: str | None = None,
        backend: str = "auto",
        upscaler: bool = True,
    ) -> AvatarPipeline:
        """Load a checkpoint folder, or a model repository of the Hugging Face Hub ("user/name").

        Args:
            device: "cpu", "cuda", "cuda:1" or "mps"; by default a GPU if there is one.
            backend: see ``use_backend``.
            revision: branch, tag or commit of a Hub repository.
            token: for a private Hub repository; by default the one you logged in with.
            upscaler: whether to load the second stage, if there is one.

        Raises:
            CheckpointError: the message names what is missing or damaged.
            UpscalerError: the same of the second stage (a CheckpointError); the base can be had
                with ``upscaler=False``.
            BackendError: ``backend="onnx"`` cannot be used.
            DeviceError: there is no such device (a ValueError).
        """
        device = choose_device(device)  # before anything is downloaded
        folder = fetch_checkpoint(str(name), revision, token)
        checkpoint = load_checkpoint(folder, upscaler)
        second = None
        if checkpoint.upscaler is not None:
            try:
                second = _stage(checkpoint.upscaler)
            except ValueError as error:
                path = folder / UPSCALER_FOLDER / CONFIG_FILE
                raise UpscalerError(f"{path}: the default {error}") from error
        try:
            pipeline = cls(
                checkpoint.network,
                checkpoint.vocabulary,
                checkpoint.defaults,
                checkpoint.training,
                checkpoint.graph,
                second,
            )
        except ValueError as error:
            raise CheckpointError(f"{folder / CONFIG_FILE}: the default {error}") from error
        return pipeline.to(device).use_backend(backend)

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype = torch.float16) -> None:
        """Write ``config.json`` and ``model.safetensors``, those of the upscaler in a subfolder.

        ``from_pretrained`` reads them back.
        """
        checkpoint = self._checkpoint(self.base)
        if self.upscaler is not None:
            checkpoint.upscaler = self._checkpoint(self.upscaler)
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
                repo_id=repo_id,
                folder_path=folder,
                commit_message="Upload avatar model",
                # Or the upscaler of an earlier model would stay.
                delete_patterns=None if self.upscaler else f"{UPSCALER_FOLDER}/*",
            )
        return str(commit.commit_url)

    def to(self, device: str | torch.device) -> AvatarPipeline:
        """Move the networks to a device, see ``device.choose_device``; returns the pipeline.

        Raises:
            DeviceError: there is no such device (a ValueError).
        """
        device = choose_device(device)
        for stage in self._stages:
            stage.to(device)
        return self

    def use_backend(self, name: str) -> AvatarPipeline:
        """Choose what evaluates the UNets; returns the pipeline.

        Args:
            name: "torch"; "onnx", ONNX Runtime, which draws the same and is faster, on the CPU, of
                a checkpoint that has been through ``python -m avatar_model.export``, with the
                weights the networks have now; or "auto", for each stage the fastest that can be
                used here. The same: rounding errors, also those of another batch, change 7 of
                100,000 values at 256 pixels by one level, and alpha by 3 at ``ALPHA_FLOOR``.

        Raises:
            BackendError: "onnx" cannot be used; the message says why.
        """
        for stage in self._stages:
            stage.use_backend(name)
        return self

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of the pictures that can be drawn, in pixels, ascending."""
        return tuple(stage.config.image_size for stage in self._stages)

    @property
    def network(self) -> AvatarNetwork:
        """Of the base."""
        return self.base.network

    @property
    def denoiser(self) -> Denoiser:
        """Of the base."""
        return self.base.denoiser

    @property
    def defaults(self) -> dict[str, Any]:
        """Of the base: ``guidance_scale``, ``num_inference_steps`` and ``sampler``."""
        return self.base.defaults

    @property
    def training(self) -> dict[str, Any]:
        """How the base was trained, for people to read."""
        return self.base.training

    @property
    def backend(self) -> str:
        """What evaluates the base's UNet, "torch" or "onnx"."""
        return self.base.backend

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.base.device

    @property
    def _stages(self) -> tuple[Stage, ...]:
        return (self.base,) if self.upscaler is None else (self.base, self.upscaler)

    def _checkpoint(self, stage: Stage) -> Checkpoint:
        return Checkpoint(
            stage.network, self.vocabulary, stage.defaults, stage.training, stage.graph
        )

    @torch.inference_mode()
    def __call__(
        self,
        attributes: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        *,
        num_images: int = 1,
        guidance_scale: float | None = None,
        num_inference_steps: int | None = None,
        sampler: str | None = None,
        size: int | None = None,
        upscaler_steps: int | None = None,
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
            size: side of the pictures, one of ``sizes``. Default: the largest. Of the same recipe
                the smaller one is what the larger one was made from.
            upscaler_steps: 1..1000, steps of the second stage. Default: the model's.
            seed: 0..4294967295; image i uses seed + i. Or one seed per image. Default: random.
            generator: draws the seeds instead, for those used to diffusers.
            output_type: "pil", "np" or "pt", see ``AvatarOutput.images``.
            callback: called after every step with (step, t, x_t, x_0 estimate); of the base, and
                then of the upscaler with its own steps, times and picture size.

        Raises:
            VocabularyError: an attribute or value the model does not know (a ValueError).
            ValueError: another argument out of range; the message names it.
        """
        settings = self.base.settings(guidance_scale, num_inference_steps, sampler)
        more = self._more(size, settings, upscaler_steps)
        choice("output_type", output_type, OUTPUT_TYPES)
        requests = self._requests(attributes, whole("num_images", num_images, 1, MAX_IMAGES))
        seeds = image_seeds(seed, generator, len(requests))

        drawn = [
            self.vocabulary.sample(request, np.random.default_rng(s))
            for request, s in zip(requests, seeds, strict=True)
        ]
        rows = one_hot(np.stack([to_row(values) for values in drawn]))
        x = self._sample(rows, seeds, settings, more, callback)
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
        size: int | None = None,
    ) -> list[Image.Image]:
        """Draw the way from one avatar to another, through Tau's embedding (``morph.morph_path``).

        The noise is the same in every frame. What is "Any" in both looks becomes the same in both
        and stands still.

        Args:
            start, end: name -> value as for ``__call__``; the first and the last frame are what it
                draws of them with the same seed and settings.
            num_frames: 2..256, the ends included.
            seed: 0..4294967295. Default: random.
            guidance_scale, num_inference_steps, sampler, size: as for ``__call__``.

        Returns:
            PIL images, mode RGBA.

        Raises:
            VocabularyError: an attribute or value of ``start`` or ``end`` that the model does not
                know (a ValueError).
            ValueError: another argument out of range; the message names it.
        """
        settings = self.base.settings(guidance_scale, num_inference_steps, sampler)
        more = self._more(size, settings)
        num_frames = whole("num_frames", num_frames, 2, MAX_IMAGES)
        seeds = image_seeds(seed, None, 1)
        looks = [
            complete(name, look, self.vocabulary, seeds[0])
            for name, look in (("start", start), ("end", end))
        ]
        x = self._sample(morph_path(*looks, num_frames), seeds * num_frames, settings, more)
        return _convert(x, self.network.config.pixel_range, "pil")

    def _more(self, size: Any, settings: Settings, steps: Any = None) -> Settings | None:
        """The settings of the second stage; None where ``size`` is what the base draws."""
        size = self.sizes[-1] if size is None else size
        choice("size", size, self.sizes)
        if steps is not None:
            steps = whole("upscaler_steps", steps, 1, MAX_STEPS)
        if self.upscaler is None or size == self.sizes[0]:
            return None
        return self.upscaler.settings(upscaler_scale(settings.scale), steps)

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
        more: Settings | None,
        callback: Callback | None = None,
    ) -> Tensor:
        """Draw one image per row.

        Args:
            rows: float32 [N, 217] for Tau.
            seeds: N of them; equal ones give equal noise.
            more: of the second stage, if it is to draw.

        Returns:
            premultiplied RGBA in the pixel range of the model, float32 [N, 4, H, W].
        """
        one_hot = torch.from_numpy(rows).to(self.device)
        x = self.base.sample(one_hot, seeds, settings, callback=callback)
        if more is None:
            return x
        # The small picture as a file holds it, which is what the upscaler was trained on.
        pixel_range = self.network.config.pixel_range
        low_res = to_model(to_levels(x, pixel_range), pixel_range)
        # Who follows the steps sees those of all images at once.
        batch = len(rows) if callback else self.upscaler.batch_size
        return torch.cat(
            [
                self.upscaler.sample(
                    one_hot[i : i + batch],
                    seeds[i : i + batch],
                    more,
                    low_res[i : i + batch],
                    callback,
                )
                for i in range(0, len(rows), batch)
            ]
        )


def upscaler_scale(scale: float) -> float:
    """The upscaler's guidance scale: it follows the attributes as far as the base does, which alone
    exaggerates them."""
    return min(scale, 1.0)


def evaluations(
    pipeline: AvatarPipeline, size: int, num_inference_steps: int, guidance_scale: float
) -> list[int]:
    """Network evaluations for one image, of each stage that draws it.

    Args:
        size: side of the picture, one of the pipeline's ``sizes``.
    """
    counts = [steps_to_evaluations(num_inference_steps, guidance_scale)]
    if size != pipeline.sizes[0]:
        steps = pipeline.upscaler.defaults["num_inference_steps"]
        counts.append(steps_to_evaluations(steps, upscaler_scale(guidance_scale)))
    return counts


def steps_to_evaluations(steps: int, scale: float) -> int:
    """Guidance needs a second evaluation of the network in every step."""
    return steps * (1 if scale == 1 else 2)


def _stage(checkpoint: Checkpoint) -> Stage:
    return Stage(checkpoint.network, checkpoint.defaults, checkpoint.training, checkpoint.graph)


def _convert(
    x: Tensor, pixel_range: tuple[float, float], output_type: str
) -> list[Image.Image] | np.ndarray | Tensor:
    if output_type == "pt":
        low, high = pixel_range
        return (x - low) * (2 / (high - low)) - 1
    pixels = to_pixels(x, pixel_range)
    return pixels if output_type == "np" else [to_pil(p) for p in pixels]
