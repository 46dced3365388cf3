"""What our pipeline is compared with, with random weights: all we ask is how long it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, UNet2DConditionModel

from avatar_model import AvatarPipeline, Vocabulary
from avatar_model.attributes import ONE_HOT_SIZE
from avatar_model.network import AvatarNetwork
from avatar_model.tau import NUM_TOKENS
from train import presets

from .measure import count_macs

BLOG_PRESET = "blog-7-final"
BLOG_STEPS = 300
FOLLOW_UP: dict[str, Any] = {
    "sample_size": 64,
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ("CrossAttnDownBlock2D",) * 3,
    "up_block_types": ("CrossAttnUpBlock2D",) * 3,
    "block_out_channels": (128, 256, 512),
    "cross_attention_dim": 1280,
    "layers_per_block": 2,
    "only_cross_attention": True,
    "attention_head_dim": 32,
}
"""The UNet of the blog's follow-up, as its post prints it:
https://wuyangli.github.io/build-cartoon-avatar-diffusion-model-using-hg-diffusers
The post counts 188,511,363 parameters, diffusers 0.42 finds 117,077,123 in the same call."""


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


def blog(measured: int) -> Contender:
    """The blog's last network, 300 steps of DDPM under guidance: two evaluations a step."""
    network = AvatarNetwork(presets.load(BLOG_PRESET).model)
    pipeline = AvatarPipeline(network, Vocabulary.numbered())
    options: dict[str, Any] = {"sampler": "ddpm", "guidance_scale": 2.0}
    return Contender(
        lambda batch: pipeline(num_images=batch, seed=0, num_inference_steps=measured, **options),
        BLOG_STEPS,
        measured,
        network.num_parameters(),
        BLOG_STEPS * 2 * _network_macs(network),
    )


def follow_up(measured: int) -> Contender:
    """The blog's follow-up: a diffusers UNet, its DDPM scheduler, 300 steps under guidance."""
    scheduler = DDPMScheduler(BLOG_STEPS, beta_start=1e-4, beta_end=0.008)
    return _with_diffusers(UNet2DConditionModel(**FOLLOW_UP), scheduler, BLOG_STEPS, measured, True)


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
    return _with_diffusers(_small(found), scheduler, steps, steps, guided=False)


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


def _with_diffusers(
    unet: Any, scheduler: Any, steps: int, measured: int, guided: bool
) -> Contender:
    unet = unet.eval().to(memory_format=torch.channels_last)
    copies = 2 if guided else 1

    @torch.inference_mode()
    def generate(batch: int) -> torch.Tensor:
        size, channels = unet.config.sample_size, unet.config.in_channels
        x = torch.randn(batch, channels, size, size)
        tokens = torch.randn(copies * batch, NUM_TOKENS, unet.config.cross_attention_dim)
        scheduler.set_timesteps(steps)
        for t in scheduler.timesteps[:measured]:
            output = unet(torch.cat([x] * copies), t, tokens).sample
            if guided:
                output, null = output.chunk(2)
                output = null + 2.0 * (output - null)
            x = scheduler.step(output, t, x).prev_sample
        return x

    with torch.device("meta"):
        macs = copies * steps * _unet_macs(UNet2DConditionModel.from_config(unet.config))
    return Contender(generate, steps, measured, sum(p.numel() for p in unet.parameters()), macs)


def _unet_macs(unet: Any) -> float:
    """Of one evaluation for one image, in millions; ``unet`` is on the meta device."""
    config = unet.config
    shape = (1, config.in_channels, config.sample_size, config.sample_size)
    tokens = torch.empty(1, NUM_TOKENS, config.cross_attention_dim, device="meta")
    x, t = torch.empty(shape, device="meta"), torch.empty(1, device="meta")
    return count_macs(lambda: unet(x, t, tokens))


def _network_macs(network: AvatarNetwork) -> float:
    """Of one evaluation for one image, in millions."""
    size, low_res_size = network.config.image_size, network.config.low_res_size
    with torch.device("meta"):
        copy = AvatarNetwork(network.config)
        inputs = [torch.empty(1, 4, size, size), torch.empty(1), torch.empty(1, ONE_HOT_SIZE)]
        if low_res_size:
            inputs.append(torch.empty(1, 4, low_res_size, low_res_size))
        return count_macs(lambda: copy(*inputs))
