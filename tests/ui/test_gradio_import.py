"""The page starts without Gradio's writing stubs for editors."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COUNTED = """
import ast
import inspect

segments = []
segment = ast.get_source_segment
ast.get_source_segment = lambda *args, **options: segments.append(1) or segment(*args, **options)
import ui
import gradio

print(len(segments), inspect.getfile(gradio.Button).endswith("button.py"))
"""


def test_no_component_is_parsed_for_a_stub():
    run = subprocess.run([sys.executable, "-c", COUNTED], cwd=ROOT, capture_output=True, text=True)
    assert not run.returncode, run.stderr
    segments, has_a_file_again = run.stdout.split()
    assert int(segments) <= 2  # of our own blocks.Page; Gradio's are about 150
    assert has_a_file_again == "True"
