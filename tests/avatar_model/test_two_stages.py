"""A pipeline of two stages: which picture it draws, and from what."""

import dataclasses

import numpy as np
import pytest
import torch

from avatar_model import AvatarPipeline, Vocabulary
from avatar_model.attributes import one_hot, to_row
from avatar_model.images import ALPHA_FLOOR, to_model, to_pixels
from avatar_model.morph import complete
from avatar_model.stage import BATCH, Stage
from tests.tiny import TINY_MODEL, TINY_UPSCALER, random_network, two_stages

LOOK = {"hair": 12, "glasses": None}
LEVELS = ALPHA_FLOOR + 1
"""A last bit may decide how a value is rounded, and so whether an alpha of 3 becomes nothing."""


@pytest.fixture(scope="module")
def pipe():
    return two_stages()


def arrays(pipe, *args, **options):
    """Premultiplied pixels, int."""
    return pipe(*args, output_type="np", **options).images.astype(int)


def drawn_larger(pipe, small, attributes, seeds, **settings):
    """What the upscaler makes of these pixels, called by hand."""
    rows = torch.from_numpy(one_hot(np.stack([to_row(values) for values in attributes])))
    low_res = to_model(small.astype(np.uint8))
    with torch.inference_mode():
        x = pipe.upscaler.generate(rows, seeds, pipe.upscaler.settings(**settings), low_res)
    return to_pixels(x).astype(int)


def test_the_largest_size_is_the_default(pipe):
    assert pipe.sizes == (16, 64)
    assert [pipe(seed=1, size=s).images[0].size for s in (None, 16, 64)] == [
        (64, 64),
        (16, 16),
        (64, 64),
    ]


def test_without_an_upscaler_there_is_one_size():
    pipe = AvatarPipeline(random_network(TINY_MODEL), Vocabulary.numbered())
    assert pipe.sizes == (16,)
    assert np.array_equal(arrays(pipe, LOOK, seed=1), arrays(pipe, LOOK, seed=1, size=16))


def test_the_small_picture_is_the_one_that_the_base_draws_alone(pipe):
    alone = AvatarPipeline(random_network(TINY_MODEL), Vocabulary.numbered())
    options = {"num_images": 3, "seed": 5}
    assert np.array_equal(arrays(pipe, LOOK, size=16, **options), arrays(alone, LOOK, **options))


@pytest.mark.parametrize("scale", [0, 1, 2])
def test_the_large_picture_is_made_from_the_small_one(pipe, scale):
    """By classic guidance, as far as the base does, but it exaggerates nothing."""
    options = {"num_images": 2, "seed": 5, "guidance_scale": scale, "upscaler_steps": 2}
    small = arrays(pipe, LOOK, size=16, **options)
    large = pipe(LOOK, output_type="np", **options)
    expected = drawn_larger(
        pipe, small, large.attributes, large.seeds, scale=min(scale, 1), steps=2
    )
    assert np.abs(large.images - expected).max() <= LEVELS
    assert len({image.tobytes() for image in large.images}) == 2


@pytest.mark.parametrize("size", [16, 64])
def test_output_types(pipe, size):
    options = {"num_images": 2, "seed": 1, "size": size}
    out = {kind: pipe(LOOK, output_type=kind, **options).images for kind in ("pil", "np", "pt")}
    assert [(image.mode, image.size) for image in out["pil"]] == [("RGBA", (size, size))] * 2
    assert out["np"].dtype == np.uint8 and out["np"].shape == (2, size, size, 4)
    assert out["pt"].dtype == torch.float32 and out["pt"].shape == (2, 4, size, size)
    assert np.array_equal(to_pixels(out["pt"]), out["np"])
    assert np.array_equal(np.stack([image.convert("RGBa") for image in out["pil"]]), out["np"])


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpm++"])
def test_an_image_is_the_same_in_any_batch(pipe, sampler):
    options = {"sampler": sampler, "num_inference_steps": 2, "upscaler_steps": 3}
    count = BATCH + 3  # in two parts
    many = arrays(pipe, LOOK, num_images=count, seed=9, **options)
    for i in (0, BATCH - 1, BATCH, count - 1):
        alone = arrays(pipe, LOOK, seed=9 + i, **options)[0]
        assert np.abs(many[i] - alone).max() <= LEVELS


