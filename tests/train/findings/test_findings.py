import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from avatar_model import AvatarPipeline
from avatar_model.attributes import ATTRIBUTES, NAMES, Vocabulary
from avatar_model.images import to_model
from avatar_model.network import AvatarNetwork
from train import presets
from train.data.dataset import PackedSet
from train.findings import __main__ as tool
from train.findings.figures import LABELS, save_sheet
from train.findings.measures import GroundTruth, grain, restoration, validation_loss
from train.findings.plan import BASE, OURS, SEEDS, all_runs, budget_unit
from train.findings.report import in_json, summarize, to_markdown
from train.findings.study import load_evidence, load_plan, load_results
from train.loop.loss_guard import DivergedError
from train.loop.run_folder import RunError
from train.loop.trainer import Trainer

FILLS = np.array([[250, 210, 60], [40, 30, 30], [200, 60, 40], [150, 160, 170], [90, 50, 30]])
SKINS = np.array([[240, 200, 170], [120, 80, 50], [200, 150, 110]])


@pytest.fixture(scope="module")
def people():
    """900 of two flat colours: hair above, a face below, on nothing."""
    rng = np.random.default_rng(0)
    attributes = np.stack([rng.integers(a.num_values, size=900) for a in ATTRIBUTES], axis=1)
    images = np.zeros((900, 16, 16, 4), dtype=np.uint8)
    parts = ("hair_color", slice(2, 8), FILLS), ("face_color", slice(8, 14), SKINS)
    for name, part, colours in parts:
        attributes[:, NAMES.index(name)] %= len(colours)
        images[:, part, 2:-2, :3] = colours[attributes[:, NAMES.index(name)], None, None]
        images[:, part, 2:-2, 3] = 255
    ids = [f"cs{i}" for i in range(900)]
    return PackedSet(images, attributes.astype(np.uint8), ids, Vocabulary.from_options({}))


def made_runs(size, images=8_000):
    return all_runs(size, images, "drawn:64", Path("work"))


# The runs.


@pytest.mark.parametrize("size", ["real", "half", "quarter", "tiny"])
def test_every_run_gets_the_same_number_of_images(size):
    images = 3 * budget_unit(size)
    runs = made_runs(size, images)
    configs = [run.config for run in runs.values()]
    assert {config.steps * config.batch_size for config in configs} == {images}
    assert all(config.steps % config.checkpoint_steps == 0 for config in configs)
    assert len(configs) == len({config.run for config in configs})
    AvatarNetwork(runs["blog-7"].config.model)


def test_the_real_size_is_the_presets_own():
    runs = made_runs("real", 64_000)
    blog = [name for name in presets.names() if name.startswith("blog-")]
    assert len(blog) == 8
    for name in (*blog, "default"):
        run = runs[OURS] if name == "default" else runs["-".join(name.split("-")[:2])]
        preset = presets.load(name)
        assert run.config.model == replace(preset.model, crop=360)  # all draw the same pictures
        assert run.config.learning_rate == preset.learning_rate


@pytest.mark.parametrize("size", ["half", "quarter"])
def test_a_reduced_size_keeps_what_the_experiments_are_about(size):
    for name, run in made_runs(size).items():
        if not name.startswith("blog-") or name != run.experiment:
            continue
        (preset,) = (presets.load(n) for n in presets.names() if n.startswith(f"{name}-"))
        ours, theirs = run.config.model.to_dict(), preset.model.to_dict()
        changed = {key for key in ours if ours[key] != theirs[key]}
        narrower = {"num_heads", "tau_tokens"} if name == "blog-8" else set()
        assert changed == {"image_size", "channels", "tau_width"} | narrower
        assert run.config.condition_dropout == preset.condition_dropout


def test_seeds_are_all_that_the_runs_of_an_experiment_differ_in():
    runs = made_runs("tiny")
    for name, count in SEEDS.items():
        own = [run for run in runs.values() if run.experiment == name]
        assert [run.config.seed for run in own] == [*range(count)]
        settings = [{**run.settings, "seed": 0} for run in own]
        assert all(s == settings[0] for s in settings)


