import math
from pathlib import Path

import numpy as np
import pytest

from train.findings import compare
from train.findings.compare import CONFIRMED, NOT_CONFIRMED, SMALL, UNDECIDED, Difference
from train.findings.loss_against_quality import loss_against_quality, p_positive
from train.findings.measures import PER_IMAGE
from train.findings.plan import BASE, SEEDS, all_runs
from train.findings.report import judge, memory_of_blog_7
from train.findings.study import load_results, save_result
from train.loop.run_folder import RunError


@pytest.mark.parametrize(
    ("value", "low", "high", "learned", "gain", "no_gain"),
    [
        (0.30, 0.20, 0.40, True, CONFIRMED, NOT_CONFIRMED),  # a clear win
        (0.00, -0.03, 0.03, True, NOT_CONFIRMED, CONFIRMED),  # the same, and surely so
        (0.00, -0.15, 0.15, True, UNDECIDED, UNDECIDED),  # the same, but who knows
        (-0.30, -0.40, -0.20, True, NOT_CONFIRMED, CONFIRMED),  # a clear loss
        (0.05, 0.02, 0.08, True, SMALL, CONFIRMED),  # sure, and too little to matter
        (0.07, 0.03, 0.11, True, SMALL, UNDECIDED),  # sure, and perhaps worth having
        (0.12, 0.08, 0.16, True, CONFIRMED, NOT_CONFIRMED),  # sure, and rather worth having
        (0.30, 0.20, 0.40, False, UNDECIDED, UNDECIDED),  # both generate noise
        (math.nan, math.nan, math.nan, True, UNDECIDED, UNDECIDED),
    ],
)
def test_the_verdict_rule(value, low, high, learned, gain, no_gain):
    difference = Difference(value, low, high, worth=0.10, learned=learned)
    assert (difference.verdict(), difference.verdict(helps=False)) == (gain, no_gain)


def test_no_difference_is_both_a_gain_and_no_gain_worth_having():
    opposite = {CONFIRMED: [NOT_CONFIRMED], NOT_CONFIRMED: [CONFIRMED], UNDECIDED: [UNDECIDED]}
    opposite[SMALL] = [CONFIRMED, UNDECIDED]
    for value, width in np.random.default_rng(0).uniform(-0.3, 0.3, (500, 2)):
        difference = Difference(value, value - abs(width), value + abs(width), 0.1)
        assert difference.verdict(helps=False) in opposite[difference.verdict()]


def test_more_people_and_seeds_never_turn_a_verdict_around():
    for value in np.linspace(-0.3, 0.3, 61):
        widths = np.linspace(0.5, 0.001, 200)
        found = [Difference(value, value - w, value + w, 0.1).verdict() for w in widths]
        told = set(found) - {UNDECIDED}
        assert len(told) <= 1 or told == {NOT_CONFIRMED, SMALL}, value


def right(share, count=256):
    """Right and wrong answers, the right ones first."""
    return (np.arange(count) < share * count).astype(float)


def gain(old, new):
    return compare.paired_difference(old, new, right_or_wrong=True)


def test_paired_differences_know_the_images_and_their_number():
    value, low, high = gain(right(0.25), right(0.75))
    assert value == 0.5 and 0.4 < low < 0.5 < high < 0.6
    assert gain(right(0.5), right(0.5))[0] == 0
    # Nothing but agreement is no certainty: of few images less than of many.
    few, many = (gain(right(0, n), right(0, n))[2] for n in (32, 256))
    assert few > 0.05 > many > 0


def test_images_that_cannot_be_judged_do_not_count():
    old, new = right(0.5, 40), right(1, 40)
    old[::2] = new[::2] = math.nan
    assert gain(old, new)[0] == 0.5
    with pytest.raises(ValueError, match="not judged on the same images"):
        gain(right(0.5, 40), new)
    with pytest.raises(ValueError, match="no image"):
        gain(np.full(4, math.nan), np.full(4, math.nan))


def test_errors_of_independent_estimates_add_up_as_squares():
    value, low, high = compare.independent_difference((1.0, 0.7, 1.3), (2.0, 1.6, 2.4))
    assert (value, low, high) == pytest.approx((1.0, 0.5, 1.5))


# Loss against quality.


def losses(**runs):
    """What is found in runs, given as the losses and the shares of right answers at each check."""
    spread = np.linspace(0.9, 1.1, 200)
    made = {
        name: {"loss": np.outer(loss, spread), "hair": np.array([right(x, 200) for x in hair])}
        for name, (loss, hair) in runs.items()
    }
    return loss_against_quality(made)


