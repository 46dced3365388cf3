"""docs/architecture.md is true: a line for every file, and arrows that go one way."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("avatar_model", "train", "ui")
FILES = [
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*"))
    if path.suffix in (".py", ".js", ".css") and path.name != "__init__.py"
]
ROOMS = {
    "avatar_model": {"avatar_model"},
    "ui": {"ui", "avatar_model"},
    "train/data": {"train/data"},
    "train/figures": {"train/figures", "train/data"},
    "train/hub": {"train/hub"},
    "train/evaluation": {"train/evaluation", "train/data", "train/figures"},
    "train/loop": {"train/loop", "train/data", "train/evaluation", "train/figures", "train/hub"},
    "train/presets": {"train/presets", "train/loop"},
    "train/memory": {"train/memory", "train/loop"},
    "train/classifier": {"train/classifier", "train/data", "train/loop"},
    "train/rendering": {"train/rendering", "train/data"},
}
"""Room -> what its files may import of this repository, besides the model."""


def room_of(module: str) -> str:
    """The folder of a module, two levels deep in ``train``, where each is a subject of its own."""
    package, _, rest = module.partition(".")
    room = rest.partition(".")[0]
    return f"train/{room}" if package == "train" and (ROOT / "train" / room).is_dir() else package


def imports(path: Path) -> set[str]:
    """The rooms that a file imports from."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            # ``from train import presets`` imports a room.
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {room_of(name) for name in found if name.split(".")[0] in PACKAGES}


def test_every_file_has_a_line():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    named = set(re.findall(r"`([\w/]+\.(?:py|js|css))`", page))
    assert {path.as_posix() for path in FILES} - named == set()
    here = {name for name in named if "/" in name and name.split("/")[0] in PACKAGES}
    assert {name for name in here if not (ROOT / name).exists()} == set(), "files that are gone"


def test_arrows_go_one_way():
    commands = {room for room in ROOMS if room != "ui"} | {"train", "train/findings"}
    wrong = {}
    for path in FILES:
        if path.suffix == ".py":
            room = room_of(path.as_posix().replace("/", "."))
            is_command = path.name == "__main__.py" or room in ("train", "train/findings")
            allowed = commands if is_command else ROOMS[room] | {"avatar_model"}
            if extra := imports(path) - allowed:
                wrong[path.as_posix()] = extra
    assert wrong == {}
