"""The memory of drawn avatars is bounded in bytes."""

from __future__ import annotations

from PIL import Image

from avatar_model.attributes import NAMES
from ui.inference.batch_runner import GeneratedImage, ImageRequest
from ui.inference.picture_cache import MAX_BYTES, PictureCache
from ui.recipe import Recipe

LOOKS = (0,) * len(NAMES)


def wanted(seed, size):
    return ImageRequest(Recipe(LOOKS, seed, 1.0, "classic", 1, "ddim"), size)


def drawn(size):
    return GeneratedImage(Image.new("RGBA", (size, size)), {})


def test_few_large_ones_or_many_small_ones():
    for size, fit in ((64, 16), (128, 4), (256, 1)):
        cache = PictureCache(256 * 256 * 4)
        for seed in range(20):
            cache.put(wanted(seed, size), drawn(size))
        assert len(cache) == fit and cache.num_bytes == 256 * 256 * 4
        assert all((wanted(seed, size) in cache) == (seed >= 20 - fit) for seed in range(20))


def test_a_large_one_makes_small_ones_go():
    cache = PictureCache(256 * 256 * 4)
    for seed in range(16):
        cache.put(wanted(seed, 64), drawn(64))
    cache.put(wanted(0, 128), drawn(128))
    assert len(cache) == 13 and wanted(0, 128) in cache and wanted(0, 64) not in cache


def test_who_is_asked_for_stays_and_nobody_counts_twice():
    cache = PictureCache(3 * 64 * 64 * 4)
    for seed in (1, 2, 3, 3):
        cache.put(wanted(seed, 64), drawn(64))
    assert cache.get(wanted(1, 64)) and cache.get(wanted(1, 256)) is None
    cache.put(wanted(4, 64), drawn(64))
    assert [seed for seed in (1, 2, 3, 4) if wanted(seed, 64) in cache] == [1, 3, 4]
    assert cache.num_bytes == 3 * 64 * 64 * 4


def test_the_servers_is_64_mib():
    assert PictureCache().max_bytes == MAX_BYTES == 64 << 20
