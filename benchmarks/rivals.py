"""What our pipeline is compared with, with random weights: all we ask is how long it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler, UNet2DConditionModel

from avatar_model import AvatarPipeline, Vocabulary
from avatar_model.attributes import ONE_HOT_SIZE
from avatar_model.network import AvatarNetwork
from avatar_model.tau import NUM_TOKENS
from train import presets

from .measure import count_macs

BLOG, FOLLOW_UP = "blog-7-final", "blog-8-diffusers"
"""The presets of the blog's last network, and of the diffusers UNet of its second sequel."""
BLOG_STEPS = 300


@dataclass
class Contender:
    """A pipeline whose speed is measured.

    Attributes:
        generate: generates so many avatars with ``measured`` sampling steps.
        steps, measured: sampling steps of an avatar, and of a call of ``generate``.
        parameters: of its network.
        macs: multiply-accumulates for one avatar with all steps, in millions.
    """

    generate: Callable[[int], object]
    steps: int
    measured: int
    parameters: int
    macs: float

    @property
    def scale(self) -> float:
        """Multiply the time of ``generate`` by this for the time with all steps."""
        return self.steps / self.measured


def ours(pipeline: AvatarPipeline, size: int) -> Contender:
    """Our pipeline with its defaults, from attributes to PIL images of one of its sizes."""
    stages = pipeline.stages[: pipeline.sizes.index(size) + 1]
    steps = [stage.defaults["num_inference_steps"] for stage in stages]
    networks = [stage.network for stage in stages]
    return Contender(
        lambda batch: pipeline(num_images=batch, seed=0, size=size),
        sum(steps),
        sum(steps),
        sum(network.num_parameters() for network in networks),
        sum(n * _network_macs(network) for n, network in zip(steps, networks, strict=True)),
    )


def preset(name: str, measured: int) -> Contender:
    """The network of one of the blog's presets, 300 steps of DDPM under guidance."""
    network = AvatarNetwork(presets.load(name).model)
    pipeline = AvatarPipeline(network, Vocabulary.numbered())
    options: dict[str, Any] = {
        "sampler": "ddpm",
        "guidance_scale": 2.0,  # two evaluations a step
        "guidance_method": "classic",
    }
    return Contender(
        lambda batch: pipeline(num_images=batch, seed=0, num_inference_steps=measured, **options),
        BLOG_STEPS,
        measured,
        network.num_parameters(),
        BLOG_STEPS * 2 * _network_macs(network),
    )


def equal_macs(target: float, steps: int) -> Contender:
    """A diffusers UNet with as many MACs a step as ours, DPM-Solver++, the same number of steps.

    It gets our other tricks: 2x2 pixels as channels, one layer per block, attention at the two
    coarser levels only, and channels in multiples of 16 as the CPU likes them.

    Args:
        target: MACs of one step for one image, in millions.
    """
    macs: dict[tuple[int, int, int], float] = {}
    for width in range(16, 129, 16):
        for last in (2 * width, 3 * width, 4 * width):
            channels = (width, 2 * width, last)
            with torch.device("meta"):
                macs[channels] = _unet_macs(_small(channels))
        if macs[width, 2 * width, 2 * width] > target:
            break  # all that follow are larger
    found = min(macs, key=lambda channels: abs(macs[channels] - target))
    scheduler = DPMSolverMultistepScheduler(algorithm_type="dpmsolver++")
    return _with_diffusers(_small(found), scheduler, steps)


def _small(channels: tuple[int, int, int]) -> Any:
    return UNet2DConditionModel(
        sample_size=32,
        in_channels=16,
        out_channels=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=channels,
        layers_per_block=1,
        cross_attention_dim=128,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def _with_diffusers(unet: Any, scheduler: Any, steps: int) -> Contender:
    unet = unet.eval().to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def generate(batch: int) -> torch.Tensor:
        size, channels = unet.config.sample_size, unet.config.in_channels
        x = torch.randn(batch, channels, size, size)
        tokens = torch.randn(batch, NUM_TOKENS, unet.config.cross_attention_dim)
        scheduler.set_timesteps(steps)
        for t in scheduler.timesteps:
            x = scheduler.step(unet(x, t, tokens).sample, t, x).prev_sample
        return x

    with torch.device("meta"):
        macs = steps * _unet_macs(UNet2DConditionModel.from_config(unet.config))
    return Contender(generate, steps, steps, sum(p.numel() for p in unet.parameters()), macs)


def _unet_macs(unet: Any) -> float:
    """Of one evaluation for one image, in millions; ``unet`` is on the meta device."""
    config = unet.config
    shape = (1, config.in_channels, config.sample_size, config.sample_size)
    tokens = torch.empty(1, NUM_TOKENS, config.cross_attention_dim, device="meta")
    x, t = torch.empty(shape, device="meta"), torch.empty(1, device="meta")
    return count_macs(lambda: unet(x, t, tokens))


def _network_macs(network: AvatarNetwork) -> float:
    """Of one evaluation for one image, in millions."""
    config = network.config
    shape, small = (1, config.image_channels), config.low_res_size
    with torch.device("meta"):
        copy = AvatarNetwork(config)
        x = torch.empty(*shape, config.image_size, config.image_size)
        inputs = [x, torch.empty(1), torch.empty(1, ONE_HOT_SIZE)]
        if small:
            inputs.append(torch.empty(*shape, small, small))
        return count_macs(lambda: copy(*inputs))
