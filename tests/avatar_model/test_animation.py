import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from avatar_model import animation
from avatar_model.animation import OPAQUE, animate

SIZE = 24


@pytest.fixture
def frames():
    """A disc with a soft edge that walks to the right over nothing and changes its colour."""
    y, x = np.mgrid[:SIZE, :SIZE]
    out = []
    for i in range(6):
        distance = np.hypot(x - 6 - 2 * i, y - 12)
        rgba = np.zeros((SIZE, SIZE, 4), dtype=np.uint8)
        rgba[..., 3] = (255 * (7 - distance).clip(0, 1)).round()
        rgba[..., :3] = (40 * i, 3 * x.max() + y[0, 0], 255 - 40 * i)
        rgba[..., 1] = 8 * y
        rgba[rgba[..., 3] == 0] = 0
        out.append(Image.fromarray(rgba))
    return out


def decode(data):
    """The frames as a viewer shows them, and how long each, in milliseconds."""
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.info["loop"] == 0
        out, milliseconds = [], []
        for i in range(picture.n_frames):
            picture.seek(i)
            picture.load()  # a WebP tells only then
            milliseconds.append(picture.info["duration"])
            out.append(np.asarray(picture.convert("RGBA")))
    return np.stack(out).astype(int), milliseconds


def arrays(frames):
    return np.stack([np.asarray(frame) for frame in frames]).astype(int)


def test_webp_gives_every_pixel_back(frames):
    shown, milliseconds = decode(animate(frames, "webp", milliseconds=70))
    assert np.array_equal(shown, arrays(frames)) and milliseconds == [70] * 6


def test_a_webp_that_may_lose_something_is_smaller_and_keeps_what_is_there(frames):
    large = [frame.resize((8 * SIZE, 8 * SIZE), Image.Resampling.BICUBIC) for frame in frames]
    lossless, lossy = (animate(large, "webp", lossless=value) for value in (True, False))
    shown, milliseconds = decode(lossy)
    assert len(lossy) < 0.7 * len(lossless) and milliseconds == [80] * 6
    assert np.abs(shown - arrays(large))[..., 3].max() <= 16
    there = arrays(large)[..., 3] == 255
    assert np.abs(shown - arrays(large))[there].mean() < 4


def test_some_of_many_pixels_tell_the_colours_of_a_palette(frames, monkeypatch):
    exact, _ = decode(animate(frames))
    monkeypatch.setattr(animation, "PALETTE_PIXELS", 100)
    shown, _ = decode(animate(frames))
    assert np.array_equal(shown[..., 3], exact[..., 3])
    assert np.abs(shown - exact)[..., :3].max() <= 64 and np.abs(shown - exact).mean() < 4


@pytest.mark.parametrize("shared_palette", [True, False])
def test_gif_shows_each_frame_alone_with_edges_of_its_own_colour(frames, shared_palette):
    data = animate(frames, "gif", milliseconds=70, shared_palette=shared_palette)
    shown, milliseconds = decode(data)
    expected = arrays(frames)
    there = expected[..., 3] >= OPAQUE
    assert milliseconds == [70] * 6
    assert np.array_equal(shown[..., 3] == 255, there)
    assert np.array_equal(shown[..., 3] == 0, ~there)
    assert np.abs(shown - expected)[there][:, :3].max() <= 8


def test_gif_on_a_background_has_smooth_edges(frames):
    shown, _ = decode(animate(frames, "gif", background="#102030"))
    paper = Image.new("RGBA", (SIZE, SIZE), "#102030")
    expected = arrays([Image.alpha_composite(paper, frame) for frame in frames])
    assert (shown[..., 3] == 255).all()
    assert np.abs(shown - expected).max() <= 16
    alone = arrays(frames)[..., 3] == 0
    assert np.array_equal(shown[alone], expected[alone])  # the commonest colour is exact


def test_few_colours_are_exact():
    frames = []
    for i in range(3):
        frame = Image.new("RGBA", (16, 16))
        ImageDraw.Draw(frame).rectangle((2, 2 + i, 9, 9 + i), fill="#12ab56", outline="#010203")
        frames.append(frame)
    shown, _ = decode(animate(frames))
    assert np.array_equal(shown, arrays(frames))


def test_what_stands_still_has_one_colour_under_a_shared_palette():
    rng = np.random.default_rng(0)
    still = rng.integers(0, 256, (16, 8, 3), dtype=np.uint8)
    frames = [
        Image.fromarray(np.hstack([still, rng.integers(0, 256, (16, 8, 3), dtype=np.uint8)]))
        for _ in range(4)
    ]
    data = animate(frames)
    shown, _ = decode(data)
    # Four frames of 256 pixels and one palette; another for each would be 2304 bytes more.
    assert len(data) < 3000 < len(animate(frames, shared_palette=False))
    assert (shown[:, :, :8] == shown[0, :, :8]).all()


@pytest.mark.parametrize("format", ["gif", "webp"])
def test_ping_pong_scale_and_times(frames, format):
    times = [500, 40, 40, 40, 40, 900]
    data = animate(frames, format, scale=3, milliseconds=times, ping_pong=True)
    shown, milliseconds = decode(data)
    assert shown.shape == (10, 3 * SIZE, 3 * SIZE, 4)
    assert milliseconds == [500, 40, 40, 40, 40, 900, 40, 40, 40, 40]
    assert np.array_equal(shown[6:], shown[4:0:-1])
    once, _ = decode(animate(frames, format, milliseconds=times))
    assert np.array_equal(shown[:6], once.repeat(3, axis=1).repeat(3, axis=2))


@pytest.mark.parametrize("format", ["gif", "webp"])
def test_a_frame_of_nothing_and_a_single_frame(frames, format):
    nothing = Image.new("RGBA", (SIZE, SIZE))
    shown, _ = decode(animate([frames[0], nothing, frames[1]], format))
    assert (shown[1] == 0).all() and shown[2].any()
    assert animate(frames[:1], format, ping_pong=True)
    assert animate([nothing], format)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": []}, "frames must be pictures of one size, at least one; these are none"),
        ({"format": "mp4"}, "format must be one of gif, webp, not 'mp4'"),
        ({"scale": 1.5}, "scale must be a whole number from 1 to 64, not 1.5"),
        ({"milliseconds": 5}, "milliseconds must be a whole number from 20 to 60000, not 5"),
        ({"milliseconds": "fast"}, "milliseconds must be .* not 'fast'"),
        ({"milliseconds": [80, 80]}, "2 milliseconds for 6 frames"),
        ({"background": "blurple"}, "background must be a colour"),
    ],
)
def test_bad_arguments_are_named(frames, arguments, message):
    with pytest.raises(ValueError, match=message):
        animate(**({"frames": frames} | arguments))
