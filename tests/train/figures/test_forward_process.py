import runpy
import sys

import numpy as np
import pytest
from PIL import Image

from avatar_model.images import on_white
from avatar_model.schedule_check import diagnose, schedule_warnings
from avatar_model.schedules import cosine, flow, linear, make_schedule, sigmoid
from train.figures.forward_process import noising_strip, parse_schedule


@pytest.mark.parametrize("schedule", [flow(), cosine(), sigmoid(), linear(1000, 1e-4, 0.02)])
def test_usual_schedules_are_fine(schedule):
    assert schedule_warnings(schedule) == []


def test_the_blogs_first_schedule_is_noise_at_once():
    (warning,) = schedule_warnings(linear(500, beta_end=0.2))
    assert "'linear' is too noisy: in 60% of the time steps log-SNR is below -8.3" in warning


def test_the_blogs_schedule_does_not_end_in_noise():
    (warning,) = schedule_warnings(linear(300, beta_end=0.008))
    assert "does not end in noise" in warning
    assert "alpha = 0.54 (log-SNR -0.9)" in warning  # exp(-sum(beta) / 2), by hand 0.545


def test_bigger_images_stand_more_noise():
    """DDPM's schedule ends at log-SNR -10: between the limits for 64 and for 512 pixels."""
    ddpm = linear(1000, 1e-4, 0.02)
    assert diagnose(ddpm).end_log_snr == pytest.approx(-10.1, abs=0.05)
    (warning,) = schedule_warnings(ddpm, image_size=512)
    assert "does not end in noise" in warning


def test_the_threshold_is_where_the_average_colour_drowns():
    """At log-SNR = -log N, noise moves the average of N pixels as far as black is from grey."""
    snr = np.exp(diagnose(flow(), image_size=32).threshold)
    noise = np.random.default_rng(0).standard_normal((2000, 32 * 32)) / np.sqrt(snr)
    assert noise.mean(axis=1).std() == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("linear", {"beta_end": 2}),
        ("linear", {"num_steps": 0}),
        ("linear", {"num_steps": -5}),
        ("linear", {"num_steps": 2.5}),
        ("sigmoid", {"tau": 0}),
        ("sigmoid", {"input_scale": 0}),
    ],
)
def test_a_schedule_that_is_none_is_refused(name, options):
    reasons = ("does not add more and more", "num_steps must be a whole", "beta_end must lie")
    message = f"'{name}'.*({'|'.join(reasons)})"
    with pytest.raises(ValueError, match=message):
        make_schedule(name, **options)


def test_strip_goes_from_the_picture_to_grey_noise(drawn):
    rgb = on_white(drawn.images[0])
    strip = noising_strip(flow(), rgb, [0, 0.5, 1])
    assert np.array_equal(strip[0], rgb)
    assert strip[2].mean() == pytest.approx(127.5, abs=5)
    again = noising_strip(flow(), 255 - rgb, [1])
    assert np.array_equal(strip[2], again[0])  # nothing of the picture is left


def test_the_blogs_comparison(drawn):
    """After a third of the time, one picture has drowned and the other is plain to see."""
    rgb = on_white(drawn.images[0])

    def seen(schedule):
        (noisy,) = noising_strip(schedule, rgb, [1 / 3])
        return np.corrcoef(noisy.ravel(), rgb.ravel())[0, 1]

    assert seen(linear(500, beta_end=0.2)) < 0.15
    assert seen(linear(300, beta_end=0.008)) > 0.7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("quadratic", "unknown schedule 'quadratic'"),
        ("linear:beta=1", "'linear'.*'beta'"),
        ("linear:num_steps=many", "cannot read 'num_steps=many' in schedule"),
        ("linear:500", "cannot read '500' in schedule"),
    ],
)
def test_bad_schedules_are_named(text, message):
    with pytest.raises(ValueError, match=message):
        parse_schedule(text)


def test_options_are_read():
    schedule = parse_schedule("linear:num_steps=500, beta_end=0.2")
    assert diagnose(schedule) == diagnose(linear(500, beta_end=0.2))


@pytest.fixture
def run_tool(monkeypatch, cache):
    def run(*arguments):
        monkeypatch.setenv("AVATAR_CACHE", str(cache))
        monkeypatch.setattr(sys, "argv", ["forward_process", *map(str, arguments)])
        monkeypatch.delitem(sys.modules, "train.forward_process", raising=False)
        runpy.run_module("train.forward_process", run_name="__main__")

    return run


SMALL = ("--data=drawn:64", "--image-size=16")


def test_the_tool_draws_and_warns(run_tool, tmp_path, capsys):
    out = tmp_path / "new" / "forward.png"
    run_tool("linear:num_steps=500,beta_end=0.2", "flow", *SMALL, "--out", out, "--times", 4)
    printed = capsys.readouterr().out
    assert printed.count("warning: ") == 1 and "too noisy" in printed
    with Image.open(out) as one_more_row:
        width, height = one_more_row.size
    run_tool("flow", *SMALL, "--out", out, "--times", 4)
    with Image.open(out) as picture:
        assert picture.width == width and picture.height < height
        assert len(picture.convert("RGB").getcolors(2**20)) > 100
    assert [p.name for p in out.parent.iterdir()] == ["forward.png"]
    before = out.read_bytes()
    run_tool("flow", *SMALL, "--out", out, "--times", 4, "--crop", 420)
    assert out.read_bytes() != before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "forward.jpg"], "error: forward.jpg must end in .png"),
        (["--times=1"], "error: times must be from 2 to 1000, not 1"),
        (["--crop=501"], "error: crop must be from 1 to 500, not 501"),
        (["--image-size=0"], "error: image_size must be from 2 to 1024, not 0"),
        (["--avatar=64"], "error: avatar must be from 0 to 63, not 64"),
        (["quadratic"], "error: unknown schedule 'quadratic'"),
        (["--out", "/proc/forward.png"], "error: cannot write /proc/forward.png"),
    ],
)
def test_bad_arguments_are_named(run_tool, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        run_tool(*SMALL, *arguments)
    assert message in str(stopped.value)
