"""Data sets are rendered, killed, resumed and read back by the trainer's own reader."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from avatar_model import ATTRIBUTES, AvatarPipeline, CheckpointError, Vocabulary
from avatar_model.atomic import TEMPORARY
from avatar_model.attributes import NAMES
from avatar_model.crop import load_avatar
from avatar_model.images import on_white
from avatar_model.network import AvatarNetwork
from tests.tiny import TINY_MODEL, TINY_UPSCALER, two_stages
from tests.train.processes import ROOT, begin, finish
from train.data.dataset import open_dataset
from train.data.stand_in_faces.stand_in_set import stand_in_examples
from train.evaluation.psnr import psnr
from train.rendering.data_set import render_data_set
from train.rendering.folder import RenderError
from train.rendering.frame import framed

COUNT = 120
LAUNCH = ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
"""Without a GPU it starts CPU processes; ``--cpu`` would ask for MPI, and starts one without it."""


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """An untrained network; glasses 11 ten times as often as each other value."""
    torch.manual_seed(0)
    network = AvatarNetwork(dataclasses.replace(TINY_MODEL, image_size=64))
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=0.1)
    counts = {a.name: [1] * a.num_values for a in ATTRIBUTES}
    counts["glasses"], counts["face_shape"][6] = [1] * 11 + [100], 0
    labels = {"glasses": [f"glasses {i}" for i in range(11)] + ["none"]}
    folder = tmp_path_factory.mktemp("model")
    AvatarPipeline(network, Vocabulary.from_options(labels, counts)).save_pretrained(folder)
    return folder


def render(model, out, count=COUNT, **options):
    render_data_set(count=count, out=out, model=str(model), batch_size=4, device="cpu", **options)
    return out


def start(model, out, *flags, count=COUNT, launch=()):
    command = [*(["-m", *launch] if launch else []), "-m", "train.render"]
    command += [f"--model={model}", f"--out={out}", f"--count={count}", "--batch-size=4"]
    return begin([*command, "--device=cpu", *flags], ROOT)


def content(folder):
    """Of all files, less what readers ignore: a kill may leave that for a later start."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    kept = [path for path in files if not path.name.startswith(TEMPORARY)]
    return {path.relative_to(folder): path.read_bytes() for path in kept}


@pytest.fixture(scope="session")
def whole(model, tmp_path_factory):
    """Rendered by one process without a break."""
    return render(model, tmp_path_factory.mktemp("whole") / "set")


def test_the_layout_is_that_of_cartoon_set(whole):
    names = {str(name) for name in content(whole)}
    pairs = {f"{i % 10}/cs{i}.{suffix}" for i in range(COUNT) for suffix in ("png", "csv")}
    assert names == {*pairs, "options.json", "render.json"}
    with Image.open(whole / "3" / "cs13.png") as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGBA", (250, 250))
    lines = (whole / "3" / "cs13.csv").read_text().splitlines()
    assert len(lines) == 18 and re.fullmatch(r'"eye_angle", \d, 3', lines[0])


def test_the_trainer_reads_back_what_the_pipeline_draws(model, whole, tmp_path):
    data = open_dataset(str(whole), 64, tmp_path)
    assert data.ids == [f"cs{i}" for i in range(COUNT)]
    assert data.vocabulary.label("glasses", 11) == "none"
    pipe = AvatarPipeline.from_pretrained(model)
    out = pipe(num_images=COUNT, seed=0, output_type="np")
    assert data.attributes.tolist() == [[a[name] for name in NAMES] for a in out.attributes]
    # An untrained network draws noise, which no enlarged picture can hold exactly.
    errors = psnr(on_white(data.images), on_white(out.images))
    assert np.median(errors) > 25, errors


def test_a_real_avatar_is_read_back_to_within_a_level_almost_everywhere():
    pipe = AvatarPipeline.from_pretrained(ROOT / "assets" / "model")
    drawn = pipe(num_images=8, seed=0, size=64, output_type="np").images
    read = np.stack([load_avatar(framed(avatar)) for avatar in drawn])
    assert psnr(on_white(read), on_white(drawn)).min() > 46
    assert np.mean(np.abs(read.astype(int) - drawn) <= 1) > 0.98


