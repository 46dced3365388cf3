"""The smallest networks with every part of the real ones; tests draw with them in milliseconds."""

import dataclasses

import torch

from avatar_model import AvatarPipeline, ModelConfig, Vocabulary
from avatar_model.network import AvatarNetwork
from avatar_model.stage import Stage

TINY_MODEL = ModelConfig(
    image_size=16,
    channels=(16, 32),
    self_attention=(False, False),
    cross_attention=(False, True),
    canvas_channels=4,
    tau_width=32,
)
TINY_UPSCALER = dataclasses.replace(
    TINY_MODEL, image_size=64, patch_size=4, low_res_size=16, blocks_up=1
)


def random_network(config, seed=0):
    """As if trained: layers that start at zero would hide a broken path."""
    generator = torch.Generator().manual_seed(seed)
    network = AvatarNetwork(config)
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.1, generator=generator)
    return network.eval()


def untrained(**config):
    """A tiny network with another config, as it is when training begins, but for its last layers:
    they start with zeros and would draw the same for everybody."""
    with torch.random.fork_rng(devices=[]):  # the same picture whatever ran before
        torch.manual_seed(0)
        network = AvatarNetwork(dataclasses.replace(TINY_MODEL, **config))
        for weights in network.parameters():
            if not weights.any():
                torch.nn.init.normal_(weights, std=0.1)
    return network


def save_with_upscaler(model, folder):
    """A checkpoint of 64 pixels once more, with an upscaler to 256; returns ``folder``."""
    pipeline = AvatarPipeline.from_pretrained(model)
    pipeline.upscaler = Stage(untrained(image_size=256, patch_size=4, low_res_size=64))
    pipeline.save_pretrained(folder)
    return folder


def two_stages(upscaler=TINY_UPSCALER, base=TINY_MODEL, vocabulary=None, **defaults):
    """A pipeline that draws 16 and 64 pixels; ``defaults`` are the upscaler's."""
    second = Stage(random_network(upscaler, seed=1), defaults)
    vocabulary = vocabulary or Vocabulary.numbered()
    return AvatarPipeline(random_network(base), vocabulary, upscaler=second)
