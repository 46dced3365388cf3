import dataclasses
import runpy
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from avatar_model import AvatarPipeline
from avatar_model.attributes import Vocabulary
from avatar_model.images import on_white, to_model
from avatar_model.network import AvatarNetwork
from tests.tiny import two_stages
from tests.train.conftest import TINY_MODEL
from train.figures.trajectory import (
    HOLD_MS,
    MAX_FRAMES,
    _noisy_on_white,
    record,
    render_strip,
    write_gif,
)


def make_pipeline(**changes):
    torch.manual_seed(0)
    network = AvatarNetwork(dataclasses.replace(TINY_MODEL, **changes))
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.1)
    return AvatarPipeline(network, Vocabulary.from_options({}))


@pytest.fixture(scope="module")
def pipe():
    return make_pipeline()


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpm++"])
def test_ends_in_the_pipelines_images(pipe, sampler):
    options = {"num_images": 2, "seed": 3, "num_inference_steps": 5, "sampler": sampler}
    trajectory = record(pipe, {"hair": 4}, **options)
    plain = pipe({"hair": 4}, output_type="np", **options)
    assert trajectory.noisy.shape == trajectory.estimates.shape == (6, 2, 16, 16, 3)
    assert np.array_equal(trajectory.noisy[-1], on_white(plain.images))
    # A sampler's last step goes to its estimate of x_0, so that is the image as well.
    for estimate in trajectory.estimates[-2:]:
        assert np.abs(estimate.astype(int) - on_white(plain.images)).max() <= 1
    assert trajectory.output.attributes == plain.attributes
    assert trajectory.times == pytest.approx([1, 0.8, 0.6, 0.4, 0.2, 0])


def test_starts_in_grey_noise_that_is_the_seeds_own(pipe):
    one = record(pipe, {}, seed=3, num_inference_steps=1)
    two = record(pipe, {}, seed=[9, 3], num_images=2, num_inference_steps=2)
    assert np.array_equal(one.noisy[0, 0], two.noisy[0, 1])
    assert not np.array_equal(two.noisy[0, 0], two.noisy[0, 1])
    assert two.noisy[0].mean() == pytest.approx(127.5, abs=10)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("pixel_range", [(-1.0, 1.0), (0.0, 1.0)])
def test_without_noise_the_picture_on_white_is_shown(drawn, pixel_range, channels):
    pixels = drawn.images[:3]
    x = to_model(pixels, pixel_range, channels)
    assert np.array_equal(_noisy_on_white(x, 1.0, pixel_range), on_white(pixels))


def test_works_for_pixels_in_0_to_1():
    trajectory = record(make_pipeline(pixel_range=(0.0, 1.0)), {}, seed=1, num_inference_steps=2)
    assert np.array_equal(trajectory.noisy[-1], on_white(trajectory.output.images))


def test_of_a_model_of_two_stages_the_base_is_watched():
    options = {"num_images": 2, "seed": 3, "num_inference_steps": 2}
    pipe = two_stages()
    trajectory = record(pipe, {"hair": 4}, **options)
    plain = pipe({"hair": 4}, size=16, output_type="np", **options)
    assert trajectory.noisy.shape == (3, 2, 16, 16, 3)
    assert np.array_equal(trajectory.noisy[-1], on_white(plain.images))


def test_gif_shows_every_step_and_holds_the_last(pipe, tmp_path):
    trajectory = record(pipe, {}, num_images=3, seed=1, num_inference_steps=4)
    out = tmp_path / "new" / "t.gif"
    assert write_gif(out, trajectory, scale=2) == 5
    with Image.open(out) as gif:
        assert gif.n_frames == 5 and gif.info["loop"] == 0
        gif.seek(4)
        assert gif.info["duration"] == HOLD_MS
        last = np.asarray(gif.convert("RGB")).astype(int)
    # The first avatar's pixels, one in every 2x2 block, but for the palette's rounding.
    size, left, top = 16, 140, 40
    avatar = last[top : top + 2 * size : 2, left : left + 2 * size : 2]
    assert np.abs(avatar - trajectory.estimates[-1, 0]).mean() < 6
    assert (last[0] == 255).all()
    assert [p.name for p in out.parent.iterdir()] == ["t.gif"]


def test_long_trajectories_are_thinned_out(pipe, tmp_path):
    trajectory = record(pipe, {}, seed=1, num_inference_steps=2 * MAX_FRAMES)
    assert write_gif(tmp_path / "t.gif", trajectory, scale=1) == MAX_FRAMES


def test_strip_has_two_rows_for_each_avatar(pipe):
    trajectory = record(pipe, {}, num_images=2, seed=1, num_inference_steps=9)
    strip = np.asarray(render_strip(trajectory, columns=4, scale=2))
    one = render_strip(record(pipe, {}, seed=1, num_inference_steps=9), columns=4, scale=2)
    assert strip.shape[0] > one.height and strip.shape[1] == one.width
    last_column = strip[40 : 40 + 32 : 2, -14 - 32 : -14 : 2]
    assert np.array_equal(last_column, trajectory.noisy[-1, 0])


@pytest.fixture
def run_tool(monkeypatch, pipe, tmp_path):
    def run(*arguments):
        pipe.save_pretrained(tmp_path / "model")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["trajectory", *map(str, arguments)])
        monkeypatch.delitem(sys.modules, "train.trajectory", raising=False)
        runpy.run_module("train.trajectory", run_name="__main__")

    return run


def test_the_tool_writes_both_pictures(run_tool, tmp_path):
    look = ("--attributes", "hair", "12", "glasses", "any")
    run_tool("--model=model", "--steps=3", "--num-images=2", "--strip=strip.png", *look)
    with Image.open(tmp_path / "trajectory.gif") as gif, Image.open(tmp_path / "strip.png") as png:
        assert gif.n_frames == 4
        assert png.height > 4 * 128  # two avatars, two rows each, about 128 wide


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model=nowhere"], "error: there is no checkpoint folder 'nowhere'"),
        (["--out=t.png"], "error: t.png must end in .gif"),
        (["--strip=t.gif"], "error: t.gif must end in .png"),
        (["--steps=0"], "error: num_inference_steps must be"),
        (["--strip-columns=1"], "error: strip_columns must be from 2 to 1000, not 1"),
        (["--scale=0"], "error: scale must be from 1 to 64, not 0"),
        (["--attributes", "hare", "1"], "error: unknown attribute 'hare'"),
    ],
)
def test_bad_arguments_are_named(run_tool, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        run_tool("--model=model", *arguments)
    assert message in str(stopped.value)
