"""The notebook for newcomers runs from its first cell to its last, with fewer steps."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"
PICTURES = 3


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def pictures(notebook):
    """The PNG files among the outputs, base64."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [o.data["image/png"] for o in outputs if "image/png" in o.get("data", {})]


def test_it_runs_and_shows_pictures(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("AVATAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    (parameters,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    run = tmp_path / "run"
    parameters.source += f"\nrun, steps = Path({str(run)!r}), 3"
    NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": NOTEBOOK.parent}}
    ).execute()
    assert len(pictures(notebook)) == PICTURES
    assert (run / "checkpoints" / "step-00000003" / "model.safetensors").is_file()
    assert (run / "report" / "report.md").is_file()
    assert "unseen combinations" in notebook.cells[-1].outputs[-1].text


def test_its_pictures_are_kept_and_small(notebook):
    assert len(pictures(notebook)) == PICTURES
    assert NOTEBOOK.stat().st_size < 400_000
    assert len(notebook.cells) <= 12