@pytest.mark.parametrize("size", ["half", "quarter"])
def test_our_reduced_preset_costs_what_theirs_costs(size):
    runs = made_runs(size)

    def flops(run):
        model = run.config.model
        with torch.device("meta"):
            network = AvatarNetwork(model)
            side = model.image_size
            inputs = torch.zeros(1, model.image_channels, side, side), torch.zeros(1)
            with FlopCounterMode(display=False) as counter:
                network(*inputs, torch.zeros(1, 217))
        return counter.get_total_flops()

    assert flops(runs[OURS]) == pytest.approx(flops(runs["blog-7"]), rel=0.1)


def test_which_losses_can_be_compared():
    runs = made_runs("quarter")
    same = {run.experiment for run in runs.values() if run.same_loss(runs[BASE])}
    blog = {f"blog-{n}" for n in (3, 4, 5, 6, 7, 8)}
    assert same == blog | {"rate-constant", "rate-constant-x4"}


# Measuring.


def test_real_images_are_measured_as_perfect_and_noise_as_noise(people):
    measures = GroundTruth(people, 48)
    truth = measures.people.images
    perfect = measures.per_image(truth)
    assert (perfect["psnr"] == 60).all() and (perfect["likeness"] > 20).mean() > 0.5
    assert perfect["hair"].mean() == perfect["face"].mean() == 1
    noise = np.random.default_rng(0).integers(256, size=truth.shape).astype(np.uint8)
    assert grain(noise).mean() > 10 * grain(truth).mean()
    assert measures.per_image(noise)["hair"].mean() < 0.6
    reference = measures.reference()
    assert reference["noise_psnr"] < reference["mean_image_psnr"]
    assert 1 / len(FILLS) <= reference["chance"]["hair"] < 0.5
    assert reference["noise_kernel"] is None  # 48 images are too few
    # Everybody with the hair of the next person.
    wrong = truth.copy()
    wrong[:, :8] = np.roll(truth[:, :8], 1, axis=0)
    found = measures.per_image(wrong)
    assert found["face"].mean() == 1 and found["hair"].mean() < 0.5


def test_the_validation_loss_of_an_image_is_the_same_however_many_are_looked_at(people):
    torch.manual_seed(0)
    network = AvatarNetwork(made_runs("tiny")["blog-7"].config.model)
    pipeline = AvatarPipeline(network, people.vocabulary)
    truth = people.take(people.split("validation")[:40])
    few, many = (validation_loss(pipeline, truth, n) for n in (5, 40))
    assert many.shape == (40,) and np.allclose(few, many[:5], rtol=1e-4)
    # An untrained network puts out zero, and the noise that it should put out has variance 1.
    assert many.mean() == pytest.approx(1, abs=0.05)


def knows_the_truth(people, run):
    """A pipeline whose network has seen the pictures, and puts out the noise that is on them."""
    pipeline = AvatarPipeline(AvatarNetwork(run.config.model), people.vocabulary)
    config = pipeline.network.config
    schedule = pipeline.denoiser.schedule
    x0 = to_model(people.images, config.pixel_range, config.image_channels)

    def network(x, t, one_hot):
        alpha, sigma = (part.view(-1, 1, 1, 1) for part in schedule(t))
        return (x * (alpha**2 + sigma**2).sqrt() - alpha * x0[: len(x)]) / sigma

    return pipeline, network


@pytest.mark.parametrize("name", ["blog-1", "blog-2", "noise-higher"])
def test_restoration_is_perfect_for_who_knows_and_the_noise_for_who_does_not(
    people, name, monkeypatch
):
    truth = people.take(people.split("validation")[:32])
    pipeline, network = knows_the_truth(truth, made_runs("tiny")[name])
    # An untrained network puts out zero: it takes all noise for picture.
    untouched = restoration(pipeline, truth, 32)
    # Noise of r of the range: -20 log10 r dB, and more where it is cut off at white.
    assert 11.1 < untouched.mean() < 14
    monkeypatch.setattr(type(pipeline.network), "forward", lambda self, *inputs: network(*inputs))
    assert (restoration(pipeline, truth, 32) == 60).all()