@pytest.mark.parametrize("crop", [360, 420])
@pytest.mark.parametrize("size", [16, 32, 64, 128, 256, 384, 512])
def test_flat_drawings_of_any_size_are_read_back_exactly(size, crop):
    drawing = np.zeros((size, size, 4), np.uint8)
    read = load_avatar(framed(drawing, crop), size, crop)
    assert (read == drawing).all()
    drawing[..., :] = (200, 100, 50, 255)
    middle = slice(size // 4, -size // 4)
    read = load_avatar(framed(drawing, crop), size, crop)
    assert np.abs(read.astype(int) - drawing)[middle, middle].max() <= 1


@pytest.mark.parametrize("size", [256, 384])
def test_a_large_drawing_of_faces_is_read_back_to_within_a_level_almost_everywhere(size):
    faces = [picture() for _, picture in stand_in_examples(4).pictures()]
    drawn = np.stack([load_avatar(face, size, 420) for face in faces])
    pictures = [framed(avatar, 420) for avatar in drawn]
    read = np.stack([load_avatar(picture, size, 420) for picture in pictures])
    assert {picture.size for picture in pictures} == {(500, 500)}
    assert psnr(on_white(read), on_white(drawn)).min() > 55
    assert np.mean(np.abs(read.astype(int) - drawn) <= 1) > 0.99


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Of two stages and the crop 420, drawing 64 and 128 pixels."""
    base = dataclasses.replace(TINY_MODEL, image_size=64, crop=420)
    change = {"image_size": 128, "low_res_size": 64, "patch_size": 2, "crop": 420}
    folder = tmp_path_factory.mktemp("two")
    two_stages(dataclasses.replace(TINY_UPSCALER, **change), base).save_pretrained(folder)
    return folder


class TestTwoStages:
    @pytest.mark.parametrize(("size", "side"), [(None, 500), (64, 250)])
    def test_full_size_is_the_default_and_the_trainer_reads_it_back(
        self, two, size, side, tmp_path
    ):
        out = render(two, tmp_path / "set", count=10, size=size)
        with Image.open(out / "3" / "cs3.png") as picture:
            assert picture.size == (side, side)
        read = open_dataset(str(out), size or 128, tmp_path / "cache", crop=420)
        drawn = AvatarPipeline.from_pretrained(two)(
            num_images=10, seed=0, size=size, output_type="np"
        )
        assert read.attributes.tolist() == [[a[n] for n in NAMES] for a in drawn.attributes]
        errors = psnr(on_white(read.images), on_white(drawn.images))
        assert np.median(errors) > 25, errors  # noise, as above

    def test_it_goes_on_to_the_same_bytes_and_not_at_another_size(self, two, tmp_path):
        whole = render(two, tmp_path / "whole", count=10)
        render(two, tmp_path / "set", count=3)
        with pytest.raises(RenderError, match="was started with size = 128, not 64; choose"):
            render(two, tmp_path / "set", count=10, size=64)
        assert content(render(two, tmp_path / "set", count=10)) == content(whole)

    def test_another_upscaler_is_another_set(self, two, tmp_path):
        render(two, tmp_path / "set", count=2)
        pipe = AvatarPipeline.from_pretrained(two)
        pipe.upscaler.network.unet.head.bias.data += 1
        pipe.save_pretrained(tmp_path / "trained-further")
        with pytest.raises(RenderError, match="was started with upscaler = "):
            render(tmp_path / "trained-further", tmp_path / "set", count=3)
        render(two, tmp_path / "small", count=2, size=64)  # for which it does not matter
        render(tmp_path / "trained-further", tmp_path / "small", count=3, size=64)

    def test_a_size_that_the_model_cannot_draw_is_named(self, two, tmp_path):
        with pytest.raises(ValueError, match="size must be one of 64, 128, not 256"):
            render(two, tmp_path / "set", size=256)
        assert not (tmp_path / "set").exists()


def test_a_set_from_before_there_were_sizes_goes_on(model, whole, tmp_path):
    out = render(model, tmp_path / "set", count=5)
    settings = json.loads((out / "render.json").read_text())
    for name in ("size", "crop", "upscaler"):
        settings.pop(name)
    (out / "render.json").write_text(json.dumps(settings))
    before = content(out).keys()
    render(model, out)
    made = content(out)
    assert before < made.keys() == content(whole).keys()
    assert all(made[p] == data for p, data in content(whole).items() if p.name != "render.json")


def test_processes_that_were_killed_go_on_to_the_same_bytes(model, whole, tmp_path):
    out = tmp_path / "set"
    process = start(model, out, launch=LAUNCH)
    for _ in range(6000):
        if len(list(out.glob("?/*.png"))) >= 3:
            break
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    for one in [*psutil.Process(process.pid).children(recursive=True), process]:
        one.send_signal(signal.SIGKILL)
    process.communicate()
    made = {path: path.stat().st_mtime_ns for path in out.glob("?/*.png")}
    assert 3 <= len(made) < COUNT, "it was killed too late to show anything"
    # What a kill can leave behind: a part of a file, a CSV without its picture.
    left_over = out / "9" / ".building-f00"
    left_over.write_bytes(b"half")
    os.utime(left_over, (0, 0))
    (out / "9" / "cs29.png").unlink(missing_ok=True)
    made.pop(out / "9" / "cs29.png", None)

    output = finish(start(model, out, launch=LAUNCH))
    assert content(out) == content(whole) and not left_over.exists()
    told = re.findall(
        rf"process (\d) of 2: drew (\d+) and found (\d+) of its (\d+) of {COUNT}", output
    )
    assert sorted(rank for rank, *_ in told) == ["1", "2"]
    assert sum(int(found) for _, _, found, _ in told) == len(made)
    assert [int(own) for *_, own in told] == [COUNT // 2] * 2
    assert all(path.stat().st_mtime_ns == before for path, before in made.items())


def test_two_processes_of_accelerate_on_the_cpu(model, whole, tmp_path):
    launch = ["accelerate.commands.launch", "--cpu", "--num_processes", "2"]
    finish(start(model, tmp_path / "set", launch=launch))
    assert content(tmp_path / "set") == content(whole)


def test_nothing_is_left_to_do_and_a_larger_count_continues(model, whole, tmp_path, capsys):
    render(model, tmp_path / "set", count=5)
    render(model, tmp_path / "set", count=5)
    assert "drew 0 and found 5 of its 5 of 5" in capsys.readouterr().out
    render(model, tmp_path / "set")
    assert content(tmp_path / "set") == content(whole)


def test_attributes_can_be_fixed_and_others_drawn_uniformly(model, tmp_path):
    def values(name, **options):
        out = render(model, tmp_path / name, count=40, **options)
        data = open_dataset(str(out), 16, tmp_path / "cache")
        return dict(zip(NAMES, data.attributes.T, strict=True))

    fixed = values("fixed", fix=("hair=12", "glasses=None"))
    assert set(fixed["hair"]) == {12} and set(fixed["glasses"]) <= set(range(12))
    fixed = values("none", fix=("glasses=none", "hair=12"))
    assert set(fixed["glasses"]) == {11}
    assert np.mean(values("data")["glasses"] == 11) > 0.7
    uniform = values("uniform", draw="uniform")
    assert np.mean(uniform["glasses"] == 11) < 0.3 and 6 not in uniform["face_shape"]


def test_other_settings_are_refused(model, whole, tmp_path):
    before = content(whole)
    with pytest.raises(RenderError, match="was started with seed = 0, not 1; choose another --out"):
        render(model, whole, seed=1)
    with pytest.raises(RenderError, match=r"was started with fix = \{\}, not \{'hair': 3\}"):
        render(model, whole, fix=("hair=3",))
    assert content(whole) == before


@pytest.mark.parametrize("stranger", ["thesis.txt", "3/cs13.png"])
def test_a_folder_with_something_else_is_refused(model, tmp_path, stranger):
    (tmp_path / stranger).parent.mkdir(exist_ok=True)
    (tmp_path / stranger).write_text("years of work")
    with pytest.raises(RenderError, match=r"holds something else \((thesis.txt|3)\); choose"):
        render(model, tmp_path)
    assert len(content(tmp_path)) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fix": ("hair",)}, "--fix hair: it has to be NAME=VALUE, once per attribute"),
        ({"fix": ("hair=1", "hair=2")}, "--fix hair=1: it has to be NAME=VALUE, once"),
        ({"fix": ("hare=3",)}, "unknown attribute 'hare'; did you mean 'hair'"),
        ({"fix": ("face_shape=6",)}, "never occurred in this model's training data"),
        ({"batch_size": 0}, "batch_size must be from 1 to 256, not 0"),
        ({"count": 0}, "count must be from 1 to 4294967296, not 0"),
        ({"seed": 2**32 - 9}, "seed \\+ count must be at most 4294967296"),
        ({"model": "nowhere"}, "there is no checkpoint folder 'nowhere'"),
        ({"out": Path("/dev/null/set")}, "Not a directory"),
    ],
)
def test_mistakes_are_one_sentence(model, tmp_path, options, message):
    defaults = {"count": 10, "out": tmp_path / "set", "model": str(model), "device": "cpu"}
    with pytest.raises(
        (CheckpointError, RenderError, OSError, ValueError), match=message
    ) as caught:
        render_data_set(**defaults | options)
    assert "\n" not in str(caught.value) and not (tmp_path / "set").exists()


def test_the_command_line_has_no_traceback(model, tmp_path):
    output = finish(start(model, tmp_path / "set", "--fix=hair=999"), code=1)
    assert output.splitlines()[-1] == "error: hair 999 is out of range; it has values 0..110"
    assert "Traceback" not in output


def test_a_full_disk_is_named_and_leaves_nothing_half_written(model, whole, tmp_path):
    """A real one is hard to come by; a limit on the size of files fails in the same calls."""
    pytest.importorskip("resource")
    code = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000,) * 2);"
        "sys.argv[0] = 'render'; runpy.run_module('train.render', run_name='__main__')"
    )
    flags = [f"--model={model}", f"--out={tmp_path / 'set'}", f"--count={COUNT}"]
    flags += ["--batch-size=4"]
    done = subprocess.run(
        [sys.executable, "-c", code, *flags, "--device=cpu"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "make room and start the same command again" in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "set").rglob(f"{TEMPORARY}*"))
    assert json.loads((tmp_path / "set" / "render.json").read_text())["seed"] == 0
    render(model, tmp_path / "set")
    assert content(tmp_path / "set") == content(whole)
