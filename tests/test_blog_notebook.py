"""The blog as a notebook runs from its first cell to its last, tiny, and is kept as it ran."""

import base64
import io
import os
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "blog.ipynb"
RUNS = [*(f"blog-{i}" for i in range(1, 8)), "noise-higher", "ours"]
CHECKS, PICTURES = 5, 15
TINY = """
import train.findings.plan

train.findings.plan.SAMPLING_STEPS = 1
DATA, SIZE, IMAGES, WORK = "drawn:80", "tiny", 80, Path({work!r})
"""


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code(notebook) for output in cell.outputs]


def pictures(cells):
    """Every picture among the outputs, RGB."""
    shown = [output.get("data", {}) for cell in cells for output in cell.outputs]
    found = [data["image/png"] for data in shown if "image/png" in data]
    return [Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB") for png in found]


def text(outputs):
    """What they say, without the pictures."""
    said = [o.get("text", "") for o in outputs]
    for kind in ("text/plain", "text/markdown"):
        said += [o.get("data", {}).get(kind, "") for o in outputs]
    return "\n".join(said)


def test_it_runs_and_every_training_shows_its_pictures(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("AVATAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    for cell in code(notebook):
        cell.outputs, cell.execution_count = [], None
    (parameters,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    work = tmp_path / "work"
    parameters.source += TINY.format(work=str(work))
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": tmp_path}}).execute()

    cells = code(notebook)
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    assert len(pictures(cells)) == PICTURES
    trained = []
    for cell, following in pairwise(cells):
        if cell.source.startswith("train("):
            names = re.findall(r'"([\w-]+)"', cell.source)
            said = text(cell.outputs)
            assert all(f"{name}, " in said for name in names), said
            (sheet,) = pictures([following])
            below = np.asarray(sheet)[sheet.height // 4 :, 300:]  # of the real row and the names
            assert below.std() > 20, "pictures, not an empty page"
            trained += names
    assert trained == RUNS
    for name in RUNS:
        checkpoints = [*(work / "runs" / name / "checkpoints").glob("step-*/model.safetensors")]
        assert len(checkpoints) == CHECKS, name
    tables = text(cells[-1].outputs)
    assert all(f"| {name}: " in tables for name in RUNS)


def test_it_is_kept_as_it_ran_in_earnest(notebook):
    cells = code(notebook)
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    assert len(pictures(cells)) == PICTURES
    kinds = {output.output_type for output in outputs(notebook)}
    assert kinds <= {"stream", "execute_result", "display_data"}, "no errors"
    assert {o.name for o in outputs(notebook) if o.output_type == "stream"} == {"stdout"}
    said = text(outputs(notebook))
    assert "(drawn)" not in said and "nan" not in said, "Cartoon Set, and enough of it"
    (parameters,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    (images,) = re.findall(r"IMAGES = ([\d_]+)", parameters.source)
    assert said.count(f"trained on {int(images):,} images") == len(RUNS)
    # The pictures of two runs differ, so no sheet is another one's.
    sheets = [np.asarray(picture) for picture in pictures(cells)]
    assert len({sheet.tobytes() for sheet in sheets}) == PICTURES


def test_it_is_small_and_names_no_place_of_the_machine_it_ran_on():
    content = NOTEBOOK.read_text("utf-8")
    assert len(content.encode()) < 1_200_000
    assert not re.findall(r"/(?:home|root|work|tmp|Users|usr)/[\w./-]*|[A-Z]:\\\\\w+", content)
    assert "widget" not in content


def test_what_it_links_to_is_there(notebook):
    page = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page)
    assert "findings.md" in links
    assert not [link for link in links if not (NOTEBOOK.parent / link).exists()]
