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
ELSEWHERE = {"assets", "evaluation", "findings", "CHANGELOG.md"}
"""Cards have an environment of their own; the reports and the changelog tell what was."""
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
    "page",
    [
        *(page for page in PAGES if not ELSEWHERE & set(page.parts)),
        ROOT / "notebooks" / "quickstart.ipynb",
        ROOT / "docs" / "blog.ipynb",
    ],
    ids=lambda p: p.name,
)
def test_commands_name_the_environment_that_they_need_and_what_makes_it(page):
    text = page.read_text("utf-8")
    names = "python|pytest|pip(?! install gradio_client)|hf|accelerate|torchrun|tensorboard"
    bare = rf"(?:[A-Z_]+=\S+ )*(?:{names}) [^`\n]+"
    blocks = re.findall(r"^ *```(?:ba)?sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    found = [line for block in blocks for line in re.findall(rf"^ *{bare}", block, re.MULTILINE)]
    assert not [*found, *re.findall(rf"`{bare}`", text)]
    assert ".venv/" not in text or re.search(r"\bmake (app|train-deps|test)\b", text)


def test_no_command_overwrites_what_the_repository_has_unless_told_to():
    files = [*ROOT.glob("benchmarks/*.py"), *(ROOT / "train").rglob("*.py")]
    defaults = {path: re.findall(r'= Path\("(\w+)', path.read_text("utf-8")) for path in files}
    assert sum(map(len, defaults.values())) >= 5
    assert not [p for p, found in defaults.items() if {"assets", "docs", "tests"} & set(found)]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
