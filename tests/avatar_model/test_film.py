import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch

from avatar_model import AvatarPipeline, Vocabulary
from avatar_model.film import film, record
from avatar_model.images import to_pixels
from avatar_model.network import AvatarNetwork
from avatar_model.samplers import SAMPLERS
from tests.tiny import TINY_MODEL

LOOK = {"hair": 12, "glasses": None}
LINEAR = {"schedule": "linear", "prediction": "v", "input_scaling": "unit"}


def make_pipe(**config):
    torch.manual_seed(0)
    network = AvatarNetwork(dataclasses.replace(TINY_MODEL, **config))
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.1)
    return AvatarPipeline(network, Vocabulary.numbered())


@pytest.fixture(scope="module")
def pipe():
    return make_pipe()


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("config", [{}, LINEAR])
def test_the_last_frame_is_the_avatar(sampler, config):
    pipe = make_pipe(**config)
    options = {"num_inference_steps": 4, "seed": 3, "guidance_scale": 2.0, "sampler": sampler}
    frames = film(pipe, LOOK, **options)
    plain = np.asarray(pipe(LOOK, **options).images[0])
    assert [frame.t for frame in frames] == [1, 0.75, 0.5, 0.25, 0]
    for picture in (frames[-1].estimate, frames[-1].noisy):
        assert picture.mode == "RGBA" and np.array_equal(np.asarray(picture), plain)


def test_the_first_frame_is_noise_and_what_one_step_makes_of_it(pipe):
    first = film(pipe, LOOK, seed=3)[0]
    noise = torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(3))
    assert np.array_equal(np.asarray(first.noisy.convert("RGBa")), to_pixels(noise))
    one = pipe(LOOK, seed=3, num_inference_steps=1).images[0]
    assert np.array_equal(np.asarray(first.estimate), np.asarray(one))


def test_an_estimate_belongs_to_the_noisy_image_beside_it(pipe):
    states, output = record(pipe, LOOK, num_images=2, num_inference_steps=3, seed=1)
    assert [s.t for s in states] == pytest.approx([1, 2 / 3, 1 / 3, 0])
    assert output.seeds == [1, 2]
    for a, b in pairwise(states):  # DDIM under the flow schedule, by hand
        eps = (a.x - (1 - a.t) * a.x0) / a.t
        assert torch.allclose(b.x, (1 - b.t) * a.x0 + b.t * eps, atol=1e-5)
    assert np.array_equal(to_pixels(states[-1].x), output.images)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attributes": [LOOK]}, "attributes must be one mapping of a single avatar"),
        ({"attributes": {"hare": 1}}, "unknown attribute 'hare'"),
        ({"num_inference_steps": 0}, "num_inference_steps must be .* not 0"),
        ({"sampler": "euler"}, "sampler must be one of"),
    ],
)
def test_bad_arguments_are_named(pipe, arguments, message):
    with pytest.raises(ValueError, match=message):
        film(pipe, **arguments)
