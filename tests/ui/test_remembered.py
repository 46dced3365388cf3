"""The memory of drawn avatars is bounded in bytes."""

from __future__ import annotations

from PIL import Image

from avatar_model.attributes import NAMES
from ui.batch import Drawn, Wanted
from ui.recipe import Recipe
from ui.remembered import REMEMBERED_BYTES, Remembered

LOOKS = (0,) * len(NAMES)


def wanted(seed, size):
    return Wanted(Recipe(LOOKS, seed, 1.0, 1, "ddim"), size)


def drawn(size):
    return Drawn(Image.new("RGBA", (size, size)), {})


def test_few_large_ones_or_many_small_ones():
    for size, fit in ((64, 16), (128, 4), (256, 1)):
        memory = Remembered(256 * 256 * 4)
        for seed in range(20):
            memory.put(wanted(seed, size), drawn(size))
        assert len(memory) == fit and memory.num_bytes == 256 * 256 * 4
        assert all((wanted(seed, size) in memory) == (seed >= 20 - fit) for seed in range(20))


def test_a_large_one_makes_small_ones_go():
    memory = Remembered(256 * 256 * 4)
    for seed in range(16):
        memory.put(wanted(seed, 64), drawn(64))
    memory.put(wanted(0, 128), drawn(128))
    assert len(memory) == 13 and wanted(0, 128) in memory and wanted(0, 64) not in memory


def test_who_is_asked_for_stays_and_nobody_counts_twice():
    memory = Remembered(3 * 64 * 64 * 4)
    for seed in (1, 2, 3, 3):
        memory.put(wanted(seed, 64), drawn(64))
    assert memory.get(wanted(1, 64)) and memory.get(wanted(1, 256)) is None
    memory.put(wanted(4, 64), drawn(64))
    assert [seed for seed in (1, 2, 3, 4) if wanted(seed, 64) in memory] == [1, 3, 4]
    assert memory.num_bytes == 3 * 64 * 64 * 4


def test_the_servers_is_64_mib():
    assert Remembered().most_bytes == REMEMBERED_BYTES == 64 << 20
