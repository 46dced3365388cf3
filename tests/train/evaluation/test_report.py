"""The report and the card, from the numbers of the bundled model's last evaluation."""

import json
from pathlib import Path

import pytest

from train.evaluation.report import card_section, to_markdown

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs/evaluation"


@pytest.fixture
def report():
    return json.loads((DOCS / "report.json").read_text())


def test_the_page_of_the_bundled_model_is_made_again_byte_by_byte(report):
    assert to_markdown(report) == (DOCS / "report.md").read_text()


def test_so_is_its_section_of_the_model_card(report):
    assert card_section(report) in (ROOT / "assets/model/README.md").read_text()


def test_one_stage_and_no_sweep(report):
    del report["base"], report["enlarged"], report["about"]["upscaler"]
    del report["sweep"], report["guidance"]
    for page in (to_markdown(report), card_section(report)):
        assert "upscaler" not in page and "that the base draws" not in page
        assert "|  | mean | 95 % interval | worst 5 % begin at | images |\n| --- | --- |" in page
        assert "pixels: mean" not in page and "sweep.png" not in page


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"emphasis": {"hair": 0.3}}, "above 1 it emphasises hair (strength 0.3)."),
        ({"emphasis": {}}, "above 1 it emphasises nothing."),
        ({"method": "classic"}, "by the method classic, and above 1 exaggerates the difference"),
    ],
)
def test_what_the_guidance_scale_of_one_stage_does(report, changed, sentence):
    report["guidance"] |= {"upscaler_emphasis": None, "measured": [], **changed}
    for page in (to_markdown(report), card_section(report)):
        assert sentence in page


def test_what_is_missing_says_why(report):
    for name in ("attributes", "partial"):
        report[name] = {"refused": f"no {name}"}
    report["distribution"]["attr"] = {"refused": "too few"}
    page = to_markdown(report)
    for line in ("Not measured: no attributes.", "Not measured: no partial."):
        assert f"\n\n{line}\n" in page
    assert "\nattr: Not measured: too few.\n" in page and "| FD-shape |" in page
    assert "\n\nNot measured: no attributes.\n" in card_section(report)


def test_what_no_picture_shows_leaves_its_cells_empty(report):
    nothing = {"mean": None, "interval": [None, None], "bad_5th_percentile": None, "count": 0}
    report["paired"]["colour_glasses"] = nothing
    for found in (report, report["base"]):
        found["colours"]["hair_color"] = {"accuracy": None, "interval": [None] * 2, "readable": 0}
    report["attributes"]["per_attribute"]["hair"]["accuracy"] = None
    page = to_markdown(report)
    small = report["base"]["paired"]["colour_glasses"]["mean"]
    assert f"| Colour error in the glasses (CIEDE2000) |  |  |  |  | {small:.2f} |" in page
    _, shown = page.split("| colour |")
    shown, _ = shown.split("\n## ", 1)
    known = report["colours"]["face_color"]["accuracy"]
    assert f"\n| face_color | {known:.4f} (" in shown and "hair_color" not in shown
    assert "| hair | nowhere visible |  |  | 0 |" in page


def test_other_defaults_than_the_best_are_pointed_out(report):
    assert "of the model are others" not in to_markdown(report)
    report["sweep"]["best"] = report["sweep"]["entries"][1]
    page = to_markdown(report)
    assert (
        "ddim with 2 step(s) at guidance scale 1. **The defaults of the model are others**" in page
    )