def test_a_sure_fall_of_quality_with_a_falling_loss_is_an_instance():
    found = losses(a=([0.3, 0.2, 0.1], [0.2, 0.8, 0.3]))
    (instance,) = found["instances"]
    assert instance["between"] == "a, check 2 to 3"
    assert instance["change"] == pytest.approx(-0.5)
    assert found["verdict"] == CONFIRMED


def test_quality_that_falls_with_a_rising_loss_is_none():
    found = losses(a=([0.3, 0.2, 0.4], [0.2, 0.8, 0.3]))
    assert [c["between"] for c in found["within"]] == ["a, check 1 to 2"]
    assert not found["instances"] and found["verdict"] == UNDECIDED


def test_runs_whose_loss_and_quality_go_together():
    found = losses(**{f"r{i}": ([0.5, 0.4 - 0.02 * i], [0.1, 0.2 + 0.08 * i]) for i in range(9)})
    assert len(found["within"]) == 9 and len(found["across"]) == 36
    assert found["correlation"]["hair"][0] == pytest.approx(1)
    assert found["verdict"] == NOT_CONFIRMED


def test_a_finished_run_with_lower_loss_and_worse_pictures_is_an_instance():
    found = losses(a=([0.3], [0.8]), b=([0.2], [0.3]))
    (instance,) = found["instances"]
    assert (instance["between"], found["verdict"]) == ("a to b", CONFIRMED)
    assert found["correlation"]["hair"] is None  # two runs are too few for one


def test_a_small_fall_among_many_comparisons_is_chance():
    flat = {f"r{i}": ([0.3, 0.2], [0.5, 0.5]) for i in range(9)}
    odd = [0.3, 0.19], [0.5, 0.465]  # 7 of 200: p = 0.008 by itself
    assert losses(odd=odd)["instances"]
    assert not losses(**flat, odd=odd)["instances"]


def test_p_values_are_those_of_the_textbook():
    assert p_positive(np.array([1.0] * 8 + [-1.0] * 2)) == pytest.approx(0.0546875)
    assert p_positive(np.zeros(9)) == 1
    assert p_positive(np.array([0.5, 1.5, 1.0, 2.0])) == pytest.approx(0.0152, abs=1e-3)


# Judging.


def kernel(value):
    return {"value": value, "interval": [value - 0.1, value + 0.1], "floor": 0.0}


def made_result(hair, count=64):
    values = np.random.default_rng(0).normal(10, 1, (len(PER_IMAGE), 5, count))
    points = [{"step": 2 * i, "seconds": i, "train_loss": 0.1} for i in range(1, 6)]
    return {
        **dict(zip(PER_IMAGE, values.astype("f4"), strict=True)),
        "loss": np.full((5, count), 0.1),
        "clean": np.full((5, count), 0.9),
        "hair": np.tile(right(hair, count), (5, 1)),
        "face": np.tile(right(0.5, count), (5, 1)),
        "settings": {},
        "parameters": 10,
        "failure": None,
        "date": "2026-01-01",
        "points": points,
        "kernel": kernel(1.0),
        "images": np.zeros((count, 16, 16, 4), "u1"),
    }


def evidence(**hair):
    runs = all_runs("tiny", 800, "", Path())
    hair = {name.replace("_", "-"): share for name, share in hair.items()}
    accuracy = {n: hair.get(n, hair.get(run.experiment, 0.5)) for n, run in runs.items()}
    reference = {"chance": {"hair": 0.1, "face": 0.1}, "real_kernel": 0.0, "noise_kernel": 3.0}
    results = {name: made_result(x) for name, x in accuracy.items()}
    return compare.Evidence(runs, results, reference)


def test_each_finding_is_decided_by_its_own_runs():
    def verdict_of(number, **hair):
        return judge(number, evidence(**hair))[0]

    assert verdict_of("4", blog_6=0.9) == CONFIRMED
    assert verdict_of("4", blog_6=0.1) == NOT_CONFIRMED
    assert verdict_of("5", blog_6=0.9, blog_7=0.9) == NOT_CONFIRMED
    assert verdict_of("3", blog_5=0.9) == NOT_CONFIRMED
    assert verdict_of("3", blog_5=0.5) == CONFIRMED
    # Seeds are further apart than the heads: who knows which it was.
    assert verdict_of("4", blog_6=0.7, blog_4_seed_1=0.95, blog_4_seed_2=0.2) == UNDECIDED
    # Nobody knows any colour, which is no sign that heads make no difference.
    assert verdict_of("4", blog_4=0.1, blog_6=0.1) == UNDECIDED


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (2.5, 1.0, CONFIRMED),
        (1.0, 2.5, NOT_CONFIRMED),
        (1.0, 1.0, NOT_CONFIRMED),
        (3.5, 3.5, NOT_CONFIRMED),  # further from real avatars than noise, but free of it
    ],
)
def test_crowds_are_compared_by_their_kernel_distance(first, second, verdict):
    found = evidence()
    for name, run in found.runs.items():
        if run.experiment in ("blog-1", "blog-2"):
            value = first if run.experiment == "blog-1" else second
            found.results[name]["kernel"] = kernel(value)
    assert judge("1a", found)[0] == verdict
    for name, run in found.runs.items():
        if run.experiment in ("blog-1", "blog-2"):
            found.results[name]["clean"][:] = 0.5  # both draw noise
    assert judge("1a", found)[0] == UNDECIDED


