"""Imports only go down the house."""

import ast
from pathlib import Path

import pytest

import localsr

ROOT = Path(localsr.__file__).parent
LAYERS = [  # a room may import from the rooms above its line, and from itself
    {"errors"},
    {"systems"},
    {"extras", "files", "geometry", "html_pages", "interrupts", "parquet", "progress", "conditions"},
    {"images", "resize", "metrics", "estimation"},
    {"models", "frames"},
    {"inference", "data", "regions"},
    {"pytorch", "drawing"},
    {"onnx"},
    {"foreign"},
    {"loading"},
    {"evaluation", "selfcheck"},
    {"serving", "training", "batch"},
    {"remote_scene"},
    {"client"},
    {"cli"},
    {"__main__"},
]
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
FORBIDDEN = {"utils", "helpers", "common", "misc"}


def modules() -> list[Path]:
    return [p for p in sorted(ROOT.rglob("*.py")) if p != ROOT / "__init__.py"]


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_rooms(text: str) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level:
            rooms.add("a relative import")
        elif isinstance(node, ast.ImportFrom) and node.module == "localsr":
            rooms |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("localsr."):
            rooms.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            rooms |= {
                a.name.partition(".")[2].partition(".")[0] for a in node.names if a.name.split(".")[0] == "localsr"
            }
    return rooms - {"__version__"}


def broken(room: str, text: str) -> set[str]:
    """The rooms that `room` must not import but does."""
    return {other for other in imported_rooms(text) - {room} if RANK.get(other, len(RANK)) >= RANK[room]}


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_go_down(path: Path) -> None:
    assert room_of(path) in RANK, f"{path} has no layer"
    assert room_of(path) not in FORBIDDEN
    assert broken(room_of(path), path.read_text()) == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from localsr.geometry import Box", set()),
        ("from localsr.models.clsr import CLSR", set()),
        ("from localsr.cli import app", {"cli"}),
        ("from localsr import training", {"training"}),
        ("def f():\n    import localsr.evaluation.protocol", {"evaluation"}),
        ("import localsr", {""}),
        ("from . import scene", {"a relative import"}),
        ("from localsr.data.pairs import Pairs", {"data"}),
    ],
)
def test_the_rule_can_fail(text: str, found: set[str]) -> None:
    assert broken("inference", text) == found


def test_matplotlib_draws_reports_alone() -> None:
    """It comes with the extra [evaluate]; sheets must do without it."""
    users = {p.parent.relative_to(ROOT) for p in modules() if "import matplotlib" in p.read_text()}
    users |= {p.parent.relative_to(ROOT) for p in modules() if "from matplotlib" in p.read_text()}
    assert users == {Path("evaluation/report")}


NEED_TORCH = {"data", "evaluation", "foreign", "metrics", "models", "onnx", "pytorch", "selfcheck", "training"}
BRING_TORCH = {"torch", "torchmetrics", "lightning", "onnxscript", "spandrel"}


def imported_at_once(text: str) -> set[str]:
    """What a module imports whenever it is imported: not within functions, nor for types alone."""
    found: set[str] = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def brings(packages: set[str], module: str, texts: dict[str, str]) -> bool:
    """Whether one of some packages is loaded with a module, by itself or by what it imports."""
    seen, waiting = set(), [module]
    while waiting:
        one = waiting.pop()
        if one.split(".")[0] in packages:
            return True
        if one in texts and one not in seen:
            seen.add(one)
            waiting += imported_at_once(texts[one])
    return False


def module_texts() -> dict[str, str]:
    texts = {".".join(("localsr", *p.relative_to(ROOT).with_suffix("").parts)): p.read_text() for p in modules()}
    return {name.removesuffix(".__init__"): text for name, text in texts.items()}


def test_regions_are_restored_without_torch() -> None:
    texts = module_texts()
    light = [name for name in texts if name.split(".")[1] not in NEED_TORCH] + ["localsr.onnx.architectures"]
    assert len(light) > 100
    assert [name for name in light if brings(BRING_TORCH, name, texts)] == []
    assert brings(BRING_TORCH, "localsr.pytorch.network", texts)
    assert brings(BRING_TORCH, "a", {"a": "import b.c", "b.c": "from torch import Tensor"})
    assert not brings(BRING_TORCH, "a", {"a": "def f():\n    import torch"})


def test_a_service_starts_without_what_takes_long() -> None:
    """A worker needs no package of other extras, and is started before the application is imported."""
    texts = module_texts()
    assert not brings({"jinja2", "duckdb", "fastapi", "uvicorn"}, "localsr.serving.tasks", texts)
    assert not brings({"fastapi", "uvicorn", "starlette"}, "localsr.serving.server", texts)
    assert brings({"fastapi"}, "localsr.serving.draining", texts)