def test_the_same_noise_is_restored_whatever_the_pixel_range(people):
    truth, runs = people.take(people.split("validation")[:32]), made_runs("tiny")
    torch.manual_seed(0)
    found = [
        restoration(
            AvatarPipeline(AvatarNetwork(runs[n].config.model), people.vocabulary), truth, 32
        )
        for n in ("blog-1", "blog-2")
    ]
    np.testing.assert_allclose(*found, rtol=0.02)


def test_a_schedule_with_too_little_noise_cannot_be_judged_by_restoration(people):
    truth = people.take(people.split("validation")[:32])
    network = AvatarNetwork(made_runs("tiny")["noise-lower"].config.model)
    assert np.isnan(restoration(AvatarPipeline(network, people.vocabulary), truth, 32)).all()


# The command.


@pytest.fixture
def command(monkeypatch, tmp_path, people):
    """Runs the command on painted people, at its smallest."""
    monkeypatch.setattr(tool, "open_dataset", lambda *_: people)
    monkeypatch.setattr("train.findings.plan.SAMPLING_STEPS", 2)
    images = budget_unit("tiny")

    def run(**options):
        defaults = {"data": "painted", "images": images, "size": "tiny", "device": "cpu"}
        where = {"out": tmp_path / "page.md", "work": tmp_path / "work"}
        tool.main(**{**defaults, **where, "drawn": 4, "drawn_at_end": 40, **options})
        return (tmp_path / "page.md").read_text("utf-8")

    return run


def test_the_command_trains_measures_resumes_and_reports(command, tmp_path, capsys):
    page = command(only=("blog-4", "blog-6"))
    assert "not decided at this budget** | no experiment has been made with two seeds" in page
    results = tmp_path / "work" / "results"
    first = (results / "blog-4.json").read_text()
    assert len(json.loads(first)["points"]) == 5
    assert not list((tmp_path / "work").rglob("state.pt"))

    (results / "blog-6.json").unlink()  # as if killed while measuring: not trained again
    log = tmp_path / "work" / "runs" / "blog-6" / "log.csv"
    before = log.stat().st_mtime_ns
    capsys.readouterr()
    assert "page_4.png" in page and "page_5.png" not in page
    page = command(only=("blog-4", "blog-6", "blog-4-seed-1", "blog-1", "ours"))
    assert "run 1 of 4: blog-6" in capsys.readouterr().out
    assert (results / "blog-4.json").read_text() == first
    assert log.stat().st_mtime_ns == before
    for needed in ("## Findings", "CC BY 4.0", "--size tiny", "not the blog's but small ones"):
        assert needed in page
    assert str(tmp_path) not in page
    for name in ("page_sheet.png", "page_4.png", "page_9.png", "page_loss.png"):
        assert name in page
        with Image.open(tmp_path / name) as picture:
            assert picture.width > 600

    found = json.loads((tmp_path / "page.json").read_text())
    assert [f["number"] for f in found["findings"]] == ["1a", "1b", *"23456", "7a", "7b", "8", "9"]
    assert len(found["runs"]["ours"]["checks"]) == 5
    assert found["experiments"]["blog-4"]["runs"] == ["blog-4", "blog-4-seed-1"]
    assert "| the run blog-5 has not been made |" in page and "hair colour right: " in page

    again = command(report_only=True)
    assert again == page


