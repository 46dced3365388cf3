"""All sentences that the page says, found in its source: the keys of every catalog."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from avatar_model import ATTRIBUTES
from avatar_model.attributes import ANY_LABEL
from ui.looks import GROUPS
from ui.server.page_config import IN_SCRIPT

UI = Path(__file__).parents[2] / "ui"
OF_THE_DATA = {a.title for a in ATTRIBUTES} | set(GROUPS) | {ANY_LABEL}
"""Sentences that no ``_`` has as a literal."""


def words() -> set[str]:
    """Of ``_("...")`` in Python, of ``t("...")`` in scripts, and ``OF_THE_DATA``."""
    found = set(OF_THE_DATA)
    for path in UI.rglob("*.js"):
        found |= in_script(path.read_text("utf-8"))
    for path in UI.rglob("*.py"):
        found |= set(in_python(path.read_text("utf-8")))
    return found


def in_script(text: str) -> set[str]:
    """Of ``t("...")``."""
    return {json.loads(word) for word in IN_SCRIPT.findall(text)}


def in_python(source: str) -> Iterator[str]:
    """Of ``_``, whose argument is a literal, one of two, or a constant of the file."""
    tree = ast.parse(source)
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
            (key,) = node.args
            key = constants.get(key.id, key) if isinstance(key, ast.Name) else key
            for one in (key.body, key.orelse) if isinstance(key, ast.IfExp) else (key,):
                if isinstance(one, ast.Constant):
                    yield one.value
        elif isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield from in_script(str(node.value))
