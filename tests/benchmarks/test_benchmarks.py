"""Every benchmark runs, with networks so small that it takes a moment."""

import itertools
import re
import runpy
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from avatar_model import AvatarPipeline, Vocabulary
from avatar_model.attributes import NAMES
from avatar_model.crop import DEFAULT_CROP
from avatar_model.network import AvatarNetwork
from benchmarks import against_others, cost, measure, memory, read_pictures, rivals
from benchmarks import seconds_per_avatar as visitor
from tests.tiny import TINY_MODEL, two_stages
from train.data.stand_in_faces.face import render_face
from train.data.stand_in_faces.stand_in_set import stand_in_examples

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "benchmarks" / "README.md"

COMMANDS = {
    "benchmarks.seconds_per_avatar": ["--avatars", "--starts"],
    "benchmarks.sheet": ["--sheets"],
    "benchmarks.against_others": ["--batches", "--rounds", "--measured-steps"],
    "benchmarks.cost": ["--steps", "--batches", "--sizes", "--rounds"],
    "benchmarks.gpu": ["--device", "--out", "--rounds", "--only", "--tiny"],
    "benchmarks.load": ["--visitors", "--seconds", "--burst", "--soak"],
    "benchmarks.memory": ["--model", "--batches", "--kinds"],
    "benchmarks.read_pictures": ["--data", "--classifier", "--images", "--crop"],
    "benchmarks.space_start": [],
    "benchmarks.under_attack": ["--hostile", "--sessions"],
}


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [command, "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module(command, run_name="__main__", alter_sys=True)
    out = capsys.readouterr().out
    assert end.value.code == 0 and command in out
    assert all(flag in out for flag in COMMANDS[command])


def test_every_benchmark_is_told_of():
    told = re.findall(
        r"^(?:\.venv/bin/)?python -m (benchmarks\.\S+)", README.read_text(), flags=re.MULTILINE
    )
    assert {*told, "benchmarks.space_start"} == set(COMMANDS)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    pipeline = AvatarPipeline(
        AvatarNetwork(TINY_MODEL), Vocabulary.numbered(), {"num_inference_steps": 2}
    )
    pipeline.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A model of two stages."""
    folder = tmp_path_factory.mktemp("two")
    two_stages().save_pretrained(folder)
    return str(folder)


@pytest.fixture
def small_rivals(monkeypatch):
    tiny_presets = SimpleNamespace(load=lambda name: SimpleNamespace(model=TINY_MODEL))
    monkeypatch.setattr(rivals, "presets", tiny_presets)


def rows(capsys):
    """The cells of all Markdown tables that were printed, without heads."""
    lines = re.sub(
        r"^\|.*\n\|[ |-]+$", "", capsys.readouterr().out, flags=re.MULTILINE
    ).splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]


def test_calls_are_timed_in_turns():
    seen = []
    times = measure.in_turns({name: lambda n=name: seen.append(n) for name in "ab"}, 2)
    assert seen == ["a", "b"] * 3 and {n: len(t) for n, t in times.items()} == {"a": 2, "b": 2}


def test_the_ratio_is_the_median_over_the_rounds():
    assert measure.ratio([2, 30, 8], [1, 10, 2], scale=10) == 30


def test_macs_of_a_matrix_product_and_a_convolution():
    a, b = torch.empty(20, 30, device="meta"), torch.empty(30, 50, device="meta")
    x, w = torch.empty(1, 3, 16, 16, device="meta"), torch.empty(8, 3, 3, 3, device="meta")
    assert measure.count_macs(lambda: a @ b) == 20 * 30 * 50 / 1e6
    convolution = measure.count_macs(lambda: torch.nn.functional.conv2d(x, w, padding=1))
    assert convolution == 16 * 16 * 8 * 3 * 9 / 1e6


def test_a_table_rounds_to_three_digits():
    text = measure.table(["a", "b"], [[1, 1234.5], ["x", 12.345], ["y", 1.2345], ["z", 0.01234]])
    cells = [line.split("|")[2].strip() for line in text.splitlines()]
    assert cells == ["b", "---", "1,234", "12.3", "1.23", "0.0123"]


def test_a_diffusers_network_of_equal_macs_is_found():
    found = rivals.equal_macs(100.0, steps=2)
    assert found.macs / 2 == pytest.approx(100, rel=0.3)
    assert found.generate(1).shape == (1, 16, 32, 32)


def test_against_others(model, small_rivals, capsys):
    against_others.main(model=model, batches=(1, 2), rounds=1)
    found = rows(capsys)
    assert len(found) == 4 + 2 * 4
    assert found[4][1] == "ours, 16 pixels, 2 steps" and float(found[4][-1]) == 1
    assert float(found[2][3]) == 300  # the blog's steps, of which one is measured
    assert float(found[6][2].replace(",", "")) > 10 * float(found[4][2])


def test_against_others_with_two_stages(two, small_rivals, capsys):
    against_others.main(model=two, batches=(1,), rounds=1)
    found = rows(capsys)
    assert [row[0] for row in found[:2]] == [
        "ours, 16 pixels, 4 steps",
        "ours, 64 pixels, 5 steps",
    ]
    (parameters, macs), (both, more_macs) = ([float(c) for c in row[1:3]] for row in found[:2])
    assert both > parameters and more_macs > macs
    assert [row[1] for row in found[5:7]] == [row[0] for row in found[:2]]


def test_read_pictures(monkeypatch, capsys):
    """Stand-in faces are no Cartoon Set, but every guise of one is read."""
    monkeypatch.setattr(read_pictures, "read_cartoon_set", lambda _: stand_in_examples(40))
    read_pictures.main(Path("somewhere"), images=2)
    found = rows(capsys)
    assert [row[0] for row in found] == list(read_pictures.guises(420))
    assert all(0 <= float(share) <= 1 for row in found for share in row[1:])


def test_guises_are_what_they_are_called():
    face = render_face(dict.fromkeys(NAMES, 0))
    made = {name: guise(face) for name, guise in read_pictures.guises(420).items()}
    sizes = {name: picture.size for name, picture in made.items()}
    assert sizes["of 64"] == (64, 64) and sizes["original, transparent"] == (500, 500)
    alpha = {name: np.asarray(p.convert("RGBa"))[..., 3] for name, p in made.items()}
    assert alpha["of 256 on yellow"].min() == 255 == alpha["original on white"].min()
    assert alpha["circle on teal"][0, 0] == 0 and alpha["circle on teal"][128, :].min() == 255
    # A smaller crop shows the same head larger.
    assert alpha[f"of 256, crop {DEFAULT_CROP}"].mean() > 1.2 * alpha["circle of 256"].mean()


def test_cost(model, capsys):
    sizes = {"steps": (1, 2), "batches": (1, 2), "sizes": (16, 32)}
    cost.main(model=model, rounds=1, **sizes)
    assert [int(row[0]) for row in rows(capsys)] == list(itertools.chain(*sizes.values()))


def test_cost_with_two_stages(two, capsys):
    cost.main(model=two, rounds=1, steps=(1, 2), batches=(1,), sizes=(16,))
    heads = re.findall(
        r"^\| (\D[^|]*) \| s per avatar", capsys.readouterr().out, flags=re.MULTILINE
    )
    assert heads == [
        "steps, 16 pixels",
        "steps of the upscaler, 64 pixels",
        "batch, 16 pixels",
        "batch, 64 pixels",
        "resolution",
    ]


def test_memory_of_a_fresh_process(model, capsys):
    memory.main(model=model, batches=(1,), kinds=("ours",))
    ((_, size, batch, imported, loaded, peak),) = rows(capsys)
    assert (size, batch) == ("16", "1")
    assert 50 < int(imported) <= int(loaded) <= int(peak) < 4000


def test_memory_with_two_stages(two, capsys, monkeypatch):
    monkeypatch.setattr(memory, "measure", lambda kind, batch, size, model: [size, batch, 3])
    memory.main(model=two, batches=(1, 2), kinds=("ours", "blog"))
    found = [(size, batch) for _, size, batch, *_ in rows(capsys)]
    assert found == [("16", "1"), ("16", "2"), ("64", "1"), ("64", "2"), ("64", "1")]
    memory.print_peaks("ours", 1, 64, two)
    assert len(capsys.readouterr().out.split()) == 3


@pytest.fixture
def asked(monkeypatch):
    """What was asked of a page that answers at once and took 2.5 s to start."""
    asked = []

    @contextmanager
    def page(model):
        yield SimpleNamespace(predict=lambda **kwargs: asked.append(kwargs)), 2.5

    monkeypatch.setattr(visitor, "started_page", page)
    return asked


def test_what_a_visitor_waits_for(model, asked, capsys):
    visitor.main(model=model, avatars=2, starts=2)
    assert len(asked) == 3 and asked[0]["api_name"] == "/generate"
    assert rows(capsys)[-1][1:] == ["2.50", "2.50", "2"]


def test_what_a_visitor_waits_for_at_every_size(two, asked, capsys):
    visitor.main(model=two, avatars=2, starts=1)
    assert [call.get("size") for call in asked] == [16, None] * 3
    assert len({call["seed"] for call in asked}) == 6
    assert [row[0] for row in rows(capsys)][:4] == [
        "16 pixels, through the page",
        "16 pixels, pipeline alone",
        "64 pixels, through the page",
        "64 pixels, pipeline alone",
    ]