def test_a_stopped_run_goes_on_where_it_was(command, tmp_path, monkeypatch):
    plain = Trainer._train_step

    def interrupted(trainer):
        plain(trainer)
        trainer._signals.received = int(trainer.state.step == 3)  # as Ctrl+C does

    monkeypatch.setattr(Trainer, "_train_step", interrupted)
    with pytest.raises(SystemExit, match="stopped; start the same command again to go on"):
        command(only=("blog-4",))
    monkeypatch.setattr(Trainer, "_train_step", plain)
    command(only=("blog-4",))
    command(only=("blog-4",), work=tmp_path / "at-once")
    runs = all_runs("tiny", budget_unit("tiny"), "painted", Path())
    one, other = (load_results(runs, tmp_path / w)["blog-4"] for w in ("work", "at-once"))
    assert [p["step"] for p in one["points"]] == [2, 4, 6, 8, 10]
    for a, b in zip(one["points"], other["points"], strict=True):
        assert a["train_loss"] == b["train_loss"]
    for key in ("images", "loss"):
        np.testing.assert_array_equal(one[key], other[key])


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
    monkeypatch.setattr("train.findings.study.measure_rate", lambda *_: next(rates))
    command(images=None, minutes=1.0, only=("blog-4",))
    plan = json.loads((tmp_path / "work" / "plan.json").read_text())
    assert plan["images"] == 240  # 4 a second, 60 seconds, in whole parts of 80
    command(images=None, minutes=1.0, only=("blog-4",))
    with pytest.raises(RunError, match=r"minutes = 1\.0, not 2\.0"):
        command(images=None, minutes=2.0, only=("blog-4",))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "blog-9"], "error: there is no run 'blog-9'; did you mean"),
        (["--data", "drawn:64"], "error: the validation split of drawn:64 has "),
        (["--data", "nowhere"], "error: there is no file or folder nowhere"),
        (["--out", "page.txt"], "error: page.txt must end in .md"),
        (["--minutes", "0"], "error: minutes must be from 0.001 to 1000000, not 0.0"),
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


DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture(scope="module")
def recorded():
    """The plan and the evidence of the study that docs/findings.md is about."""
    work = DOCS / "findings"
    plan = load_plan(work, "cartoonset9k.tar")
    return plan, load_evidence(all_runs(plan.size, plan.images, plan.data, work), work)


def test_the_recorded_report_is_what_the_recorded_results_say(recorded):
    work, (plan, evidence) = DOCS / "findings", recorded
    summary = in_json(summarize(plan, evidence))
    assert summary == json.loads((work / "report.json").read_text("utf-8"))
    pictures = {path.stem.removeprefix("report_"): path.name for path in work.glob("*.png")}
    assert to_markdown(summary, pictures) == (work / "report.md").read_text("utf-8")


def test_the_recorded_sheet_shows_the_recorded_results(recorded, tmp_path):
    work, runs, results = DOCS / "findings", recorded[1].runs, recorded[1].results
    made = [name for name, run in runs.items() if name == run.experiment and name in results]
    rows = [(name, runs[name].about, results[name]["images"]) for name in made]
    real = ("", "", np.zeros_like(rows[0][2]))  # they are not in the repository
    save_sheet(tmp_path / "sheet.png", [real, *rows])
    sheets = [
        Image.open(f).convert("RGB") for f in (tmp_path / "sheet.png", work / "report_sheet.png")
    ]
    first = sheets[0].height // (1 + len(rows))
    drawn = [np.asarray(sheet)[first:, LABELS:].astype(float) for sheet in sheets]
    assert np.abs(drawn[0] - drawn[1]).mean() < 3  # colours are few in a small PNG


def test_the_page_tells_what_the_report_does():
    found = json.loads((DOCS / "findings" / "report.json").read_text("utf-8"))
    report, page = ((DOCS / f).read_text("utf-8") for f in ("findings/report.md", "findings.md"))
    for f in found["findings"]:
        row = f"| {f['number']} | {f['claim']} | **{f['verdict']}** | {f['decided_by']} |"
        assert row in report.splitlines() and row in page.splitlines()

    def ends(measure, *experiments):
        return [found["experiments"][name]["measures"][measure]["value"] for name in experiments]

    told = " ".join(page.split())
    old, new = ends("psnr", BASE, "noise-higher")
    readme = " ".join((DOCS.parent / "README.md").read_text("utf-8").split())
    for text in (told, readme):
        assert f"{new:.1f} dB instead of {old:.1f}" in text
    old, new = ends("hair", BASE, "noise-higher")
    assert f"{100 * new:.0f} % of hair colours instead of {100 * old:.0f} %" in told
    for pair in ((BASE, "blog-5"), ("blog-6", "blog-7")):
        old, new = ends("likeness", *pair)
        assert f"from {old:.1f} to {new:.1f} dB" in told
