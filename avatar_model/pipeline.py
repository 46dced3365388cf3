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

from .arguments import MAX_IMAGES, image_seeds, one_of, parse_requests, whole
from .attributes import Vocabulary, one_hot, to_row
from .cascade import Cascade
from .checkpoint import load_checkpoint, save_checkpoint
from .checkpoint_files import fetch_checkpoint, outdated
from .device import choose_device
from .images import to_pil, to_pixels
from .morph import complete, morph_path
from .network import AvatarNetwork
from .samplers import Callback
from .stage import Stage

OUTPUT_TYPES = ("pil", "np", "pt")


@dataclass
class AvatarOutput:
    """What a call of the pipeline returns; entry i of each list belongs to image i.

    Attributes:
        images: PIL images, mode RGBA; or uint8 [N, H, W, 4] *premultiplied* RGBA for
            ``output_type="np"``; or float32 [N, 4, H, W] premultiplied in [-1, 1] for "pt".
        attributes: the complete 18 attributes of each image, "Any" resolved.
        seeds: the same attributes, seed, steps, sampler and scale give the same image again.
    """

    images: list[Image.Image] | np.ndarray | Tensor
    attributes: list[dict[str, int]]
    seeds: list[int]


class AvatarPipeline(Cascade):
    """Generates avatars with a trained network, or with two: a base and an upscaler.

    Example:
        >>> pipe = AvatarPipeline.from_pretrained("assets/model")
        >>> pipe({"hair": 12, "hair_color": "black"}, seed=7).images[0].save("avatar.png")

    Attributes:
        vocabulary: what the attribute values are called.
        base, upscaler: the stages, see ``cascade.Cascade``.
    """

    def __init__(
        self,
        network: AvatarNetwork,
        vocabulary: Vocabulary,
        defaults: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        upscaler: Stage | None = None,
    ) -> None:
        super().__init__(Stage(network, defaults, training), upscaler)
        self.vocabulary = vocabulary

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        device: str | torch.device | None = None,
        revision: str | None = None,
        token: str | None = None,
        upscaler: bool = True,
    ) -> AvatarPipeline:
        """Load a checkpoint folder, or a model repository of the Hugging Face Hub ("user/name").

        Args:
            device: "cpu", "cuda", "cuda:1" or "mps"; by default a GPU if there is one.
            revision: branch, tag or commit of a Hub repository.
            token: for a private Hub repository; by default the one you logged in with.
            upscaler: whether to load the second stage, if there is one.

        Raises:
            CheckpointError: the message names what is missing or damaged.
            UpscalerError: the same of the second stage (a CheckpointError); the base can be had
                with ``upscaler=False``.
            DeviceError: there is no such device (a ValueError).
        """
        device = choose_device(device)  # before anything is downloaded
        folder = fetch_checkpoint(str(name), revision, token)
        vocabulary, base, second = load_checkpoint(folder, upscaler)
        pipeline = cls(base.network, vocabulary, base.defaults, base.training, second)
        return pipeline.to(device)

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype = torch.float16) -> None:
        """Write ``config.json`` and ``model.safetensors``, those of the upscaler in a subfolder.

        ``from_pretrained`` reads them back.
        """
        save_checkpoint(folder, self.vocabulary, self.base, self.upscaler, dtype)

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
                delete_patterns=outdated(self.upscaler is not None),
            )
        return str(commit.commit_url)

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
        guidance_method: str | None = None,
        guidance_interval: tuple[float, float] | None = None,
        seed: int | Sequence[int] | None = None,
        generator: torch.Generator | None = None,
        output_type: str = "pil",
        callback: Callback | None = None,
    ) -> AvatarOutput:
        """Generate avatars.

        Args:
            attributes: name -> value, where a value is a number, a label or "Any", and names left
                out are "Any"; or a sequence of such mappings, one per avatar. "Any" is sampled
                with the frequencies of the training data, on its own for every image.
            num_images: how many images per mapping, at most 256 in all.
            guidance_scale: 0..20; 0 is the average face, 1 as asked, above 1 emphasised: how is
                what ``guidance_method`` says. Default: the model's.
            num_inference_steps: 1..1000. Default: the model's. With the method "condition" and a
                scale below 1 at least as many as the model needs there.
            sampler: "ddim", "ddpm" or "dpm++". Default: the model's.
            size: side of the pictures, one of ``sizes``. Default: the largest. Of the same recipe
                the smaller one is what the larger one was made from.
            upscaler_steps: 1..1000, steps of the second stage. Default: the model's.
            guidance_method: "condition", one evaluation of the network a step; "classic" or
                "projected", two; see ``guidance.py``. Default: the model's.
            guidance_interval: the lowest and the highest t, from 0 to 1, at which guidance applies.
                Default: always.
            seed: 0..4294967295; image i uses seed + i. Or one seed per image. Default: random.
            generator: chooses the seeds instead, for those used to diffusers.
            output_type: "pil", "np" or "pt", see ``AvatarOutput.images``.
            callback: called after every step with (step, t, x_t, x_0 estimate); of the base, and
                then of the upscaler with its own steps, times and picture size.

        Raises:
            VocabularyError: an attribute or value the model does not know (a ValueError).
            ValueError: another argument out of range; the message names it.
        """
        settings = self.settings(
            guidance_scale=guidance_scale,
            num_inference_steps=num_inference_steps,
            sampler=sampler,
            size=size,
            upscaler_steps=upscaler_steps,
            guidance_method=guidance_method,
            guidance_interval=guidance_interval,
        )
        one_of("output_type", output_type, OUTPUT_TYPES)
        requests = parse_requests(attributes, num_images, self.vocabulary)
        seeds = image_seeds(seed, generator, len(requests))
        # One stream per image, so that it does not depend on the images beside it.
        sampled = [
            self.vocabulary.sample(request, np.random.default_rng(s))
            for request, s in zip(requests, seeds, strict=True)
        ]
        rows = one_hot(np.stack([to_row(values) for values in sampled]))
        x = self.generate_rows(rows, seeds, settings, callback)
        low, high = self.base.config.pixel_range
        images: list[Image.Image] | np.ndarray | Tensor
        if output_type == "pt":
            images = (x - low) * (2 / (high - low)) - 1
        else:
            images = to_pixels(x, (low, high))
        if output_type == "pil":
            images = [to_pil(picture) for picture in images]
        return AvatarOutput(images, sampled, seeds)

    @torch.inference_mode()
    def morph(
        self,
        start: Mapping[str, Any],
        end: Mapping[str, Any],
        *,
        num_frames: int = 16,
        seed: int | None = None,
        **settings: Any,
    ) -> list[Image.Image]:
        """Generate the way from one avatar to another, through Tau's embedding (``morph_path``).

        The noise is the same in every frame. What is "Any" at both ends becomes the same in both
        and stands still.

        Args:
            start, end: name -> value as for ``__call__``; the first and the last frame are what it
                makes of them with the same seed and settings.
            num_frames: 2..256, the ends included.
            seed: 0..4294967295. Default: random.
            settings: ``guidance_scale``, ``guidance_method``, ``guidance_interval``,
                ``num_inference_steps``, ``sampler``, ``size`` and ``upscaler_steps``, as for
                ``__call__``.

        Returns:
            PIL images, mode RGBA.

        Raises:
            VocabularyError: an attribute or value of ``start`` or ``end`` that the model does not
                know (a ValueError).
            ValueError: another argument out of range; the message names it.
        """
        of_stages = self.settings(**settings)
        num_frames = whole("num_frames", num_frames, 2, MAX_IMAGES)
        seeds = image_seeds(seed, None, 1)
        first = complete("start", start, self.vocabulary, seeds[0])
        last = complete("end", end, self.vocabulary, seeds[0])
        rows = morph_path(first, last, num_frames)
        x = self.generate_rows(rows, seeds * num_frames, of_stages)
        return [to_pil(picture) for picture in to_pixels(x, self.base.config.pixel_range)]
