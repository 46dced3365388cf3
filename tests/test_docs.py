"""The pages for people: what they name is there."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "benchmarks").glob("*.md"),
    *(ROOT / "assets").rglob("*.md"),
]
ROOMS = "avatar_model|train|ui|tests|benchmarks|docs|assets|notebooks"
ENDS = "py|md|js|css|sh|json|png|ipynb"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page):
    text = page.read_text(encoding="utf-8")
    files = {
        ROOT / name
        for name in re.findall(rf"(?<![\w./~])((?:{ROOMS})/[\w./-]+\.(?:{ENDS}))\b", text)
    }
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    files |= {page.parent / link for link in links}
    assert not [str(file) for file in files if not file.exists()]
    modules = set(re.findall(r"python -m ((?:avatar_model|train|benchmarks)[\w.]*\w)", text))
    assert not [name for name in modules if importlib.util.find_spec(name) is None]


@pytest.mark.parametrize(
    "page", [p for p in PAGES if "assets" not in p.parts], ids=lambda p: p.name
)
def test_commands_name_the_environment_that_they_need(page):
    blocks = re.findall(
        r"^```(?:ba)?sh\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    bare = r"^(?:[A-Z_]+=\S+ )*((?:python|pip|hf|accelerate|torchrun|tensorboard) .*)"
    assert not [line for block in blocks for line in re.findall(bare, block, re.MULTILINE)]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
