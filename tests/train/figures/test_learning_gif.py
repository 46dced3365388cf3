import runpy
import sys

import numpy as np
import pytest
from PIL import Image

from avatar_model.atomic import TEMPORARY
from avatar_model.images import on_white
from train.figures.learning_gif import HOLD_MS, MAX_FRAMES, join, load_samples, save_samples
from train.figures.picture import FigureError


@pytest.fixture
def real(drawn):
    return np.asarray(drawn.images[:6])


@pytest.fixture
def run(real, tmp_path):
    """A run whose avatars fade in, over steps 0, 10 and 200."""
    for step, share, psnr_db in ((10, 0.5, 13.25), (200, 1.0, 27.0), (0, 0.0, None)):
        faint = (real * share).astype(np.uint8)
        save_samples(tmp_path / "mine", step, faint, real, psnr_db)
    return tmp_path / "mine"


def test_samples_come_back_in_order(run, real):
    sheet, samples = load_samples(run)
    assert sheet.shape == (32, 64, 3)  # 6 avatars of 16 x 16, 4 in a row
    assert np.array_equal(sheet[16:, 16:32], on_white(real)[5])
    assert [(s.step, s.psnr_db) for s in samples] == [(0, None), (10, 13.25), (200, 27.0)]
    assert np.array_equal(samples[-1].sheet, sheet)
    assert (samples[0].sheet == 255).all()


def test_a_sample_can_be_written_again(run, real):
    """As after a resume from an older checkpoint."""
    save_samples(run, 10, real, real, 20.0)
    _, samples = load_samples(run)
    assert [s.psnr_db for s in samples] == [None, 20.0, 27.0]
    assert not list(run.rglob(f"{TEMPORARY}*"))


def test_gif_has_a_frame_for_each_checkpoint(run, real):
    out = run / "learning.gif"
    assert join(run, out, scale=2) == 3
    with Image.open(out) as gif:
        assert gif.n_frames == 3 and gif.info["loop"] == 0
        frames = []
        for i in range(3):
            gif.seek(i)
            frames.append(np.asarray(gif.convert("RGB")).astype(int))
        assert gif.info["duration"] == HOLD_MS
    drawn, shown = (slice(40, 104), slice(12, 140)), (slice(40, 104), slice(152, 280))
    assert (frames[0][drawn] == 255).all()
    for frame in frames:  # the real ones stand still
        assert np.array_equal(frame[shown], frames[0][shown])
    assert np.array_equal(frames[2][drawn], frames[2][shown])
    labels = [frame[:26] for frame in frames]
    assert not np.array_equal(labels[1], labels[2])


def test_large_avatars_are_kept_small(tmp_path):
    large = np.random.default_rng(0).integers(0, 256, (6, 384, 384, 4), dtype=np.uint8)
    save_samples(tmp_path, 10, large, large)
    sheet, _ = load_samples(tmp_path)
    assert sheet.shape == (256, 512, 3)
    join(tmp_path, tmp_path / "learning.gif")
    with Image.open(tmp_path / "learning.gif") as gif:
        assert gif.width == 2 * 512 + 36  # twice that would be wider than a page


def test_small_avatars_are_shown_larger(run):
    join(run, run / "learning.gif")
    with Image.open(run / "learning.gif") as gif:
        assert gif.width == 2 * 2 * 64 + 36


def test_long_runs_are_thinned_out(real, tmp_path):
    for step in range(MAX_FRAMES + 7):
        save_samples(tmp_path, step, real, real, step)
    assert join(tmp_path, tmp_path / "learning.gif", scale=1) == MAX_FRAMES


@pytest.fixture
def run_tool(monkeypatch):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["learning_gif", *map(str, arguments)])
        monkeypatch.delitem(sys.modules, "train.learning_gif", raising=False)
        runpy.run_module("train.learning_gif", run_name="__main__")

    return run


def test_the_tool_writes_into_the_run_folder(run, run_tool, capsys):
    run_tool("--run", run)
    assert f"wrote {run / 'learning.gif'}: 3 frames" in capsys.readouterr().out


def test_bad_arguments_are_named(run, run_tool, tmp_path):
    for arguments, message in (
        (["--run", tmp_path / "nowhere"], "step-*.png; training writes one at every checkpoint"),
        (["--run", run, "--out", "x.mp4"], "error: x.mp4 must end in .gif"),
        (["--run", run, "--scale", 0], "error: scale must be from 1 to 64, not 0"),
    ):
        with pytest.raises(SystemExit) as stopped:
            run_tool(*arguments)
        assert message in str(stopped.value)


def test_a_damaged_sample_is_named(run):
    path = run / "samples" / "step-00000010.png"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FigureError, match=r"step-00000010\.png is damaged"):
        load_samples(run)


def test_a_sample_of_another_run_is_named(run, drawn):
    save_samples(run, 300, drawn.images[:12], drawn.images[:12])
    with pytest.raises(FigureError, match=r"step-00000300\.png is not the size of real\.png"):
        load_samples(run)


def test_lost_real_avatars_are_named(run):
    (run / "samples" / "real.png").unlink()
    with pytest.raises(FigureError, match=r"there is no .*real\.png"):
        load_samples(run)