def test_the_luck_of_seeds_widens_the_interval():
    sure, unsure = (evidence(blog_4_seed_1=share) for share in (0.5, 0.8))
    assert sure.seed_deviation("hair", [BASE])[0] == 0
    # One of the runs of blog-4 differs; of the other experiments all runs are equal.
    runs = SEEDS[BASE]
    for other, more in ("noise-too-high", 0), ("blog-5", SEEDS["blog-5"] - 1):
        deviation, freedom = unsure.seed_deviation("hair", [BASE, other])
        assert freedom == runs - 1 + more
        expected = np.sqrt(0.3**2 * (runs - 1) / runs / freedom)
        assert deviation == pytest.approx(expected, rel=0.05)
    assert unsure.seed_deviation("hair", ["blog-5", "blog-6"])[0] == 0

    def width(found, name):
        _, low, high = found.estimate(name, "hair")
        return high - low

    assert width(unsure, BASE) > 1.1 * width(sure, BASE)
    assert width(unsure, "blog-5") == pytest.approx(width(sure, "blog-5"))
    assert width(unsure, "noise-higher") > width(unsure, "blog-5")  # two runs, not six


def test_of_too_few_runs_the_luck_is_that_of_all_experiments():
    found = evidence(blog_4_seed_1=0.8)
    seeds = [len(found.finished(name)) for name in found.experiments()]
    for of in ["noise-too-high"], ["blog-3"], ["blog-8", "ours"]:
        assert found.seed_deviation("hair", of)[1] == sum(n - 1 for n in seeds)
    # And so a pair of few runs is further from a verdict than one of many.
    for name in list(found.results):
        if "-seed-" in name and found.runs[name].experiment != BASE:
            del found.results[name]
    assert found.difference(BASE, "blog-6", "hair").high > 0.1


def test_without_a_second_seed_nothing_is_decided():
    found = evidence()
    for name in list(found.results):
        if "-seed-" in name:
            del found.results[name]
    with pytest.raises(compare.MissingError, match="with two seeds"):
        judge("4", found)


def test_missing_and_stopped_runs_leave_a_finding_open():
    some = evidence()
    for name in [n for n, run in some.runs.items() if run.experiment == "blog-6"]:
        del some.results[name]
    some.results["blog-5"] |= {"points": [], "failure": "bad gradients"}
    with pytest.raises(compare.MissingError, match="blog-6 has not been made"):
        judge("4", some)
    with pytest.raises(compare.MissingError, match="bad gradients"):
        judge("3", some)
    with pytest.raises(compare.MissingError):
        some.estimate("blog-5", "hair")


def test_memory_is_counted_for_the_real_size():
    verdict, decided_by = judge("9", evidence())
    assert verdict == CONFIRMED and decided_by.startswith("weights 293 MiB, activations ")
    assert memory_of_blog_7()["parameters"] == 76_857_603


def test_results_survive_the_disk(tmp_path):
    runs = {name: all_runs("tiny", 800, "", Path())[name] for name in ("blog-4", "blog-5")}
    result = {**made_result(0.3), "settings": runs["blog-4"].settings}
    result["hair"][-1, 3] = math.nan
    path = tmp_path / "results" / "blog-4.json"
    save_result(path, result)
    (again,) = load_results(runs, tmp_path).values()
    for key in ("images", *PER_IMAGE):
        np.testing.assert_array_equal(again.pop(key), result.pop(key))
    assert again == result
    path.write_text("{")
    with pytest.raises(RunError, match=r"blog-4\.json is damaged"):
        load_results(runs, tmp_path)


def test_a_measure_that_one_experiment_lacks_is_missing_and_the_others_stay():
    """A schedule that never has so much noise cannot be asked to take it away."""
    found = evidence()
    found.results["noise-lower"]["restored"][:] = math.nan
    with pytest.raises(compare.MissingError, match="not known of noise-lower"):
        found.difference(BASE, "noise-lower", "restored")
    assert found.difference(BASE, "noise-lower", "hair").value == 0


def test_an_interval_of_a_share_stays_between_none_and_all():
    found = evidence(blog_4_seed_1=0.9, blog_5=1.0, blog_6=0.0)
    assert found.estimate("blog-5", "hair")[2] == 1
    assert found.estimate("blog-6", "hair")[1] == 0
