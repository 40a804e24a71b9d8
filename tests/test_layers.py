"""Imports only go down the house."""

import ast
from pathlib import Path

import pytest

import localsr

ROOT = Path(localsr.__file__).parent
LAYERS = [  # a room may import from the rooms above its line, and from itself
    {"errors"},
    {"files", "geometry"},
    {"images", "resize", "metrics"},
    {"models"},
    {"inference", "data", "export"},
    {"training", "evaluation", "serving", "batch"},
    {"cli"},
    {"__main__"},
]
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
FORBIDDEN = {"utils", "helpers", "common", "misc"}


def modules() -> list[Path]:
    return [p for p in sorted(ROOT.rglob("*.py")) if p != ROOT / "__init__.py"]


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "localsr":
            rooms |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("localsr."):
            rooms.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            rooms |= {a.name.split(".")[1] for a in node.names if a.name.startswith("localsr.")}
    return rooms - {"__version__"}


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_go_down(path: Path) -> None:
    room = room_of(path)
    assert room in RANK, f"{room} has no layer"
    assert room not in FORBIDDEN
    for other in imported_rooms(path) - {room}:
        assert RANK[other] < RANK[room], f"{room} imports {other}, which is not below it"


def test_the_rule_can_fail() -> None:
    cli = next(p for p in modules() if room_of(p) == "cli" and imported_rooms(p))
    assert max(RANK[r] for r in imported_rooms(cli)) >= RANK["geometry"]
    assert imported_rooms(ROOT / "inference" / "scene.py") >= {"geometry", "models", "images"}


def test_no_print_or_exit_below_the_command() -> None:
    for path in modules():
        if room_of(path) in {"cli", "__main__"}:
            continue
        called = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not called & {"print", "exit", "input"}, path
