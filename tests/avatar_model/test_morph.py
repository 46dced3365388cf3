from pathlib import Path

import numpy as np
import pytest
import torch

from avatar_model import AvatarPipeline, Vocabulary, VocabularyError
from avatar_model.attributes import NAMES, OFFSETS, SIZES, one_hot, to_row
from avatar_model.images import on_white
from avatar_model.morph import morph_path
from avatar_model.network import AvatarNetwork
from tests.tiny import TINY_MODEL
from train.evaluation.psnr import psnr

BUNDLED = Path(__file__).parents[2] / "assets" / "model"
START, END = (
    Vocabulary.numbered().sample({"face_shape": 2}, np.random.default_rng(seed)) for seed in (1, 2)
)


@pytest.fixture(scope="module")
def pipe():
    torch.manual_seed(0)
    network = AvatarNetwork(TINY_MODEL)
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.1)
    return AvatarPipeline(network, Vocabulary.numbered())


def premultiplied(images):
    return np.stack([np.asarray(image.convert("RGBa")) for image in images]).astype(int)


def share(path, name):
    """How far an attribute that changes has come, per frame."""
    return path[:, OFFSETS[NAMES.index(name)] + END[name]]


class TestPath:
    def test_it_leads_from_one_look_to_the_other(self):
        path = morph_path(START, END, 9)
        ends = one_hot(np.stack([to_row(START), to_row(END)]))
        assert path.dtype == np.float32 and np.array_equal(path[[0, -1]], ends)
        for offset, size in zip(OFFSETS, SIZES, strict=True):  # always one whole value
            assert path[:, offset : offset + size].sum(axis=1) == pytest.approx(1)

    def test_every_attribute_only_goes_forward(self):
        path = morph_path(START, END, 33)
        for name in NAMES:
            if START[name] != END[name]:
                assert (np.diff(share(path, name)) >= 0).all()

    def test_colours_glide_and_shapes_follow_one_another(self):
        start = dict.fromkeys(NAMES, 0)
        end = start | {"face_color": 3, "chin_length": 1, "hair": 5, "glasses": 2}
        path = morph_path(start, end, 9)
        value = {name: path[:, OFFSETS[NAMES.index(name)] + end[name]] for name in end}
        assert value["face_color"] == pytest.approx(np.linspace(0, 1, 9))
        # Three groups overlap by half: they take the first, the middle and the last half.
        assert value["chin_length"] == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 1])
        assert value["hair"] == pytest.approx([0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1])
        assert value["glasses"] == pytest.approx([0, 0, 0, 0, 0, 0.25, 0.5, 0.75, 1])

    def test_one_group_takes_all_the_time(self):
        path = morph_path(START, START | {"hair": (START["hair"] + 1) % 111}, 5)
        assert path[:, OFFSETS[NAMES.index("hair")] + START["hair"]] == pytest.approx(
            [1, 0.75, 0.5, 0.25, 0]
        )

    def test_nothing_to_do(self):
        path = morph_path(START, START, 3)
        assert np.array_equal(path, path[[0, 0, 0]])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sampler": "ddpm", "num_inference_steps": 3, "guidance_scale": 2.0},
        {"guidance_method": "condition", "guidance_scale": 0.9, "num_inference_steps": 2},
    ],
)
def test_the_ends_are_the_plain_avatars(pipe, options):
    frames = pipe.morph(START, END, num_frames=5, seed=3, **options)
    assert [(f.mode, f.size) for f in frames] == [("RGBA", (16, 16))] * 5
    plain = [pipe(look, seed=3, **options).images[0] for look in (START, END)]
    assert np.abs(premultiplied(frames)[[0, -1]] - premultiplied(plain)).max() <= 1
    assert np.abs(premultiplied(frames)[2] - premultiplied(plain)).max(axis=(1, 2, 3)).min() > 2


def test_any_in_both_looks_stands_still(pipe):
    frames = premultiplied(pipe.morph({"hair": 3}, {"hair": 3}, num_frames=3, seed=5))
    assert np.abs(frames - frames[0]).max() <= 1
    plain = premultiplied(pipe({"hair": 3}, seed=5).images)
    assert np.abs(frames[0] - plain).max() <= 1


def test_the_bundled_model_morphs():
    pipe = AvatarPipeline.from_pretrained(BUNDLED, device="cpu")
    frames = premultiplied(pipe.morph(START, END, num_frames=8, seed=7))
    plain = premultiplied([pipe(look, seed=7).images[0] for look in (START, END)])
    assert np.abs(frames[[0, -1]] - plain).max() <= 1

    away = np.sqrt(((frames - frames[0]) ** 2).mean(axis=(1, 2, 3)))
    assert (np.diff(away) > -0.5).all() and away[-1] > 20  # of 255 levels
    # No ghosts, unlike in a cross-fade.
    fade = np.linspace(plain[0], plain[1], 8).round()
    ghostly, fade_ghostly, ends_ghostly = (
        ((x[..., 3] >= 32) & (x[..., 3] < 224)).mean() for x in (frames[1:-1], fade[1:-1], plain)
    )
    assert ghostly < 2 * ends_ghostly < fade_ghostly
    assert psnr(*(on_white(x[4].astype(np.uint8)) for x in (frames, fade))) < 28


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": "bald"}, "start must be a mapping from names to values, not 'bald'"),
        ({"end": None}, "end must be a mapping from names to values, not None"),
        ({"end": {"hare": 1}}, "end: unknown attribute 'hare'; did you mean 'hair'"),
        ({"start": {"hair": 111}}, "start: hair 111 is out of range"),
        ({"num_frames": 1}, "num_frames must be a whole number from 2 to 256, not 1"),
        ({"num_frames": 257}, "num_frames must be .* not 257"),
        ({"seed": -1}, "seed must be .* not -1"),
        ({"seed": [1, 2]}, "2 seeds for 1 images"),
        ({"sampler": "euler"}, "sampler must be one of"),
        ({"num_inference_steps": 0}, "num_inference_steps must be .* not 0"),
        ({"guidance_scale": 21}, "guidance_scale must be .* not 21"),
    ],
)
def test_bad_arguments_are_named(pipe, arguments, message):
    with pytest.raises(ValueError, match=message):
        pipe.morph(**({"start": START, "end": END} | arguments))


def test_an_unknown_value_is_a_vocabulary_error(pipe):
    with pytest.raises(VocabularyError):
        pipe.morph({"hair": 111}, END)