def test_who_follows_the_steps_changes_nothing(pipe):
    options = {"num_images": BATCH + 1, "seed": 9, "upscaler_steps": 2}
    followed = arrays(pipe, LOOK, callback=lambda *_: None, **options)
    assert np.abs(followed - arrays(pipe, LOOK, **options)).max() <= LEVELS


def test_callbacks_of_the_base_and_then_of_the_upscaler_with_all_images(pipe):
    seen = []

    def follow(step, t, x, x0):
        seen.append((step, t, tuple(x.shape), tuple(x0.shape)))

    count = BATCH + 1
    options = {"num_images": count, "num_inference_steps": 2, "upscaler_steps": 4}
    pipe(LOOK, callback=follow, **options)
    small, large = (count, 4, 16, 16), (count, 4, 64, 64)
    base = [(0, 0.5, small, small), (1, 0, small, small)]
    upscaler = [(i, t, large, large) for i, t in enumerate((0.75, 0.5, 0.25, 0))]
    assert seen == base + upscaler
    seen.clear()
    pipe(LOOK, callback=follow, size=16, **options)
    assert seen == base


def test_steps_of_the_upscaler_are_its_own():
    pipe = two_stages(num_inference_steps=3)
    seen = []
    pipe(num_inference_steps=1, callback=lambda i, *_: seen.append(i))
    pipe(num_inference_steps=1, upscaler_steps=2, callback=lambda i, *_: seen.append(i))
    assert seen == [0, 0, 1, 2, 0, 0, 1]


@pytest.mark.parametrize("size", [16, 64])
def test_the_ends_of_a_morph_are_the_plain_avatars(pipe, size):
    start, end = (
        complete("look", {"hair": hair}, pipe.vocabulary, seed) for hair, seed in ((3, 1), (7, 2))
    )
    frames = pipe.morph(start, end, num_frames=BATCH + 2, seed=3, size=size)
    assert [frame.size for frame in frames] == [(size, size)] * (BATCH + 2)
    for frame, look in ((frames[0], start), (frames[-1], end)):
        plain = arrays(pipe, look, seed=3, size=size)[0]
        assert np.abs(np.asarray(frame.convert("RGBa")).astype(int) - plain).max() <= LEVELS
    assert pipe.morph(start, end, num_frames=2)[0].size == (64, 64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 100}, "size must be one of 16, 64, not 100"),
        ({"size": "64"}, "size must be one of 16, 64, not '64'"),
        ({"size": True}, "size must be one of 16, 64, not True"),
        ({"upscaler_steps": 0}, "upscaler_steps must be a whole number from 1 to 1000, not 0"),
        ({"upscaler_steps": "many", "size": 16}, "upscaler_steps must be .* not 'many'"),
    ],
)
def test_bad_arguments_are_named(pipe, arguments, message):
    with pytest.raises(ValueError, match=message):
        pipe(**arguments)


def test_a_bad_size_of_a_morph_is_named(pipe):
    with pytest.raises(ValueError, match="size must be one of 16, 64, not 32"):
        pipe.morph({}, {}, size=32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 32, "low_res_size": 8}, "pictures of 8 pixels, and the base draws 16"),
        ({"crop": 420}, "a crop of 420, and the base has 360"),
        ({"pixel_range": (0.0, 1.0)}, r"a pixel_range of \(0.0, 1.0\), and the base has \(-1.0"),
        ({"low_res_size": 0}, "it is no upscaler: its low_res_size is 0"),
    ],
)
def test_an_upscaler_that_cannot_go_on_from_this_base_is_refused(change, message):
    upscaler = Stage(random_network(dataclasses.replace(TINY_UPSCALER, **change)))
    with pytest.raises(ValueError, match=message):
        AvatarPipeline(random_network(TINY_MODEL), Vocabulary.numbered(), upscaler=upscaler)


def test_pixels_from_0_to_1_are_drawn_larger_too():
    change = {"pixel_range": (0.0, 1.0)}
    pipe = two_stages(*(dataclasses.replace(c, **change) for c in (TINY_UPSCALER, TINY_MODEL)))
    tensors = pipe(LOOK, seed=1, output_type="pt").images
    assert np.array_equal(to_pixels(tensors), arrays(pipe, LOOK, seed=1))
