import json
import math
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from avatar_model.attributes import ATTRIBUTES, NAMES, Vocabulary
from avatar_model.network import AvatarNetwork
from train import presets
from train.data.packed import PackedSet
from train.findings import __main__ as tool
from train.findings.evidence import Evidence, MissingError
from train.findings.judge import judge_all
from train.findings.loss_quality import Curve, judge_loss, loss_against_quality, p_positive
from train.findings.measures import Measures, Reference, grain, validation_loss
from train.findings.results import PER_IMAGE, Point, Result, load_result, save_result
from train.findings.runs import BASE, OURS, SECOND_SEED, all_runs, budget_unit, same_loss
from train.findings.study import StoppedError
from train.findings.verdicts import (
    CONFIRMED,
    NOT_CONFIRMED,
    UNDECIDED,
    Difference,
    independent_difference,
    judge_gain,
    judge_no_gain,
    paired_difference,
)
from train.loop.loss_guard import DivergedError
from train.loop.run_folder import RunError
from train.loop.trainer import Trainer

FILLS = [(250, 210, 60), (40, 30, 30), (200, 60, 40), (150, 160, 170), (90, 50, 30)]
SKINS = [(240, 200, 170), (120, 80, 50), (200, 150, 110)]


def painted(count=900, size=16):
    """People of two flat colours: hair above, a face below, on nothing."""
    rng = np.random.default_rng(0)
    sizes = [a.num_values for a in ATTRIBUTES]
    attributes = np.stack([rng.integers(n, size=count) for n in sizes], axis=1).astype(np.uint8)
    hair, face = (NAMES.index(name) for name in ("hair_color", "face_color"))
    attributes[:, hair] %= len(FILLS)
    attributes[:, face] %= len(SKINS)
    images = np.zeros((count, size, size, 4), dtype=np.uint8)
    part = slice(size // 8, -size // 8)
    for image, row in zip(images, attributes, strict=True):
        image[size // 8 : size // 2, part] = (*FILLS[row[hair]], 255)
        image[size // 2 : -size // 8, part] = (*SKINS[row[face]], 255)
    ids = [f"cs{i}" for i in range(count)]
    return PackedSet(images, attributes, ids, Vocabulary.from_options({}))


@pytest.fixture(scope="module")
def people():
    return painted()


# The verdicts.

RULE = {"floor": 0.04, "worth": 0.10}


@pytest.mark.parametrize(
    ("value", "low", "high", "learned", "gain", "no_gain"),
    [
        (0.30, 0.20, 0.40, True, CONFIRMED, NOT_CONFIRMED),  # a clear win
        (0.00, -0.03, 0.03, True, NOT_CONFIRMED, CONFIRMED),  # the same, and surely so
        (0.00, -0.15, 0.15, True, UNDECIDED, UNDECIDED),  # the same, but who knows
        (-0.30, -0.40, -0.20, True, NOT_CONFIRMED, CONFIRMED),  # a clear loss
        (0.03, 0.01, 0.12, True, UNDECIDED, UNDECIDED),  # sure of these images, not of the seed
        (0.05, 0.02, 0.08, True, NOT_CONFIRMED, CONFIRMED),  # sure, and too little to matter
        (0.07, 0.05, 0.09, True, CONFIRMED, NOT_CONFIRMED),  # with luck 0.11: worth having
        (0.30, 0.20, 0.40, False, UNDECIDED, UNDECIDED),  # both draw noise
        (math.nan, math.nan, math.nan, True, UNDECIDED, UNDECIDED),
    ],
)
def test_the_verdict_rule(value, low, high, learned, gain, no_gain):
    difference = Difference(value, low, high, **RULE, learned=learned)
    assert judge_gain(difference) == gain
    assert judge_no_gain(difference) == no_gain


def test_no_difference_is_both_a_gain_and_no_gain_worth_having():
    rng = np.random.default_rng(0)
    for value, floor, width in zip(*rng.uniform(-0.3, 0.3, (3, 500)), strict=True):
        low, high = value - abs(width), value + abs(width)
        verdicts = {
            f(Difference(value, low, high, abs(floor), 0.1)) for f in (judge_gain, judge_no_gain)
        }
        assert verdicts in ({UNDECIDED}, {CONFIRMED, NOT_CONFIRMED})


def right(share, count=256):
    """Right and wrong answers, the right ones first."""
    return (np.arange(count) < share * count).astype(float)


def test_paired_differences_know_the_images_and_their_number():
    value, low, high = paired_difference(right(0.25), right(0.75), right_or_wrong=True)
    assert value == 0.5 and 0.4 < low < 0.5 < high < 0.6
    assert paired_difference(right(0.5), right(0.5), right_or_wrong=True)[0] == 0
    # Nothing but agreement is no certainty: of few images less than of many.
    few, many = (paired_difference(right(0, n), right(0, n), True)[2] for n in (32, 256))
    assert few > 0.05 > many > 0


def test_images_that_cannot_be_judged_do_not_count():
    old, new = right(0.5, 40), right(1, 40)
    old[::2] = new[::2] = math.nan
    assert paired_difference(old, new, True)[0] == 0.5
    with pytest.raises(ValueError, match="not judged on the same images"):
        paired_difference(right(0.5, 40), new, True)
    with pytest.raises(ValueError, match="no image"):
        paired_difference(np.full(4, math.nan), np.full(4, math.nan), True)


def test_errors_of_independent_estimates_add_up_as_squares():
    value, low, high = independent_difference((1.0, 0.7, 1.3), (2.0, 1.6, 2.4))
    assert (value, low, high) == pytest.approx((1.0, 0.5, 1.5))


# Loss against quality.


def curve(name, losses, shares):
    quality = [right(share, 200) for share in shares]
    return Curve(name, [np.linspace(0.9, 1.1, 200) * x for x in losses], {"hair": quality})


def test_a_sure_fall_of_quality_with_a_falling_loss_is_an_instance():
    found = loss_against_quality([curve("a", [0.3, 0.2, 0.1], [0.2, 0.8, 0.3])])
    assert [c.between for c in found.instances] == ["a, check 2 to 3"]
    assert found.instances[0].change == pytest.approx(-0.5)
    assert judge_loss(found) == CONFIRMED


def test_quality_that_falls_with_a_rising_loss_is_none():
    found = loss_against_quality([curve("a", [0.3, 0.2, 0.4], [0.2, 0.8, 0.3])])
    assert [c.between for c in found.within] == ["a, check 1 to 2"]
    assert not found.instances and judge_loss(found) == UNDECIDED


def test_runs_whose_loss_and_quality_go_together():
    runs = [curve(f"r{i}", [0.5, 0.4 - 0.02 * i], [0.1, 0.2 + 0.08 * i]) for i in range(9)]
    found = loss_against_quality(runs)
    assert len(found.within) == 9 and len(found.across) == 36
    assert found.correlation["hair"][0] == pytest.approx(1)
    assert judge_loss(found) == NOT_CONFIRMED


def test_a_finished_run_with_lower_loss_and_worse_pictures_is_an_instance():
    found = loss_against_quality([curve("a", [0.3], [0.8]), curve("b", [0.2], [0.3])])
    (instance,) = found.instances
    assert (instance.between, judge_loss(found)) == ("a to b", CONFIRMED)
    assert found.correlation["hair"] is None  # two runs are too few for one


def test_a_small_fall_among_many_comparisons_is_chance():
    flat = [curve(f"r{i}", [0.3, 0.2], [0.5, 0.5]) for i in range(9)]
    one = curve("odd", [0.3, 0.19], [0.5, 0.465])  # 7 of 200: p = 0.008 by itself
    assert loss_against_quality([one]).instances
    assert not loss_against_quality([*flat, one]).instances


def test_p_values_are_those_of_the_textbook():
    assert p_positive(np.array([1.0] * 8 + [-1.0] * 2)) == pytest.approx(0.0546875)
    assert p_positive(np.zeros(9)) == 1
    assert p_positive(np.array([0.5, 1.5, 1.0, 2.0])) == pytest.approx(0.0152, abs=1e-3)


# The runs.


@pytest.mark.parametrize("size", ["real", "reduced", "tiny"])
def test_every_run_gets_the_same_number_of_images(size):
    images = 3 * budget_unit(size)
    runs = all_runs(size, images, "drawn:64", Path("work"))
    assert {run.config.steps * run.config.batch_size for run in runs.values()} == {images}
    assert all(run.config.steps % run.config.checkpoint_steps == 0 for run in runs.values())
    assert len(runs) == len({run.config.run for run in runs.values()})
    AvatarNetwork(runs["blog-7"].config.model)


def test_the_real_size_is_the_presets_own():
    runs = all_runs("real", 64_000, "drawn:64", Path("work"))
    blog = [name for name in presets.names() if name.startswith("blog-")]
    assert len(blog) == 7
    for name in (*blog, "default"):
        run = runs[OURS] if name == "default" else runs["-".join(name.split("-")[:2])]
        preset = presets.load(name)
        assert run.config.model == replace(preset.model, crop=360)  # all draw the same pictures
        assert run.config.learning_rate == preset.learning_rate


def test_the_reduced_size_keeps_what_the_experiments_are_about():
    for name, run in all_runs("reduced", 8_000, "drawn:64", Path("work")).items():
        if not name.startswith("blog-") or name == SECOND_SEED:
            continue
        (preset,) = (presets.load(n) for n in presets.names() if n.startswith(f"{name}-"))
        ours, theirs = run.config.model.to_dict(), preset.model.to_dict()
        changed = {key for key in ours if ours[key] != theirs[key]}
        assert changed == {"image_size", "channels", "tau_width"}
        assert run.config.condition_dropout == 0.2


def test_our_reduced_preset_costs_what_theirs_costs():
    runs = all_runs("reduced", 8_000, "drawn:64", Path("work"))

    def flops(run):
        model = run.config.model
        with torch.device("meta"):
            network = AvatarNetwork(model)
            inputs = torch.zeros(1, 4, model.image_size, model.image_size), torch.zeros(1)
            with FlopCounterMode(display=False) as counter:
                network(*inputs, torch.zeros(1, 217))
        return counter.get_total_flops()

    assert flops(runs[OURS]) == pytest.approx(flops(runs["blog-7"]), rel=0.1)


def test_which_losses_can_be_compared():
    runs = all_runs("reduced", 8_000, "drawn:64", Path("work"))
    same = {name for name, run in runs.items() if same_loss(run, runs[BASE])}
    assert same == {
        *(f"blog-{n}" for n in (3, 4, 5, 6, 7)),
        *(SECOND_SEED, "rate-constant", "rate-constant-x4"),
    }


# Measuring.


def test_real_images_are_measured_as_perfect_and_noise_as_noise(people):
    measures = Measures(people, 48)
    truth = measures.truth.images
    perfect = measures.per_image(truth)
    assert (perfect["psnr"] == 60).all() and (perfect["other"] < 40).mean() > 0.5
    assert perfect["hair"].mean() == perfect["face"].mean() == 1
    noise = np.random.default_rng(0).integers(256, size=truth.shape).astype(np.uint8)
    assert grain(noise).mean() > 10 * grain(truth).mean()
    assert measures.per_image(noise)["hair"].mean() < 0.6
    reference = measures.reference()
    assert reference.noise_psnr < reference.mean_image_psnr
    assert 1 / len(FILLS) <= reference.chance["hair"] < 0.5
    assert reference.noise_kernel is None  # 48 images are too few
    # Everybody with the hair of the next person.
    wrong = truth.copy()
    wrong[:, :8] = np.roll(truth[:, :8], 1, axis=0)
    found = measures.per_image(wrong)
    assert found["face"].mean() == 1 and found["hair"].mean() < 0.5


def test_the_validation_loss_of_an_image_is_the_same_however_many_are_looked_at(people):
    from avatar_model import AvatarPipeline

    config = all_runs("tiny", 800, "", Path())["blog-7"].config
    torch.manual_seed(0)
    pipeline = AvatarPipeline(AvatarNetwork(config.model), people.vocabulary)
    truth = people.take(people.split("validation")[:40])
    few, many = (validation_loss(pipeline, truth, n) for n in (5, 40))
    assert many.shape == (40,) and np.allclose(few, many[:5], rtol=1e-4)
    # An untrained network puts out zero, and the noise that it should put out has variance 1.
    assert many.mean() == pytest.approx(1, abs=0.05)


# Judging.


def made_result(run, hair, loss=0.1, count=64):
    rng = np.random.default_rng(0)
    values = {key: rng.normal(10, 1, count) for key in PER_IMAGE}
    values |= {"loss": np.full(count, loss), "hair": right(hair, count), "face": right(0.5, count)}
    points = [Point(step, step / 2, loss, values) for step in (2, 4, 6, 8, 10)]
    kernel = {"value": 1.0, "interval": [0.9, 1.1], "floor": 0.0}
    drawn = np.zeros((count, 16, 16, 4), np.uint8)
    return Result({}, 10, points, kernel, None, "2026-01-01", drawn)


REFERENCE = Reference(
    images=64,
    chance={"hair": 0.1, "face": 0.1},
    readable={"hair": 64, "face": 64},
    mean_image_psnr=12.0,
    noise_psnr=5.0,
    real_grain=1.0,
    noise_grain=50.0,
    real_kernel=0.0,
    noise_kernel=3.0,
)


def evidence(**hair):
    runs = all_runs("tiny", 800, "", Path())
    accuracy = dict.fromkeys(runs, 0.5) | {k.replace("_", "-"): v for k, v in hair.items()}
    results = {name: made_result(runs[name], share) for name, share in accuracy.items()}
    return Evidence(runs, results, REFERENCE)


def verdict_of(evidence, number):
    (found,) = (f for f in judge_all(evidence) if f.number == number)
    return found.verdict


def test_each_finding_is_decided_by_its_own_runs():
    assert verdict_of(evidence(blog_6=0.9), "4") == CONFIRMED
    assert verdict_of(evidence(blog_6=0.1), "4") == NOT_CONFIRMED
    assert verdict_of(evidence(blog_6=0.9, blog_7=0.9), "5") == NOT_CONFIRMED
    assert verdict_of(evidence(blog_5=0.9), "3") == NOT_CONFIRMED
    assert verdict_of(evidence(blog_5=0.5), "3") == CONFIRMED
    # The second seed was as lucky as four heads: who knows which it was.
    assert verdict_of(evidence(blog_6=0.9, blog_4_second_seed=0.95), "4") == UNDECIDED
    # Nobody knows any colour, which is no sign that heads make no difference.
    nothing = {f"blog_{n}": 0.1 for n in (4, 6)}
    assert verdict_of(evidence(**nothing, blog_4_second_seed=0.1), "4") == UNDECIDED


def with_kernel(result, value):
    return replace(result, kernel={"value": value, "interval": [value - 0.1, value + 0.1]})


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (2.5, 1.0, CONFIRMED),
        (1.0, 2.5, NOT_CONFIRMED),
        (1.0, 1.0, NOT_CONFIRMED),
        (2.8, 2.8, UNDECIDED),  # both are hardly better than noise, which is 3
    ],
)
def test_crowds_are_compared_by_their_kernel_distance(first, second, verdict):
    found = evidence()
    for name, value in (("blog-1", first), ("blog-2", second)):
        found.results[name] = with_kernel(found.results[name], value)
    assert verdict_of(found, "1") == verdict


def test_cutting_the_rate_is_judged_only_once_the_loss_stagnates():
    found = evidence()
    found.results[BASE] = with_kernel(found.results[BASE], 0.1)
    found.results[SECOND_SEED] = with_kernel(found.results[SECOND_SEED], 0.1)
    assert verdict_of(found, "7a") == CONFIRMED
    points = found.results["rate-constant"].points
    falling = points[0].per_image | {"loss": 2 * points[0].per_image["loss"]}
    points[-2] = replace(points[-2], per_image=falling)
    assert verdict_of(found, "7a") == UNDECIDED


def test_missing_and_stopped_runs_leave_a_finding_open():
    some = evidence()
    del some.results["blog-6"]
    some.results["blog-5"] = replace(some.results["blog-5"], points=[], failure="bad gradients")
    found = {f.number: f for f in judge_all(some)}
    assert found["4"].verdict == found["3"].verdict == UNDECIDED
    assert "blog-6 has not been made" in found["4"].text
    assert "bad gradients" in found["3"].text
    with pytest.raises(MissingError):
        some.estimate("blog-5", "hair")


def test_memory_is_counted_for_the_real_size():
    (found,) = (f for f in judge_all(evidence()) if f.number == "9")
    assert found.verdict == CONFIRMED
    assert "75,001,092" in found.text and "76,464,439" in found.text


# Files.


def test_results_survive_the_disk(tmp_path):
    result = made_result(None, 0.3)
    result.last.per_image["hair"][3] = math.nan
    save_result(tmp_path, "a", result)
    again = load_result(tmp_path, "a")
    assert np.array_equal(again.drawn, result.drawn) and again.kernel == result.kernel
    assert math.isnan(again.last.per_image["hair"][3])
    for key in PER_IMAGE:
        assert np.allclose(again.last.per_image[key], result.last.per_image[key], equal_nan=True)
    assert load_result(tmp_path, "b") is None
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(RunError, match=r"a\.json is damaged"):
        load_result(tmp_path, "a")


# The command.


@pytest.fixture
def command(monkeypatch, tmp_path, people):
    """Runs the command on painted people, at its smallest."""
    monkeypatch.setattr(tool, "open_dataset", lambda *_: people)
    monkeypatch.setattr("train.findings.runs.SAMPLING_STEPS", 2)
    images = budget_unit("tiny")

    def run(**options):
        defaults = {"data": "painted", "images": images, "size": "tiny", "device": "cpu"}
        where = {"out": tmp_path / "page.md", "work": tmp_path / "work"}
        tool.main(**{**defaults, **where, "drawn": 4, "drawn_at_end": 40, **options})
        return (tmp_path / "page.md").read_text("utf-8")

    return run


def test_the_command_trains_measures_resumes_and_reports(command, tmp_path, capsys):
    page = command(only=("blog-4", "blog-6"))
    assert "the run blog-4-second-seed has not been made" in page
    results = tmp_path / "work" / "results"
    first = (results / "blog-4.json").read_text()
    assert len(json.loads(first)["points"]) == 5
    assert not list((tmp_path / "work").rglob("state.pt"))

    (results / "blog-6.json").unlink()  # as if killed while measuring: not trained again
    log = tmp_path / "work" / "runs" / "blog-6" / "log.csv"
    before = log.stat().st_mtime_ns
    capsys.readouterr()
    page = command(only=("blog-4", "blog-6", "blog-1", "ours"))
    assert "run 1 of 3: blog-6" in capsys.readouterr().out
    assert (results / "blog-4.json").read_text() == first
    assert log.stat().st_mtime_ns == before
    for needed in (
        "## Finding by finding",
        "CC BY 4.0",
        "--size tiny",
        "not the blog's but small ones",
    ):
        assert needed in page
    assert str(tmp_path) not in page
    for name in ("page_sheet.png", "page_loss.png"):
        assert name in page
        with Image.open(tmp_path / name) as picture:
            assert picture.width > 600

    again = command(report_only=True)
    assert again == page


def test_a_stopped_run_goes_on_where_it_was(command, tmp_path, monkeypatch):
    plain = Trainer._train_step

    def interrupted(trainer):
        plain(trainer)
        trainer._stop = trainer.step == 3  # as Ctrl+C does

    monkeypatch.setattr(Trainer, "_train_step", interrupted)
    with pytest.raises(StoppedError):
        command(only=("blog-4",))
    monkeypatch.setattr(Trainer, "_train_step", plain)
    command(only=("blog-4",))
    command(only=("blog-4",), work=tmp_path / "at-once")
    one, other = (load_result(tmp_path / w / "results", "blog-4") for w in ("work", "at-once"))
    assert [p.step for p in one.points] == [2, 4, 6, 8, 10]
    assert np.array_equal(one.drawn, other.drawn)
    for a, b in zip(one.points, other.points, strict=True):
        assert a.train_loss == b.train_loss
        assert np.array_equal(a.per_image["loss"], b.per_image["loss"])


def test_a_run_that_diverges_does_not_stop_the_others(command, monkeypatch):
    def diverge(trainer):
        raise DivergedError("101 gradients were NaN")

    monkeypatch.setattr(Trainer, "train", diverge)
    page = command(only=("blog-1",))
    assert "the run blog-1 stopped early: 101 gradients were NaN" in page
    assert "| stopped early |" in page and "_sheet.png" not in page


def test_another_study_in_the_same_folder_is_refused(command, tmp_path):
    command(only=("blog-4",))
    with pytest.raises(RunError, match=r"images = 80, not 160; choose another --work"):
        command(images=160)
    with pytest.raises(RunError, match="drawn = 4, not 5"):
        command(drawn=5)
    path = tmp_path / "work" / "results" / "blog-4.json"
    content = json.loads(path.read_text())
    content["settings"]["model"]["num_heads"] = 2
    path.write_text(json.dumps(content))
    with pytest.raises(RunError, match=r"blog-4\.json was made with num_heads = 2, not 1"):
        command(only=("blog-4",))


def test_a_budget_in_minutes_is_measured_once(command, tmp_path, monkeypatch):
    rates = iter([4.0])
    monkeypatch.setattr("train.findings.plan.measure_rate", lambda *_: next(rates))
    command(images=None, minutes=1.0, only=("blog-4",))
    plan = json.loads((tmp_path / "work" / "plan.json").read_text())
    assert plan["images"] == 240  # 4 a second, 60 seconds, in whole parts of 80
    command(images=None, minutes=1.0, only=("blog-4",))
    with pytest.raises(RunError, match=r"minutes = 1\.0, not 2\.0"):
        command(images=None, minutes=2.0, only=("blog-4",))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "blog-8"], "error: there is no run 'blog-8'; did you mean"),
        (["--data", "drawn:64"], "error: the validation split of drawn:64 has "),
        (["--data", "nowhere"], "error: there is no file or folder nowhere"),
        (["--out", "page.txt"], "error: page.txt must end in .md"),
        (["--minutes", "0"], "error: minutes must be more than 0, not 0.0"),
        (["--report-only"], "error: there is no study in work to report on"),
    ],
)
def test_bad_arguments_are_named(arguments, message, monkeypatch, tmp_path, cache):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AVATAR_CACHE", str(cache))
    rest = [] if "--data" in arguments else ["--data", "drawn:64"]
    argv = ["findings", "--size", "tiny", "--device", "cpu", "--work", "work", *rest, *arguments]
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.delitem(sys.modules, "train.findings.__main__", raising=False)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("train.findings", run_name="__main__")
    assert str(stopped.value).startswith(message)
    assert "\n" not in str(stopped.value)
