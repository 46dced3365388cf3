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
from avatar_model.stage import STEPS_BELOW_SCALE_1
from tests.tiny import TINY_MODEL, two_stages

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


def test_on_the_way_from_the_average_face_it_starts_without_noise(pipe):
    options = {"seed": 3, "guidance_scale": 0.5, "guidance_method": "condition"}
    frames = film(pipe, LOOK, num_inference_steps=2, **options)
    assert len(frames) == STEPS_BELOW_SCALE_1 + 1
    assert not record(pipe, LOOK, num_inference_steps=2, **options)[0][0].x.any()
    drawn = pipe(LOOK, num_inference_steps=2, **options).images[0]
    assert np.array_equal(np.asarray(frames[-1].estimate), np.asarray(drawn))


def test_an_estimate_belongs_to_the_noisy_image_beside_it(pipe):
    states, output = record(pipe, LOOK, num_images=2, num_inference_steps=3, seed=1)
    assert [s.t for s in states] == pytest.approx([1, 2 / 3, 1 / 3, 0])
    assert output.seeds == [1, 2]
    for a, b in pairwise(states):  # DDIM under the flow schedule, by hand
        eps = (a.x - (1 - a.t) * a.x0) / a.t
        assert torch.allclose(b.x, (1 - b.t) * a.x0 + b.t * eps, atol=1e-5)
    assert np.array_equal(to_pixels(states[-1].x), output.images)


class TestTwoStages:
    def test_the_states_of_the_base_are_followed_by_those_of_the_upscaler(self):
        options = {"num_inference_steps": 2, "seed": 3, "sampler": "ddpm"}
        pipe = two_stages()
        frames = film(pipe, LOOK, **options)
        assert [(f.stage, f.t, f.estimate.size, f.noisy.size) for f in frames] == [
            *(("base", t, (16, 16), (16, 16)) for t in (1, 0.5, 0)),
            *(("upscaler", t, (64, 64), (64, 64)) for t in (1, 0)),
        ]
        small, large = (pipe(LOOK, size=s, **options).images[0] for s in pipe.sizes)
        for frame, picture in ((frames[2], small), (frames[-1], large)):
            assert np.array_equal(np.asarray(frame.estimate), np.asarray(picture))
            assert np.array_equal(np.asarray(frame.noisy), np.asarray(picture))

    def test_the_upscaler_begins_with_noise_of_its_own_and_its_estimate_of_it(self):
        pipe = two_stages()
        states, output = record(pipe, LOOK, num_images=2, seed=3, upscaler_steps=2)
        upscaler = [s for s in states if s.stage == "upscaler"]
        assert torch.equal(upscaler[0].x, pipe.upscaler.noise(output.seeds))
        for a, b in pairwise(upscaler):  # DDIM under the flow schedule, by hand
            eps = (a.x - (1 - a.t) * a.x0) / a.t
            assert torch.allclose(b.x, (1 - b.t) * a.x0 + b.t * eps, atol=1e-5)
        assert np.array_equal(to_pixels(upscaler[-1].x0), output.images)

    def test_the_small_size_is_a_film_of_the_base_alone(self):
        frames = film(two_stages(), LOOK, num_inference_steps=2, seed=3, size=16)
        assert [f.stage for f in frames] == ["base"] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attributes": [LOOK]}, "attributes must be one mapping of a single avatar"),
        ({"attributes": {"hare": 1}}, "unknown attribute 'hare'"),
        ({"num_inference_steps": 0}, "num_inference_steps must be .* not 0"),
        ({"sampler": "euler"}, "sampler must be one of"),
        ({"size": 64}, "size must be one of 16, not 64"),
    ],
)
def test_bad_arguments_are_named(pipe, arguments, message):
    with pytest.raises(ValueError, match=message):
        film(pipe, **arguments)
