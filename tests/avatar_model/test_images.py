"""What a pixel means, checked over every colour and alpha there is."""

import numpy as np
import pytest
import torch
from PIL import Image

from avatar_model.crop import load_avatar, recrop, resize
from avatar_model.images import ALPHA_FLOOR, on_white, to_model, to_pil, to_pixels
from train.evaluation.psnr import psnr


def all_pixels() -> np.ndarray:
    """Every (colour, alpha) that a stored picture may hold, uint8 [256, 256, 4]."""
    colour, alpha = np.mgrid[:256, :256]
    alpha[alpha <= ALPHA_FLOOR] = 0
    colour = np.minimum(colour, alpha)
    return np.stack([colour, colour // 2, colour // 3, alpha], axis=-1).astype(np.uint8)


def picture(size: int = 500) -> Image.Image:
    """A red disc of diameter 0.6 on a transparent background whose hidden colour is green."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    rgba = np.full((size, size, 4), (0, 255, 0, 0), dtype=np.uint8)
    rgba[np.hypot(x, y) < 0.3 * size] = (200, 30, 20, 255)
    return Image.fromarray(rgba)


def test_load_is_premultiplied_clean_and_cropped():
    pixels = load_avatar(picture())
    assert pixels.shape == (64, 64, 4) and pixels.dtype == np.uint8
    assert tuple(pixels[32, 32]) == (200, 30, 20, 255)
    assert not pixels[0, 0].any()
    assert (pixels[..., :3] <= pixels[..., 3:]).all(), "bicubic overshoots at the edge of the disc"
    assert (pixels[..., 1] <= 36).all(), "the hidden green must not bleed into the edge"
    # 0.6 of the picture is 0.6 / 0.72 of the crop.
    assert (pixels[32, :, 3] > 127).sum() == pytest.approx(64 * 0.6 / 0.72, abs=1)


def test_crop_scales_with_the_picture():
    small, large = load_avatar(picture(250)), load_avatar(picture(1000))
    assert abs(small.astype(int) - large).mean() < 1.5
    assert (load_avatar(picture(), size=32, crop=500)[16, :, 3] > 127).sum() == pytest.approx(19, 1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "I;16"])
def test_any_mode(mode):
    pixels = load_avatar(Image.new(mode, (50, 50)))
    transparent = mode in ("LA", "PA", "RGBA", "RGBa")
    assert (pixels[..., 3] == (0 if transparent else 255)).all()


def test_palette_with_transparency():
    paletted = picture().quantize(8)
    assert paletted.mode == "P"
    assert abs(load_avatar(paletted).astype(int) - load_avatar(picture())).max() <= 8


def test_not_square():
    with pytest.raises(ValueError, match="500x400"):
        load_avatar(Image.new("RGBA", (500, 400)))


def test_model_round_trip_is_exact():
    pixels = np.stack([all_pixels(), load_avatar(picture(), size=256)])
    x = to_model(pixels)
    assert x.shape == (2, 4, 256, 256) and x.dtype == torch.float32
    assert x.min() == -1 and x.max() == 1
    assert np.array_equal(to_pixels(x), pixels)
    assert torch.equal(to_model(torch.from_numpy(pixels)), x)


def test_rgb_is_the_picture_on_white_and_comes_back_opaque():
    pixels = np.stack([all_pixels(), load_avatar(picture(), size=256)])
    x = to_model(pixels, (0.0, 1.0), channels=3)
    assert x.shape == (2, 3, 256, 256) and x.min() >= 0 and x.max() == 1
    assert torch.equal(to_model(torch.from_numpy(pixels), (0.0, 1.0), channels=3), x)
    back = to_pixels(x, (0.0, 1.0))
    assert np.array_equal(back[..., :3], on_white(pixels)) and (back[..., 3] == 255).all()


def test_model_output_becomes_valid_pixels():
    x = torch.randn(2, 3, 4, 16, 16) * 2  # of two times three pictures
    pixels = to_pixels(x.to(torch.bfloat16).requires_grad_())
    assert pixels.shape == (2, 3, 16, 16, 4) and pixels.dtype == np.uint8
    assert (pixels[..., :3] <= pixels[..., 3:]).all()
    haze = torch.full((4, 8, 8), -1 + ALPHA_FLOOR / 127.5)
    assert not to_pixels(haze).any()


def test_pil_round_trip_is_exact():
    pixels = all_pixels()
    image = to_pil(pixels)
    assert image.mode == "RGBA" and image.size == (256, 256)
    assert np.array_equal(np.array(image.convert("RGBa")), pixels)
    straight = np.array(image)
    assert not straight[straight[..., 3] == 0].any()


def test_on_white():
    pixels = np.array([[0, 0, 0, 0], [200, 30, 20, 255], [64, 0, 0, 128]], dtype=np.uint8)
    assert on_white(pixels).tolist() == [[255, 255, 255], [200, 30, 20], [191, 127, 127]]
    assert on_white(all_pixels()).dtype == np.uint8


def test_a_smaller_crop_is_what_loading_would_have_kept():
    large = load_avatar(picture(), 256, 420)[None]
    found, wanted = recrop(large, 420, 360, 64), load_avatar(picture(), 64, 360)[None]
    assert found.shape == wanted.shape and found.dtype == np.uint8
    assert psnr(on_white(found), on_white(wanted))[0] > 45
    assert (found[..., :3] <= found[..., 3:]).all()
    off_by_a_little = recrop(large, 420, 370, 64)
    assert psnr(on_white(off_by_a_little), on_white(wanted))[0] < 30


def test_nothing_changes_without_another_crop_or_size():
    pixels = all_pixels()[None]
    pixels.flags.writeable = False  # as of a memory-mapped file
    assert np.array_equal(recrop(pixels, 360, 360, 256), pixels)
    assert recrop(pixels[:0], 420, 360, 64).shape == (0, 64, 64, 4)


@pytest.mark.parametrize("size", [64, 65, 256])
def test_what_a_smaller_crop_does_not_show_is_transparent(size):
    """In its middle the picture is as a larger crop has it, to a fraction of a pixel."""
    small = load_avatar(picture(), size, 360)[None]
    found, whole = recrop(small, 360, 420, 256)[0], load_avatar(picture(), 256, 420)
    edge = round(256 * (420 - 360) / 2 / 420)  # 18 pixels of 256
    assert found[: edge - 1].max() == found[:, -edge + 1 :].max() == 0
    inside = np.s_[edge + 4 : -edge - 4, edge + 4 : -edge - 4]
    blurred = recrop(small, 360, 360, 256)[0] if size < 256 else whole
    must = psnr(on_white(blurred)[None], on_white(load_avatar(picture(), 256, 360))[None])[0]
    likeness = psnr(on_white(found[inside])[None], on_white(whole[inside])[None])[0]
    assert likeness > (min(must, 45) - 2 if size < 256 else 35)


def test_resizing_keeps_flat_colours():
    flat = np.full((2, 16, 16, 4), (100, 50, 20, 200), dtype=np.uint8)
    for size in (8, 24, 64):
        assert resize(flat, size).shape == (2, size, size, 4)
        assert (resize(flat, size) == flat[0, 0, 0]).all()
